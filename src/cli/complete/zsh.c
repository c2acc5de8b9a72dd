// SPDX-License-Identifier: MIT
// Prints the completion of zsh: one call of _arguments for each command.
#include "complete.h"

static const struct complete_quoting quoting = {.quote = "'\\''", .escaped = "[]:\\"};

static void print_commands(void) {
    puts("    local -a commands=(");
    for (size_t i = 0; complete_command(i); i++) {
        printf("        '%s:", complete_command(i)->name);
        complete_put_text(&quoting, complete_command(i)->summary);
        puts("'");
    }
    puts("    )");
}

// Prints what follows an option's name: its help, then the name of its value and how that is
// completed.
static void print_rest(const struct cli_option *option) {
    enum complete_value kind = complete_value(option);
    putchar('[');
    complete_put_text(&quoting, option->help);
    putchar(']');
    if (kind != COMPLETE_NONE) {
        putchar(':');
        complete_put_text(&quoting, option->value);
        putchar(':');
    }
    if (kind == COMPLETE_FILES) printf("_files");
    if (kind == COMPLETE_DIRS) printf("_files -/");
    if (kind == COMPLETE_WORDS) {
        putchar('(');
        complete_put_choices(option);
        putchar(')');
    }
    puts("' \\");
}

// Prints the start of a specification: what excludes it, or that it may be given several times.
static void print_start(const struct cli_option *option) {
    printf("            '");
    if (option->kind == CLI_LIST)
        putchar('*');
    else if (option->letter)
        printf("(-%c --%s)", option->letter, option->name);
}

static void print_option(const struct cli_option *option) {
    bool takes_value = complete_value(option) != COMPLETE_NONE;
    if (option->letter) {
        print_start(option);
        printf("-%c%s", option->letter, takes_value ? "+" : "");
        print_rest(option);
    }
    print_start(option);
    printf("--%s%s", option->name, takes_value ? "=" : "");
    print_rest(option);
}

void complete_print_zsh(void) {
    puts("#compdef fumarole\n"
         "# Completes fumarole in zsh. Made by: fumarole completions zsh\n\n"
         "_fumarole() {");
    print_commands();
    puts("    if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n"
         "        _describe command commands\n"
         "        return\n"
         "    fi\n"
         "    # A line that begins with an option is one of generate.\n"
         "    local command=generate\n"
         "    if [[ $words[2] != -* ]]; then\n"
         "        command=$words[2]\n"
         "        shift words\n"
         "        ((CURRENT--))\n"
         "    fi\n"
         "    case $command in");
    for (size_t i = 0; complete_command(i); i++) {
        const struct cli_option *option = NULL;
        printf("    %s)\n        _arguments -s \\\n", complete_command(i)->name);
        while ((option = complete_next(complete_command(i), option))) print_option(option);
        puts("            '*:file:_files'\n        ;;");
    }
    puts("    esac\n}\n\n_fumarole \"$@\"");
}
