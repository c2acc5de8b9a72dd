// SPDX-License-Identifier: MIT
// Lists the cases of ops that draw random numbers.
#ifndef FUM_CHECK_RANDOM_CASES_H
#define FUM_CHECK_RANDOM_CASES_H

#include "check/case.h"

static const struct fum_op_case fum_random_cases[] = {
    {.name = "latents",
     .in = {{.shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24}},
     .attrs = {{"rank", 4}, {"d0", 2}, {"d1", 16}, {"d2", 16}, {"d3", 4}}},
    {.name = "65 channels",
     .in = {{.shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24}},
     .attrs = {{"rank", 2}, {"d0", 31}, {"d1", 65}}},
    {.name = "third draw of a key",
     .in = {{.shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24}},
     .attrs = {{"d0", 77}, {"offset", 2}}},
    {.name = "one element",
     .in = {{.shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24}},
     .attrs = {{"d0", 1}}},
    {.name = "always f32",
     .in = {{.shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24}},
     .attrs = {{"d0", 1000}, {"dtype", FUM_F32}}},
    {.name = "empty",
     .in = {{.shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24}},
     .attrs = {{"d0", 0}}},
    {.name = "split into windows",
     .in = {{.shape = FUM_DIMS(4), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1 << 24}},
     .attrs = {{"rank", 2}, {"d0", 31}, {"d1", 65}},
     .max_binding = 1024},
};

#endif
