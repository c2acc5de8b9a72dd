// SPDX-License-Identifier: MIT
// Options and values of sd-cli, A1111, diffusers and ComfyUI that fumarole does not have under that
// name.
#ifndef FUM_CLI_FOREIGN_H
#define FUM_CLI_FOREIGN_H

#include <stdbool.h>

enum cli_foreign_kind {
    CLI_NO_EFFECT,   // accepted; the note says why nothing changes
    CLI_UNSUPPORTED, // refused as "not supported", for the reason in the note if there is one
    CLI_RENAMED,     // refused; the note names fumarole's option
    CLI_MAPPED,      // values only: replaced by `ours`
};

struct cli_foreign_option {
    const char *name; // without dashes
    bool takes_value;
    enum cli_foreign_kind kind;
    const char *note; // may be NULL for CLI_UNSUPPORTED: "not supported yet"
    // CLI_UNSUPPORTED: the value that requests nothing and is accepted; NULL: none
    const char *off;
    char letter; // 0: none
};

// A value of a fumarole option as another tool spells it.
struct cli_foreign_value {
    const char *option, *value; // compared without regard to case
    enum cli_foreign_kind kind;
    const char *ours; // CLI_MAPPED: NULL stands for the default
    const char *note; // CLI_MAPPED: reported as a note; may be NULL. CLI_RENAMED: what it is here
};

// Both lists end with a NULL name.
struct cli_foreign {
    const struct cli_foreign_option *options;
    const struct cli_foreign_value *values;
};

// Lists what `fumarole generate` recognises.
extern const struct cli_foreign cli_foreign_generate;

#endif
