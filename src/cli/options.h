// SPDX-License-Identifier: MIT
// Parses command-line options by a table: long names, letters, checked values, and suggestions for
// misspellings.
#ifndef FUM_CLI_OPTIONS_H
#define FUM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_option_kind {
    CLI_FLAG,    // bool, no value
    CLI_STRING,  // const char *, points into argv
    CLI_PATH,    // as CLI_STRING, but not empty
    CLI_INT,     // int in [min, max]
    CLI_SEED,    // struct cli_seed
    CLI_REAL,    // double in [min, max]
    CLI_FLOAT,   // float in [min, max]
    CLI_CHOICE,  // const char *, one of the names of `choice` in any case
    CLI_ENUM,    // an enum or int: the index of that name
    CLI_LIST,    // struct cli_list: every value that is given, in order
    CLI_HEADING, // no option: `name` is a heading for --help
};

struct cli_seed {
    uint64_t value;
    bool random; // any negative number was given; `value` means nothing
};

enum { CLI_LIST_MAX = 128 };
struct cli_list {
    const char *at[CLI_LIST_MAX]; // in argv
    int order[CLI_LIST_MAX];      // of the values of all lists: grows with each
    size_t count;
};

// One option; tables end with a NULL name. Rows that share an offset are spellings of the same
// thing: those with a NULL help are not listed.
struct cli_option {
    const char *name; // without its dashes; "_" in an argument matches "-"
    char letter;      // 0: none
    enum cli_option_kind kind;
    size_t offset;     // of the field in the caller's struct
    const char *value; // name of the value in --help
    const char *help;
    double min, max;
    const char *(*choice)(size_t index); // returns the index-th name; NULL past the last
    // Returns another tool's name of the index-th choice, which is understood too; may be NULL.
    const char *(*label)(size_t index);
};

// The row of a heading.
#define CLI_HEADING_ROW(text) \
    { .name = text, .kind = CLI_HEADING }

// The rows that commands on a device share. `at`: the offset of the field.
#define CLI_DEVICE_ROW(at)                                                    \
    {                                                                         \
        .name = "device", .kind = CLI_STRING, .offset = at, .value = "WHICH", \
        .help = "number, uuid or part of a name, see fumarole devices"        \
    }
#define CLI_VARIANT_ROW(at)                                                   \
    {                                                                         \
        .name = "variant", .kind = CLI_STRING, .offset = at, .value = "NAME", \
        .help = "force a variant of the kernels, see fumarole devices"        \
    }
#define CLI_OP_ROW(at)                                                   \
    {                                                                    \
        .name = "op", .kind = CLI_STRING, .offset = at, .value = "NAME", \
        .help = "only this operation"                                    \
    }

// Defines a static function for `choice` from its names.
#define CLI_NAMES(function, ...)                                             \
    static const char *function(size_t index) {                              \
        static const char *const names[] = {__VA_ARGS__};                    \
        return index < sizeof names / sizeof names[0] ? names[index] : NULL; \
    }

struct cli_foreign;

// One parse of a command line.
struct cli_parse {
    const struct cli_option *options;
    const struct cli_option *more;     // of fields of the same struct; may be NULL
    const struct cli_foreign *foreign; // other tools' options (foreign.h); may be NULL
    void *values;                      // the caller's struct
    char message[500];                 // after a failure: one line without a prefix
    char notes[1000]; // options that had no effect and why, separated by commas; "" if none
};

// Fills the fields of `values` for the options in argv[0..*argc) and moves the other arguments to
// the front, storing their count. "--" ends the options; "-" is an argument. Letters may be grouped
// ("-qv", "-qs7"). Returns false with `message` set on wrong usage.
bool cli_options_parse(struct cli_parse *parse, int *argc, char **argv);

// Compares names of choices: ASCII letters in any case, and "_" for a space.
bool cli_same_word(const char *a, const char *b);
// Sets one option from the text of its value. Returns as cli_options_parse does.
bool cli_options_set(struct cli_parse *parse, const struct cli_option *option, const char *text);

// Returns the option with that long name, in which "_" matches "-"; NULL: there is none.
const struct cli_option *cli_options_find(const struct cli_option *options, const char *name);
// Returns the option with that letter; NULL: there is none.
const struct cli_option *cli_options_find_letter(const struct cli_option *options, char letter);

// True if the option is present before any "--", as an option and not as the value of one.
bool cli_options_present(const struct cli_parse *parse, int argc, char **argv,
                         const struct cli_option *option);

#endif
