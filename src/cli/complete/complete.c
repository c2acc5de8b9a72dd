// SPDX-License-Identifier: MIT
#include "complete.h"

#include <string.h>

static const struct cli_command *const commands[] = {
#define CLI_COMMAND(name) &cli_##name,
#include "../commands.def"
#undef CLI_COMMAND
};

const struct cli_command *complete_command(size_t index) {
    return index < sizeof commands / sizeof commands[0] ? commands[index] : NULL;
}

static const struct cli_option common[] = {
    {.name = "help", .letter = 'h', .kind = CLI_FLAG, .help = "the options of the command"},
    {.name = "version", .letter = 'V', .kind = CLI_FLAG, .help = "the version of the program"},
    {0},
};
enum { NUM_COMMON = sizeof common / sizeof common[0] - 1 };

static bool is_common(const struct cli_option *option) {
    return option >= common && option < common + NUM_COMMON;
}

const struct cli_option *complete_next(const struct cli_command *command,
                                       const struct cli_option *option) {
    const struct cli_option *next = option ? option + 1 : command->options;
    while (next->name && !next->help) next++;
    if (next->name) return next;
    return option && is_common(option) ? NULL : common;
}

static bool is_one_of(const char *word, const char *const *words) {
    while (*words && strcmp(word, *words) != 0) words++;
    return *words != NULL;
}

enum complete_value complete_value(const struct cli_option *option) {
    static const char *const folders[] = {"DIR", "FOLDER", NULL};
    static const char *const files[] = {"FILE", "IMAGE", "MODEL", "PATH", "PICTURE", NULL};
    if (option->kind == CLI_FLAG) return COMPLETE_NONE;
    if (option->choice) return COMPLETE_WORDS;
    if (option->value && is_one_of(option->value, folders)) return COMPLETE_DIRS;
    if (option->kind == CLI_PATH || (option->value && is_one_of(option->value, files)))
        return COMPLETE_FILES;
    return COMPLETE_TEXT;
}

void complete_put_text(const struct complete_quoting *quoting, const char *text) {
    for (const char *p = text; *p && !(p[0] == ':' && !p[1]); p++) {
        if (*p == '\'') {
            fputs(quoting->quote, stdout);
            continue;
        }
        if (strchr(quoting->escaped, *p)) putchar('\\');
        putchar(*p);
    }
}

void complete_put_choices(const struct cli_option *option) {
    for (size_t i = 0; option->choice(i); i++) printf("%s%s", i ? " " : "", option->choice(i));
}
