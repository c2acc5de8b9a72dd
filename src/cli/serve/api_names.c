// SPDX-License-Identifier: MIT
#include "api_names.h"

#include <fumarole/sampler.h>

#include <string.h>

enum { MAX_NAME = 64 };

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

bool api_same_name(const char *a, const char *b) {
    while (*a && lower(*a) == lower(*b)) a++, b++;
    return !*a && !*b;
}

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
    return api_same_name(name, fum_schedule_name(index)) ||
           api_same_name(name, fum_schedule_label(index)) ||
           api_same_name(name, api_schedule_name(index));
}

bool api_find_schedule(const char *name, const char **schedule) {
    *schedule = NULL;
    if (api_same_name(name, "automatic")) return true;
    for (size_t i = 0; fum_schedule_name(i); i++) {
        if (!is_schedule(name, i)) continue;
        *schedule = fum_schedule_name(i);
        return true;
    }
    return false;
}

static const char *find_plain(const char *name) {
    for (size_t i = 0; fum_sampler_name(i); i++)
        if (api_same_name(name, fum_sampler_name(i)) || api_same_name(name, fum_sampler_label(i)))
            return fum_sampler_name(i);
    return NULL;
}

bool api_find_sampler(const char *name, const char **sampler, const char **schedule) {
    char text[MAX_NAME];
    size_t length = strlen(name);
    *schedule = NULL;
    *sampler = find_plain(name);
    if (*sampler || length >= sizeof text) return *sampler != NULL;
    memcpy(text, name, length + 1);
    for (size_t i = length; i-- > 1 && !*sampler;) { // every space may be before the schedule
        if (text[i] != ' ') continue;
        text[i] = 0;
        if (api_find_schedule(name + i + 1, schedule)) *sampler = find_plain(text);
        text[i] = ' ';
    }
    return *sampler != NULL;
}

const char *api_sampler_label(const char *name) {
    for (size_t i = 0; fum_sampler_name(i); i++)
        if (strcmp(fum_sampler_name(i), name) == 0) return fum_sampler_label(i);
    return name;
}
