// SPDX-License-Identifier: MIT
// Names the outputs of several pictures, checks them before the long work, and writes them so that
// nothing is lost.
#ifndef FUM_CLI_OUTPUT_H
#define FUM_CLI_OUTPUT_H

#include "cli.h"

#include <fumarole/file.h>

// Checks a picture's name, given by --option. It has the ending of a format that is written, or is
// "-", with at most one number in it (%d, %3d, %03d). Prints the error and returns an exit status,
// or returns 0.
int cli_output_check_pattern(const struct cli_command *command, const char *option,
                             const char *pattern);

// Returns the name of picture `index` (from 0), to free with free(): %d becomes `number`, and %% a
// percent sign. Without %d the first picture is `pattern`, and the others get _`number` before the
// suffix; "-" stays as it is. NULL: out of memory.
char *cli_output_name(const char *pattern, int index, int number);

// The files that a run will write. Zero to begin with, but for the first two.
struct cli_outputs {
    const struct cli_command *command;
    bool no_clobber; // files that are there are refused
    struct cli_output {
        char *path;
        struct fum_file_identity identity;
        const char *replaced; // see cli_outputs_add_replaced; NULL: written once
    } * list;
    size_t count, capacity;
};
// Adds a file (NULL: nothing), which must not be a folder. Returns 0, or prints the error and
// returns an exit status.
int cli_outputs_add(struct cli_outputs *outputs, const char *path);
// Adds a file that later ones with the same `by`, an option's name, replace: these may be one file.
int cli_outputs_add_replaced(struct cli_outputs *outputs, const char *path, const char *by);
// Checks that all can be written, and that no two are one file; frees the list. `status` is that of
// the last cli_outputs_add: other than 0 it is returned. Leaves nothing behind and touches no file
// that is there.
int cli_outputs_check(struct cli_outputs *outputs, int status);

// Returns the stream for reports on what was done: standard output, unless one of the outputs is
// it.
FILE *cli_report_stream(void);

// Something that can be written to a path; see fum_file_save.
struct cli_result {
    enum fum_result (*save)(const void *what, const char *path, struct fum_error *err);
    const void *what;
};
// Writes a result. One that cannot be written there is kept under another name, in this folder or
// that of temporary files, and the error names it. Returns 0 or an exit status.
int cli_output_save(const char *path, const struct cli_result *result);
// Writes a text in the same way.
int cli_output_save_text(const char *path, const char *text);

#endif
