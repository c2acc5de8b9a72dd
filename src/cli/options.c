// SPDX-License-Identifier: MIT
#include "options.h"

#include "cli.h"
#include "foreign.h"

#include <fumarole/core.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 40 };

static int min_int(int a, int b) {
    return a < b ? a : b;
}

// Stores the one line that explains a failed parse and returns false.
static bool refuse(struct cli_parse *parse, const char *fmt, ...) FUM_PRINTF(2, 3);
static bool refuse(struct cli_parse *parse, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(parse->message, sizeof parse->message, fmt, args);
    va_end(args);
    return false;
}

// Adds to the list of options without effect.
static void add_note(struct cli_parse *parse, const char *fmt, ...) FUM_PRINTF(2, 3);
static void add_note(struct cli_parse *parse, const char *fmt, ...) {
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t used = strlen(parse->notes);
    snprintf(parse->notes + used, sizeof parse->notes - used, "%s%s", used ? ", " : "", text);
}

static bool parse_real(struct cli_parse *parse, const struct cli_option *option, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return refuse(parse, "--%s needs a number, not \"%s\"", option->name, cli_show(text).text);
    if (option->min < option->max && (value < option->min || value > option->max))
        return refuse(parse, "--%s must be from %g to %g, not %s", option->name, option->min,
                      option->max, cli_show(text).text);
    void *field = (char *)parse->values + option->offset;
    if (option->kind == CLI_FLOAT)
        *(float *)field = (float)value;
    else
        *(double *)field = value;
    return true;
}

static bool parse_int(struct cli_parse *parse, const struct cli_option *option, const char *text) {
    char *end;
    long long value = strtoll(text, &end, 10); // clamped when too large
    if (end == text || *end)
        return refuse(parse, "--%s needs a whole number, not \"%s\"", option->name,
                      cli_show(text).text);
    if ((double)value < option->min || (double)value > option->max)
        return refuse(parse, "--%s must be from %.0f to %.0f, not %s", option->name, option->min,
                      option->max, cli_show(text).text);
    *(int *)((char *)parse->values + option->offset) = (int)value;
    return true;
}

static bool parse_seed(struct cli_parse *parse, const struct cli_option *option, const char *text) {
    struct cli_seed seed = {.random = text[0] == '-'};
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (!*digits || digits[strspn(digits, "0123456789")])
        return refuse(parse, "--%s needs a whole number, not \"%s\"", option->name,
                      cli_show(text).text);
    errno = 0;
    seed.value = strtoull(digits, NULL, 10);
    if (errno && !seed.random)
        return refuse(parse, "--%s must be at most %llu, not %s", option->name,
                      (unsigned long long)UINT64_MAX, cli_show(text).text);
    *(struct cli_seed *)((char *)parse->values + option->offset) = seed;
    return true;
}

static bool add_value(struct cli_parse *parse, const struct cli_option *option, const char *text) {
    struct cli_list *list = (struct cli_list *)((char *)parse->values + option->offset);
    if (list->count == CLI_LIST_MAX)
        return refuse(parse, "--%s can be given %d times", option->name, CLI_LIST_MAX);
    static int order;
    list->order[list->count] = order++;
    list->at[list->count++] = text;
    return true;
}

static char fold_letter(char c) {
    if (c == ' ') return '_';
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool cli_same_word(const char *a, const char *b) {
    for (; *a && *b; a++, b++)
        if (fold_letter(*a) != fold_letter(*b)) return false;
    return *a == *b;
}

// Returns the first spelling of the option: the one that foreign.c names.
static const char *canonical_name(const struct cli_parse *parse, const struct cli_option *option) {
    const struct cli_option *tables[] = {parse->options, parse->more};
    for (int i = 0; i < 2; i++)
        for (const struct cli_option *o = tables[i]; o && o->name; o++)
            if (o->kind != CLI_HEADING && o->offset == option->offset) return o->name;
    return option->name;
}

static const struct cli_foreign_value *find_foreign_value(const struct cli_parse *parse,
                                                          const struct cli_option *option,
                                                          const char *text) {
    if (!parse->foreign) return NULL;
    const char *name = canonical_name(parse, option);
    for (const struct cli_foreign_value *row = parse->foreign->values; row->option; row++)
        if (strcmp(row->option, name) == 0 && cli_same_word(row->value, text)) return row;
    return NULL;
}

static bool refuse_choice(struct cli_parse *parse, const struct cli_option *option,
                          const char *text) {
    char list[360] = "";
    for (size_t i = 0; option->choice(i); i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, " %s", option->choice(i));
    }
    const char *nearest = fum_text_nearest(text, option->choice);
    if (nearest)
        return refuse(parse, "--%s does not know \"%s\" (did you mean %s?); available:%s",
                      option->name, cli_show(text).text, nearest, list);
    return refuse(parse, "--%s does not know \"%s\"; available:%s", option->name,
                  cli_show(text).text, list);
}

