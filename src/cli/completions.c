// SPDX-License-Identifier: MIT
// fumarole completions: prints what a shell completes the program's lines by.
#include "cli.h"

#include "complete/complete.h"

#include <string.h>

static const struct {
    const char *name;
    void (*print)(void);
} shells[] = {
    {"bash", complete_print_bash},
    {"zsh", complete_print_zsh},
    {"fish", complete_print_fish},
};
enum { NUM_SHELLS = sizeof shells / sizeof shells[0] };

static const struct cli_option options[] = {{0}};

static int run(const struct cli_command *command, int argc, char **argv) {
    char nothing;
    int status = cli_read_options(command, &argc, argv, &nothing);
    if (status >= 0) return status;
    if (argc != 1) return cli_misuse(command, "name one shell: bash, zsh or fish");
    for (int i = 0; i < NUM_SHELLS; i++) {
        if (strcmp(shells[i].name, argv[0]) != 0) continue;
        shells[i].print();
        return 0;
    }
    return cli_misuse(command, "there are completions of bash, zsh and fish, not of \"%s\"",
                      cli_show(argv[0]).text);
}

const struct cli_command cli_completions = {
    .name = "completions",
    .arguments = "bash|zsh|fish",
    .summary = "prints a shell's completions of these commands",
    .details = "They are installed with the program. Without that, the line\n"
               "source <(fumarole completions bash)\n"
               "in ~/.bashrc has bash complete commands, options and their values. fish reads "
               "~/.config/fish/completions/fumarole.fish, and zsh a file _fumarole in a folder of "
               "$fpath.\n",
    .options = options,
    .run = run,
};
