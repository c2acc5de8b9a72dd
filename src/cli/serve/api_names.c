// SPDX-License-Identifier: MIT
#include "api_names.h"

#include "../options.h"

#include <fumarole/sampler.h>

#include <string.h>

// Schedules that A1111 calls otherwise.
static const struct {
    const char *ours, *theirs;
} renamed[] = {{"discrete", "uniform"}, {"ays", "align_your_steps"}, {"ddim_uniform", "ddim"}};

const char *api_schedule_name(size_t index) {
    const char *name = fum_schedule_name(index);
    for (size_t i = 0; name && i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i].ours, name) == 0) return renamed[i].theirs;
    return name;
}

// True if a name is one of those of the index-th schedule.
static bool is_schedule(const char *name, size_t index) {
    return cli_same_word(name, fum_schedule_name(index)) ||
           cli_same_word(name, fum_schedule_label(index)) ||
           cli_same_word(name, api_schedule_name(index));
}

bool api_find_schedule(const char *name, const char **schedule) {
    *schedule = NULL;
    if (cli_same_word(name, "automatic")) return true;
    for (size_t i = 0; fum_schedule_name(i); i++) {
        if (!is_schedule(name, i)) continue;
        *schedule = fum_schedule_name(i);
        return true;
    }
    return false;
}

const char *api_sampler_label(const char *name) {
    for (size_t i = 0; fum_sampler_name(i); i++)
        if (strcmp(fum_sampler_name(i), name) == 0) return fum_sampler_label(i);
    return name;
}
