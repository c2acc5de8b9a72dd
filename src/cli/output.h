// Where pictures go: names for several of them, and whether they can be written, asked before the long work.
#ifndef FUM_CLI_OUTPUT_H
#define FUM_CLI_OUTPUT_H

#include "cli.h"

// Whether `pattern` is usable as a picture's name: ends in .png, at most one number in it (%d, %3d, %03d). Prints the
// error and returns an exit status, or returns 0.
int cli_output_check_pattern(const struct cli_command *command, const char *pattern);

// Returns the name of picture `index` (from 0), to free with free(): %d becomes `number`. Without %d the first picture is
// `pattern`, and the others get _`number` before the suffix. NULL: out of memory.
char *cli_output_name(const char *pattern, int index, int number);

// Whether a file of that name can be made. Leaves nothing behind and touches no file that is there. 0, or the error
// printed and an exit status.
int cli_output_check_writable(const char *path);

#endif