// Returns the index of the choice with that name or, failing that, with that label; -1: none.
static int find_choice(const struct cli_option *option, const char *text) {
    for (size_t i = 0; option->choice(i); i++)
        if (cli_same_word(option->choice(i), text)) return (int)i;
    for (size_t i = 0; option->label && option->label(i); i++)
        if (cli_same_word(option->label(i), text)) return (int)i;
    return -1;
}

// Stores a choice. -1: the default, which is the first of an enum's.
static void store_choice(struct cli_parse *parse, const struct cli_option *option, int index) {
    void *field = (char *)parse->values + option->offset;
    if (option->kind == CLI_ENUM)
        *(int *)field = index < 0 ? 0 : index;
    else
        *(const char **)field = index < 0 ? NULL : option->choice((size_t)index);
}

static bool parse_choice(struct cli_parse *parse, const struct cli_option *option,
                         const char *text) {
    int index = find_choice(option, text);
    if (index < 0) {
        const struct cli_foreign_value *row = find_foreign_value(parse, option, text);
        if (!row) return refuse_choice(parse, option, text);
        if (row->kind == CLI_UNSUPPORTED)
            return refuse(parse, "--%s %s is not supported yet", option->name, row->value);
        if (row->kind == CLI_RENAMED)
            return refuse(parse, "there is no --%s %s; here it is %s", option->name, row->value,
                          row->note);
        if (row->note) add_note(parse, "--%s %s (%s)", option->name, row->value, row->note);
        index = row->ours ? find_choice(option, row->ours) : -1;
    }
    store_choice(parse, option, index);
    return true;
}

static bool parse_value(struct cli_parse *parse, const struct cli_option *option,
                        const char *text) {
    void *field = (char *)parse->values + option->offset;
    switch (option->kind) {
    case CLI_FLAG: *(bool *)field = true; return true;
    case CLI_INT: return parse_int(parse, option, text);
    case CLI_SEED: return parse_seed(parse, option, text);
    case CLI_REAL:
    case CLI_FLOAT: return parse_real(parse, option, text);
    case CLI_CHOICE:
    case CLI_ENUM: return parse_choice(parse, option, text);
    case CLI_LIST: return add_value(parse, option, text);
    case CLI_PATH:
        if (!*text) return refuse(parse, "--%s needs a path, not an empty word", option->name);
        break;
    case CLI_STRING:
    case CLI_HEADING: break;
    }
    *(const char **)field = text;
    return true;
}

bool cli_options_set(struct cli_parse *parse, const struct cli_option *option, const char *text) {
    parse->message[0] = parse->notes[0] = 0;
    return parse_value(parse, option, text);
}

static char dash_for(char c) {
    return c == '_' ? '-' : c;
}

// True if an argument spells the name: "_" stands for "-" too.
static bool same_name(const char *name, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!name[i] || dash_for(text[i]) != dash_for(name[i])) return false;
    return !name[len];
}

static const struct cli_option *find_long(const struct cli_option *options, const char *name,
                                          size_t len) {
    for (; options->name; options++)
        if (options->kind != CLI_HEADING && same_name(options->name, name, len)) return options;
    return NULL;
}

const struct cli_option *cli_options_find(const struct cli_option *options, const char *name) {
    return find_long(options, name, strlen(name));
}

const struct cli_option *cli_options_find_letter(const struct cli_option *options, char letter) {
    for (; options && options->name; options++)
        if (options->letter == letter && letter) return options;
    return NULL;
}

