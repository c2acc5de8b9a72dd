// SPDX-License-Identifier: MIT
// Declares what the completions of all shells share. They are made from the option tables.
#ifndef FUM_CLI_COMPLETE_H
#define FUM_CLI_COMPLETE_H

#include "../cli.h"

// Returns the index-th command, or NULL past the last.
const struct cli_command *complete_command(size_t index);

// Returns the option after `option` that a completion lists: those with a help, then --help and
// --version. `option` is NULL at first. Returns NULL past the last.
const struct cli_option *complete_next(const struct cli_command *command,
                                       const struct cli_option *option);

enum complete_value { COMPLETE_NONE, COMPLETE_TEXT, COMPLETE_WORDS, COMPLETE_FILES, COMPLETE_DIRS };
// Returns what the option's value is completed to; COMPLETE_NONE: it takes none.
enum complete_value complete_value(const struct cli_option *option);

// How a shell spells text between single quotes.
struct complete_quoting {
    const char *quote;   // stands for a single quote within the text
    const char *escaped; // characters with a backslash before them
};
// Prints a text without the quotes around it, and without a colon at its end.
void complete_put_text(const struct complete_quoting *quoting, const char *text);

// Prints the names of an option's choices, separated by spaces.
void complete_put_choices(const struct cli_option *option);

// Prints the completion of a shell on standard output, likewise the two below.
void complete_print_bash(void);
void complete_print_zsh(void);
void complete_print_fish(void);

#endif
