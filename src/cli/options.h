// Command-line options from a table: long names, one letter, values checked, near misses suggested.
#ifndef FUM_CLI_OPTIONS_H
#define FUM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_option_kind {
    CLI_FLAG,   // bool, no value
    CLI_STRING, // const char *, points into argv
    CLI_PATH,   // as CLI_STRING, but not empty
    CLI_INT,    // int in [min, max]
    CLI_SEED,   // int64_t in [-1, 2^63)
    CLI_REAL,   // double in [min, max]
    CLI_CHOICE, // const char *, one of `choices`
};

// One option; tables end with a NULL name. Rows that share an offset are spellings of the same thing: those with a
// NULL help are not listed.
struct cli_option {
    const char *name; // without its dashes
    char letter;      // 0: none
    enum cli_option_kind kind;
    size_t offset;    // of the field in the caller's struct
    const char *value; // how --help calls the value
    const char *help;
    double min, max;
    const char *const *choices; // ends with NULL
};

// Fills the fields of `values` for the options in argv[0..*argc) and moves the other arguments to the front, storing
// their count. "--" ends the options; "-" is an argument. Returns false with a line in `message`, without a prefix.
bool cli_options_parse(const struct cli_option *options, int *argc, char **argv, void *values, char *message,
                       size_t message_size);

// Prints the table, one option a line.
void cli_options_print(const struct cli_option *options);

// The word of `words` (ends with NULL) nearest to `word`, or NULL when none is near.
const char *cli_nearest(const char *word, const char *const *words);

// Edits (insert, delete, replace, swap neighbours) from a to b; a large number for long words.
int cli_edit_distance(const char *a, const char *b);

#endif
