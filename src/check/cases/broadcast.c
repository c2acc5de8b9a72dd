// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}}, .attrs = {{"rank", 1}, {"d0", 1}}},
    {.name = "the same shape",
     .in = {{.shape = FUM_DIMS(3, 5)}},
     .attrs = {{"rank", 2}, {"d0", 3}, {"d1", 5}}},
    {.name = "bias",
     .in = {{.shape = FUM_DIMS(65)}},
     .attrs = {{"rank", 3}, {"d0", 2}, {"d1", 7}, {"d2", 65}}},
    {.name = "a number",
     .in = {{.shape = FUM_DIMS(1)}},
     .attrs = {{"rank", 4}, {"d0", 2}, {"d1", 9}, {"d2", 7}, {"d3", 31}}},
    {.name = "column",
     .in = {{.shape = FUM_DIMS(5, 1)}},
     .attrs = {{"rank", 2}, {"d0", 5}, {"d1", 66}}},
    {.name = "per image",
     .in = {{.shape = FUM_DIMS(2, 1, 1, 32)}},
     .attrs = {{"rank", 4}, {"d0", 2}, {"d1", 6}, {"d2", 4}, {"d3", 32}}},
    {.name = "width and channels",
     .in = {{.shape = FUM_DIMS(2, 6, 1, 1)}},
     .attrs = {{"rank", 4}, {"d0", 2}, {"d1", 6}, {"d2", 4}, {"d3", 7}}},
    {.name = "images and width",
     .in = {{.shape = FUM_DIMS(1, 6, 1, 8)}},
     .attrs = {{"rank", 4}, {"d0", 3}, {"d1", 6}, {"d2", 4}, {"d3", 8}}},
    {.name = "nothing",
     .in = {{.shape = FUM_DIMS(0, 1)}},
     .attrs = {{"rank", 2}, {"d0", 0}, {"d1", 8}}},
};

const struct fum_op_cases fum_cases_broadcast = FUM_CASES(broadcast, cases);
