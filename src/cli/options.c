#include "options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 40 };

static int min_int(int a, int b) {
    return a < b ? a : b;
}

// The optimal string alignment distance, row by row.
int cli_edit_distance(const char *a, const char *b) {
    int rows[3][LONGEST_WORD + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > LONGEST_WORD || b_len > LONGEST_WORD)
        return INT_MAX;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        int *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int cost = a[i - 1] != b[j - 1];
            row[j] = min_int(min_int(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_int(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

// How far a near miss may be: a third of the word, and a word that begins alike counts as near.
static int nearness(const char *word, const char *other) {
    size_t len = strlen(word);
    if (len >= 3 && strncmp(word, other, len) == 0)
        return 1;
    int distance = cli_edit_distance(word, other);
    return distance <= (int)(len + 2) / 3 ? distance : INT_MAX;
}

const char *cli_nearest(const char *word, const char *const *words) {
    const char *best = NULL;
    int best_distance = INT_MAX;
    for (; *words; words++) {
        int distance = nearness(word, *words);
        if (distance < best_distance) {
            best_distance = distance;
            best = *words;
        }
    }
    return best;
}

static bool parse_real(const struct cli_option *option, const char *text, void *field, char *message, size_t size) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value)) {
        snprintf(message, size, "--%s wants a number, not \"%.60s\"", option->name, text);
        return false;
    }
    if (option->min < option->max && (value < option->min || value > option->max)) {
        snprintf(message, size, "--%s must be from %g to %g, not %.60s", option->name, option->min, option->max, text);
        return false;
    }
    *(double *)field = value;
    return true;
}

static bool parse_integer(const struct cli_option *option, const char *text, void *field, char *message,
                          size_t size) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno) {
        snprintf(message, size, "--%s wants a whole number, not \"%.60s\"", option->name, text);
        return false;
    }
    if (option->kind == CLI_SEED) {
        if (value < -1) {
            snprintf(message, size, "--%s must be 0 or more, or -1 for a random one, not %.60s", option->name, text);
            return false;
        }
        *(int64_t *)field = value;
        return true;
    }
    if ((double)value < option->min || (double)value > option->max) {
        snprintf(message, size, "--%s must be from %.0f to %.0f, not %.60s", option->name, option->min, option->max,
                 text);
        return false;
    }
    *(int *)field = (int)value;
    return true;
}

static bool parse_choice(const struct cli_option *option, const char *text, void *field, char *message, size_t size) {
    for (const char *const *choice = option->choices; *choice; choice++) {
        if (strcmp(*choice, text) == 0) {
            *(const char **)field = *choice;
            return true;
        }
    }
    int used = snprintf(message, size, "--%s knows no \"%.60s\"; it takes", option->name, text);
    for (const char *const *choice = option->choices; *choice && used > 0 && (size_t)used < size; choice++)
        used += snprintf(message + used, size - (size_t)used, " %s", *choice);
    return false;
}

static bool parse_value(const struct cli_option *option, const char *text, void *values, char *message, size_t size) {
    void *field = (char *)values + option->offset;
    switch (option->kind) {
    case CLI_FLAG: *(bool *)field = true; return true;
    case CLI_INT:
    case CLI_SEED: return parse_integer(option, text, field, message, size);
    case CLI_REAL: return parse_real(option, text, field, message, size);
    case CLI_CHOICE: return parse_choice(option, text, field, message, size);
    case CLI_PATH:
        if (!*text) {
            snprintf(message, size, "--%s wants a path, not an empty word", option->name);
            return false;
        }
        break;
    case CLI_STRING: break;
    }
    *(const char **)field = text;
    return true;
}

static const struct cli_option *find_long(const struct cli_option *options, const char *name, size_t len) {
    for (; options->name; options++)
        if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
            return options;
    return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *options, char letter) {
    for (; options->name; options++)
        if (options->letter == letter)
            return options;
    return NULL;
}

static void say_unknown(const struct cli_option *options, const char *argument, size_t len, char *message,
                        size_t size) {
    const char *best = NULL;
    int best_distance = INT_MAX;
    char word[LONGEST_WORD + 1];
    snprintf(word, sizeof word, "%.*s", (int)min_int((int)len, LONGEST_WORD), argument + strspn(argument, "-"));
    for (; options->name; options++) {
        int distance = nearness(word, options->name);
        if (distance < best_distance) {
            best_distance = distance;
            best = options->name;
        }
    }
    if (best && word[1])
        snprintf(message, size, "unknown option \"%.60s\"; did you mean --%s?", argument, best);
    else
        snprintf(message, size, "unknown option \"%.60s\"", argument);
}

// The option that `argument` names and, in *value, what is written into it ("--a=b", "-ab"), or NULL.
static const struct cli_option *find_option(const struct cli_option *options, const char *argument,
                                            const char **value, char *message, size_t size) {
    const struct cli_option *option;
    *value = NULL;
    if (argument[1] == '-') {
        size_t len = strcspn(argument + 2, "=");
        option = find_long(options, argument + 2, len);
        if (!option)
            say_unknown(options, argument, len, message, size);
        if (argument[2 + len])
            *value = argument + 2 + len + 1;
        return option;
    }
    option = find_letter(options, argument[1]);
    if (!option)
        say_unknown(options, argument, strlen(argument), message, size);
    if (argument[2])
        *value = argument + 2;
    return option;
}

bool cli_options_parse(const struct cli_option *options, int *argc, char **argv, void *values, char *message,
                       size_t message_size) {
    int count = *argc, kept = 0;
    for (int i = 0; i < count; i++) {
        const char *argument = argv[i], *value;
        if (strcmp(argument, "--") == 0) {
            while (++i < count)
                argv[kept++] = argv[i];
            break;
        }
        if (argument[0] != '-' || !argument[1]) {
            argv[kept++] = argv[i];
            continue;
        }
        const struct cli_option *option = find_option(options, argument, &value, message, message_size);
        if (!option)
            return false;
        if (option->kind == CLI_FLAG && value) {
            snprintf(message, message_size, "--%s takes no value (in \"%.60s\")", option->name, argument);
            return false;
        }
        if (option->kind != CLI_FLAG && !value) {
            if (i + 1 >= count) {
                snprintf(message, message_size, "--%s wants a value: %s", option->name, option->value);
                return false;
            }
            value = argv[++i];
        }
        if (!parse_value(option, value, values, message, message_size))
            return false;
    }
    *argc = kept;
    return true;
}

void cli_options_print(const struct cli_option *options) {
    for (; options->name; options++) {
        char left[80], letter[8] = "    ";
        if (!options->help)
            continue;
        if (options->letter)
            snprintf(letter, sizeof letter, "-%c, ", options->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        printf("  %-32s %s\n", left, options->help);
        for (const char *const *choice = options->choices; choice && *choice; choice++)
            printf("%s%s%s", choice == options->choices ? "                                     " : " ", *choice,
                   choice[1] ? "" : "\n");
    }
}
