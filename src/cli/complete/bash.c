// SPDX-License-Identifier: MIT
// Prints the completion of bash.
#include "complete.h"

static const char *const markers[] = {
    [COMPLETE_TEXT] = "@text", [COMPLETE_FILES] = "@files", [COMPLETE_DIRS] = "@folders"};

static void print_commands(void) {
    printf("_fumarole_commands='");
    for (size_t i = 0; complete_command(i); i++)
        printf("%s%s", i ? " " : "", complete_command(i)->name);
    puts("'\n");
}

static void print_flags(void) {
    puts("# Prints the options of a command.\n_fumarole_flags() {\n    case $1 in");
    for (size_t i = 0; complete_command(i); i++) {
        const struct cli_command *command = complete_command(i);
        printf("    %s) echo '", command->name);
        const struct cli_option *option = NULL;
        while ((option = complete_next(command, option))) printf(" --%s", option->name);
        puts("' ;;");
    }
    puts("    esac\n}\n");
}

static void print_value(const struct cli_command *command, const struct cli_option *option) {
    enum complete_value kind = complete_value(option);
    if (kind == COMPLETE_NONE) return;
    printf("    %s:--%s", command->name, option->name);
    if (option->letter) printf(" | %s:-%c", command->name, option->letter);
    printf(") echo '");
    if (kind == COMPLETE_WORDS)
        complete_put_choices(option);
    else
        fputs(markers[kind], stdout);
    puts("' ;;");
}

static void print_values(void) {
    puts("# Prints what an option takes: words, or a mark for files, folders and text.\n"
         "_fumarole_value() {\n    case $1 in");
    for (size_t i = 0; complete_command(i); i++) {
        const struct cli_option *option = NULL;
        while ((option = complete_next(complete_command(i), option)))
            print_value(complete_command(i), option);
    }
    puts("    esac\n}\n");
}

// A line that begins with an option is one of generate. "=" is a word of its own in COMP_WORDS.
static const char script[] =
    "_fumarole_files() {\n"
    "    local IFS=$'\\n'\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY=($(compgen \"$1\" -- \"$2\"))\n"
    "}\n"
    "\n"
    "_fumarole() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} previous= at=$((COMP_CWORD - 1)) command value\n"
    "    COMPREPLY=()\n"
    "    if ((COMP_CWORD == 1)) && [[ $current != -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$_fumarole_commands\" -- \"$current\"))\n"
    "        return\n"
    "    fi\n"
    "    command=${COMP_WORDS[1]}\n"
    "    [[ $command == -* ]] && command=generate\n"
    "    [[ $current == = ]] && current=\n"
    "    [[ ${COMP_WORDS[at]} == = ]] && at=$((at - 1))\n"
    "    previous=${COMP_WORDS[at]}\n"
    "    value=$(_fumarole_value \"$command:$previous\")\n"
    "    case $value in\n"
    "    @text) return ;;\n"
    "    @files) _fumarole_files -f \"$current\" ;;\n"
    "    @folders) _fumarole_files -d \"$current\" ;;\n"
    "    ?*) COMPREPLY=($(compgen -W \"$value\" -- \"$current\")) ;;\n"
    "    *)\n"
    "        if [[ $current == -* ]]; then\n"
    "            COMPREPLY=($(compgen -W \"$(_fumarole_flags \"$command\")\" -- \"$current\"))\n"
    "        else\n"
    "            _fumarole_files -f \"$current\"\n"
    "        fi\n"
    "        ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "complete -F _fumarole fumarole";

void complete_print_bash(void) {
    puts("# Completes fumarole in bash. Made by: fumarole completions bash");
    print_commands();
    print_flags();
    print_values();
    puts(script);
}
