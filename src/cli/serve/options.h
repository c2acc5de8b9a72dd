// SPDX-License-Identifier: MIT
// The options of A1111's API: what they are and what they do. Any thread.
#ifndef FUM_CLI_SERVE_OPTIONS_H
#define FUM_CLI_SERVE_OPTIONS_H

#include "api.h"
#include "options_store.h"

// Checks changes: names, types, and values that have no effect here. Returns false with *error
// filled in.
bool options_check(struct server *server, const cJSON *changes, struct job_error *error);
// Keeps changes that were checked. Errors: FUM_ERR_IO, FUM_ERR_NO_SPACE, FUM_ERR_NOMEM. Nothing is
// changed then.
enum fum_result options_change(struct server *server, const cJSON *changes, struct fum_error *err);
// Returns every option with its value, or that of `changes` (may be NULL). NULL: memory is out.
cJSON *options_list(struct server *server, const cJSON *changes);

// Sets the fields of a job that the options decide. Returns false with the call's error filled in.
bool options_set_fields(struct api_call *call, const cJSON *options);

#endif
