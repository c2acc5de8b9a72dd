// SPDX-License-Identifier: MIT
// Keeps the values of A1111's options in a file of the state folder. Any thread.
#ifndef FUM_CLI_SERVE_OPTIONS_STORE_H
#define FUM_CLI_SERVE_OPTIONS_STORE_H

#include <fumarole/core.h>

#include <cjson/cJSON.h>

struct options;

// Opens the file of a state folder. Returns 0, or prints the error and returns an exit status.
int options_open(struct options **options, const char *state_dir);
void options_close(struct options **options);

// Changes values and writes the file. Errors: FUM_ERR_IO, FUM_ERR_NO_SPACE, FUM_ERR_NOMEM. Nothing
// is changed then.
enum fum_result options_keep(struct options *options, const cJSON *changes, struct fum_error *err);
// Returns the values that were set, to free with cJSON_Delete. NULL: memory is out.
cJSON *options_copy(struct options *options);

#endif
