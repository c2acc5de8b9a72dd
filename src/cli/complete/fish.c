// SPDX-License-Identifier: MIT
// Prints the completion of fish: one line for each option.
#include "complete.h"

static const struct complete_quoting quoting = {.quote = "\\'", .escaped = "\\"};

static void print_command(const struct cli_command *command) {
    printf("complete -c fumarole -f -n __fumarole_lacks_command -a %s -d '", command->name);
    complete_put_text(&quoting, command->summary);
    puts("'");
}

static void print_option(const struct cli_command *command, const struct cli_option *option) {
    printf("complete -c fumarole -n '__fumarole_command_is %s'", command->name);
    if (option->letter) printf(" -s %c", option->letter);
    printf(" -l %s", option->name);
    switch (complete_value(option)) {
    case COMPLETE_NONE: break;
    case COMPLETE_TEXT: printf(" -x"); break;
    case COMPLETE_FILES: printf(" -r -F"); break;
    case COMPLETE_DIRS: printf(" -x -a '(__fish_complete_directories)'"); break;
    case COMPLETE_WORDS:
        printf(" -x -a '");
        complete_put_choices(option);
        putchar('\'');
        break;
    }
    printf(" -d '");
    complete_put_text(&quoting, option->help);
    puts("'");
}

void complete_print_fish(void) {
    puts("# Completes fumarole in fish. Made by: fumarole completions fish\n\n"
         "function __fumarole_lacks_command\n"
         "    test (count (commandline -opc)) -eq 1\n"
         "end\n\n"
         "# A line that begins with an option is one of generate.\n"
         "function __fumarole_command_is\n"
         "    set -l words (commandline -opc) (commandline -ct)\n"
         "    set -l command $words[2]\n"
         "    string match -q -- '-*' $command; and set command generate\n"
         "    test \"$command\" = $argv[1]\n"
         "end\n");
    for (size_t i = 0; complete_command(i); i++) print_command(complete_command(i));
    for (size_t i = 0; complete_command(i); i++) {
        const struct cli_option *option = NULL;
        while ((option = complete_next(complete_command(i), option)))
            print_option(complete_command(i), option);
    }
}
