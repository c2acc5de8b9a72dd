// SPDX-License-Identifier: MIT
// Names of samplers and schedules as A1111's clients spell them.
#ifndef FUM_CLI_SERVE_API_NAMES_H
#define FUM_CLI_SERVE_API_NAMES_H

#include <stdbool.h>
#include <stddef.h>

// Finds a schedule by A1111's name or label, or by the flag's value. "Automatic", the model's own,
// is NULL. Returns false for others.
bool api_find_schedule(const char *name, const char **schedule);

// Returns A1111's name of the index-th schedule ("align_your_steps"); NULL past the last.
const char *api_schedule_name(size_t index);

// Returns A1111's label of a sampler or a schedule, or the name itself if it has none.
const char *api_sampler_label(const char *name);

#endif
