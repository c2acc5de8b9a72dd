// SPDX-License-Identifier: MIT
// Names of samplers and schedules as A1111's clients spell them.
#ifndef FUM_CLI_SERVE_API_NAMES_H
#define FUM_CLI_SERVE_API_NAMES_H

#include <stdbool.h>
#include <stddef.h>

// Compares two names. Capital letters of ASCII equal small ones.
bool api_same_name(const char *a, const char *b);

// Finds the sampler of a name in the flag's spelling or A1111's. *schedule is NULL, unless the name
// is one of the old form with a schedule behind it, "DPM++ 2M Karras". Returns false for others.
bool api_find_sampler(const char *name, const char **sampler, const char **schedule);

// Finds a schedule in the same way. "Automatic", the model's own, is NULL.
bool api_find_schedule(const char *name, const char **schedule);

// Returns A1111's name of the index-th schedule ("align_your_steps"); NULL past the last.
const char *api_schedule_name(size_t index);

// Returns A1111's label of a sampler or a schedule, or the name itself if it has none.
const char *api_sampler_label(const char *name);

#endif
