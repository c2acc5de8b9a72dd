// SPDX-License-Identifier: MIT
#include "check/case.h"

#define EXACT 1e-9, 1e-9, 1e-9
#define KEY                                                                                      \
    {                                                                                            \
        { .shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24 } \
    }

static const struct fum_op_case cases[] = {
    {.name = "timesteps",
     .bound = {EXACT},
     .in = KEY,
     .attrs = {{"d0", 1000}, {"limit", 1000}},
     .types = 1 << FUM_F32},
    {.name = "65 channels, second draw of a key",
     .bound = {EXACT},
     .in = KEY,
     .attrs = {{"rank", 2}, {"d0", 31}, {"d1", 65}, {"limit", 7}, {"offset", 1}},
     .types = 1 << FUM_F32},
    {.name = "always 0",
     .bound = {EXACT},
     .in = KEY,
     .attrs = {{"d0", 5}, {"limit", 1}},
     .types = 1 << FUM_F32},
    {.name = "large limit", // below 2^24: cases are compared in f32
     .bound = {EXACT},
     .in = KEY,
     .attrs = {{"d0", 99}, {"limit", 16777215}},
     .types = 1 << FUM_F32},
    {.name = "empty", .bound = {EXACT}, .in = KEY, .attrs = {{"d0", 0}}, .types = 1 << FUM_F32},
    {.name = "split into windows",
     .bound = {EXACT},
     .in = KEY,
     .attrs = {{"rank", 2}, {"d0", 31}, {"d1", 65}, {"limit", 50}},
     .types = 1 << FUM_F32,
     .max_binding = 1024},
};

const struct fum_op_cases fum_cases_random_integer = FUM_CASES(random_integer, cases);