// Finds an option of a parse.
static const struct cli_option *find_name(const struct cli_parse *parse, const char *name,
                                          size_t len) {
    const struct cli_option *option = find_long(parse->options, name, len);
    return option || !parse->more ? option : find_long(parse->more, name, len);
}

static const struct cli_option *find_letter(const struct cli_parse *parse, char letter) {
    const struct cli_option *option = cli_options_find_letter(parse->options, letter);
    return option ? option : cli_options_find_letter(parse->more, letter);
}

static const struct cli_foreign_option *find_foreign(const struct cli_parse *parse,
                                                     const char *name, size_t len, char letter) {
    if (!parse->foreign) return NULL;
    for (const struct cli_foreign_option *row = parse->foreign->options; row->name; row++)
        if (letter ? row->letter == letter : same_name(row->name, name, len)) return row;
    return NULL;
}

// Refuses an argument that is in no table, naming the option that it misspells.
static bool refuse_unknown(struct cli_parse *parse, const char *argument, size_t len) {
    char word[MAX_NAME + 2];
    const struct cli_option *tables[] = {parse->options, parse->more};
    const char *best = NULL;
    int best_distance = INT_MAX;
    size_t dashes = strspn(argument, "-");
    snprintf(word, sizeof word, "%.*s", (int)(len - dashes), argument + dashes);
    for (char *p = word; *p; p++) *p = dash_for(*p);
    for (int i = 0; i < 2; i++)
        for (const struct cli_option *o = tables[i]; o && o->name; o++) {
            int distance = o->kind == CLI_HEADING ? INT_MAX : fum_text_misspelling(word, o->name);
            if (distance >= best_distance) continue;
            best_distance = distance;
            best = o->name;
        }
    if (best)
        return refuse(parse, "unknown option \"%.*s\"; did you mean --%s?", min_int((int)len, 60),
                      argument, best);
    return refuse(parse, "unknown option \"%.*s\"", min_int((int)len, 60), argument);
}

// Accepts or refuses another tool's option. `value` may be NULL: it takes none.
static bool apply_foreign(struct cli_parse *parse, const struct cli_foreign_option *row,
                          const char *value) {
    switch (row->kind) {
    case CLI_NO_EFFECT: add_note(parse, "--%s (%s)", row->name, row->note); return true;
    case CLI_RENAMED:
        return refuse(parse, "unknown option \"--%s\"; here it is %s", row->name, row->note);
    case CLI_UNSUPPORTED:
    case CLI_MAPPED: break;
    }
    if (row->off && value && strcmp(row->off, value) == 0) return true;
    if (row->note) return refuse(parse, "--%s is not supported: %s", row->name, row->note);
    return refuse(parse, "--%s is not supported yet", row->name);
}

// Where the parser stands in the argument list.
struct cursor {
    int argc, at;
    char **argv;
};

// Returns the value of an option: what follows "=" or the letter, else the next argument; NULL at
// the end.
static const char *take_value(struct cursor *cursor, const char *attached) {
    if (attached) return attached;
    return cursor->at + 1 < cursor->argc ? cursor->argv[++cursor->at] : NULL;
}

static bool parse_foreign(struct cli_parse *parse, const struct cli_foreign_option *row,
                          struct cursor *cursor, const char *attached) {
    const char *value = NULL;
    if (row->kind == CLI_NO_EFFECT && !row->takes_value && attached)
        return refuse(parse, "--%s takes no value", row->name);
    bool needs_value = row->takes_value && (row->kind == CLI_NO_EFFECT || row->off);
    if (needs_value && !(value = take_value(cursor, attached)))
        return refuse(parse, "--%s needs a value", row->name);
    return apply_foreign(parse, row, value);
}

static bool parse_option(struct cli_parse *parse, const struct cli_option *option,
                         struct cursor *cursor, const char *attached) {
    if (option->kind == CLI_FLAG && attached)
        return refuse(parse, "--%s takes no value (in \"%s\")", option->name,
                      cli_show(cursor->argv[cursor->at]).text);
    const char *value = option->kind == CLI_FLAG ? NULL : take_value(cursor, attached);
    if (option->kind != CLI_FLAG && !value)
        return refuse(parse, "--%s needs a value: %s", option->name, option->value);
    return parse_value(parse, option, value);
}

