// SPDX-License-Identifier: MIT
#include "help.h"

#include <stdio.h>
#include <string.h>

enum { MARGIN = 2, OPTION_COLUMN = 32, NARROW = 60, NARROW_COLUMN = 8, MAX_TEXT = 1024 };

// Counts code points: continuation bytes of UTF-8 take no column.
static int count_columns(const char *text, size_t bytes) {
    int columns = 0;
    for (size_t i = 0; i < bytes; i++) columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

// Prints one line of text from column `at` on, wrapped at `width`. Further lines begin at `indent`.
static void print_wrapped(const char *text, int at, int indent, int width) {
    bool first = true;
    while (*text) {
        size_t bytes = strcspn(text, " ");
        int columns = count_columns(text, bytes);
        if (!first && at + 1 + columns > width) {
            printf("\n%*s", indent, "");
            at = indent;
            first = true;
        }
        at += columns + (first ? 0 : 1);
        printf("%s%.*s", first ? "" : " ", (int)bytes, text);
        first = false;
        text += bytes;
        text += strspn(text, " ");
    }
    putchar('\n');
}

void cli_help_text(const char *text, int indent) {
    int width = cli_terminal_width();
    while (*text) {
        char line[MAX_TEXT];
        size_t bytes = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)bytes, text);
        print_wrapped(line, 0, indent, width);
        text += bytes;
        text += *text == '\n';
    }
}

void cli_help_row(const char *left, const char *right, int column) {
    int width = cli_terminal_width(), used = MARGIN + count_columns(left, strlen(left));
    if (width < NARROW) column = NARROW_COLUMN;
    printf("%*s%s", MARGIN, "", left);
    if (used + 1 > column)
        printf("\n%*s", column, "");
    else
        printf("%*s", column - used, "");
    print_wrapped(right, column, column, width);
}

static void print_option(const struct cli_option *option) {
    char left[80], right[MAX_TEXT], letter[8] = "    ";
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    snprintf(right, sizeof right, "%s", option->help);
    for (size_t i = 0; option->choice && option->choice(i); i++) {
        size_t used = strlen(right);
        snprintf(right + used, sizeof right - used, " %s", option->choice(i));
    }
    cli_help_row(left, right, OPTION_COLUMN);
}

void cli_help_options(const struct cli_option *options) {
    bool grouped = options->name && options->kind == CLI_HEADING;
    for (const struct cli_option *option = options; option->name; option++) {
        if (option->kind == CLI_HEADING)
            printf("%s%s:\n", option == options ? "" : "\n", option->name);
        else if (option->help)
            print_option(option);
    }
    if (grouped) printf("\nHelp:\n");
    cli_help_row("-h, --help", "this text", OPTION_COLUMN);
    cli_help_row("-V, --version", "the version of the program", OPTION_COLUMN);
}
