// SPDX-License-Identifier: MIT
// Prints --help: text and tables wrapped to the terminal, with no word broken.
#ifndef FUM_CLI_HELP_H
#define FUM_CLI_HELP_H

#include "options.h"

// Returns the columns to print in: $COLUMNS, else the terminal's width, else 80.
int cli_terminal_width(void);

// Prints lines of text; each line of `text` is wrapped by itself, continuation lines are indented
// by `indent`.
void cli_help_text(const char *text, int indent);

// Prints "  left   right" with the right part wrapped in its own column, which begins at `column`.
// A left part that reaches into it gets a line of its own.
void cli_help_row(const char *left, const char *right, int column);

// Prints the options of a table under their headings, then --help and --version.
void cli_help_options(const struct cli_option *options);

#endif