static bool parse_long(struct cli_parse *parse, struct cursor *cursor) {
    const char *argument = cursor->argv[cursor->at], *name = argument + 2;
    size_t len = strcspn(name, "=");
    const char *attached = name[len] ? name + len + 1 : NULL;
    const struct cli_option *option = find_name(parse, name, len);
    if (option) return parse_option(parse, option, cursor, attached);
    const struct cli_foreign_option *row = find_foreign(parse, name, len, 0);
    return row ? parse_foreign(parse, row, cursor, attached)
               : refuse_unknown(parse, argument, len + 2);
}

// Parses "-q", "-qv", "-s7", "-s", "7" and "-qs7".
static bool parse_letters(struct cli_parse *parse, struct cursor *cursor) {
    const char *argument = cursor->argv[cursor->at];
    size_t len = strlen(argument);
    const struct cli_option *spelled = len > 2 ? find_name(parse, argument + 1, len - 1) : NULL;
    if (spelled)
        return refuse(parse, "unknown option \"%s\"; did you mean --%s?", cli_show(argument).text,
                      spelled->name);
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct cli_option *option = find_letter(parse, *letter);
        const char *rest = letter[1] ? letter + 1 : NULL;
        if (!option) {
            const struct cli_foreign_option *row = find_foreign(parse, NULL, 0, *letter);
            if (row) return parse_foreign(parse, row, cursor, rest);
            if (len == 2) return refuse_unknown(parse, argument, len);
            return refuse(parse, "unknown option \"-%c\" in \"%s\"", *letter,
                          cli_show(argument).text);
        }
        if (option->kind != CLI_FLAG) return parse_option(parse, option, cursor, rest);
        parse_value(parse, option, NULL);
    }
    return true;
}

// Parses the option under the cursor, and its value.
static bool parse_argument(struct cli_parse *parse, struct cursor *cursor) {
    if (cursor->argv[cursor->at][1] == '-') return parse_long(parse, cursor);
    return parse_letters(parse, cursor);
}

bool cli_options_parse(struct cli_parse *parse, int *argc, char **argv) {
    struct cursor cursor = {.argc = *argc, .argv = argv};
    int kept = 0;
    parse->message[0] = parse->notes[0] = 0;
    for (; cursor.at < cursor.argc; cursor.at++) {
        char *argument = argv[cursor.at];
        if (strcmp(argument, "--") == 0) {
            while (++cursor.at < cursor.argc) argv[kept++] = argv[cursor.at];
            break;
        }
        bool is_option = argument[0] == '-' && argument[1];
        if (!is_option)
            argv[kept++] = argument;
        else if (!parse_argument(parse, &cursor))
            return false;
    }
    *argc = kept;
    return true;
}

// True if the option takes its value from the next argument.
static bool takes_next(const struct cli_parse *parse, const char *argument) {
    if (argument[1] == '-') {
        size_t len = strlen(argument + 2);
        const struct cli_option *option = find_name(parse, argument + 2, len);
        const struct cli_foreign_option *row =
            option ? NULL : find_foreign(parse, argument + 2, len, 0);
        return option ? option->kind != CLI_FLAG : row && row->takes_value;
    }
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct cli_option *option = find_letter(parse, *letter);
        const struct cli_foreign_option *row =
            option ? NULL : find_foreign(parse, NULL, 0, *letter);
        bool takes_value = option ? option->kind != CLI_FLAG : row && row->takes_value;
        if (takes_value) return !letter[1];
    }
    return false;
}

// True if "-abc" holds the letter as an option of its own, not within a value.
static bool holds_letter(const struct cli_parse *parse, const char *argument, char wanted) {
    for (const char *letter = argument + 1; *letter; letter++) {
        if (*letter == wanted) return true;
        const struct cli_option *option = find_letter(parse, *letter);
        if (!option || option->kind != CLI_FLAG) return false;
    }
    return false;
}

bool cli_options_present(const struct cli_parse *parse, int argc, char **argv,
                         const struct cli_option *option) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *argument = argv[i];
        if (argument[0] != '-' || !argument[1]) continue;
        bool is_long = argument[1] == '-';
        if (is_long ? same_name(option->name, argument + 2, strlen(argument + 2))
                    : holds_letter(parse, argument, option->letter))
            return true;
        i += takes_next(parse, argument);
    }
    return false;
}
