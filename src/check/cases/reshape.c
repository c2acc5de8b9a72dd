// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "tokens to image",
     .in = {{.shape = FUM_DIMS(2, 12, 65)}},
     .attrs = {{"rank", 4}, {"d0", 2}, {"d1", 3}, {"d2", 4}, {"d3", 65}}},
    {.name = "heads",
     .in = {{.shape = FUM_DIMS(2, 5, 64)}},
     .attrs = {{"rank", 4}, {"d0", 2}, {"d1", 5}, {"d2", 8}, {"d3", 8}}},
    {.name = "to a vector", .in = {{.shape = FUM_DIMS(3, 8)}}, .attrs = {{"rank", 1}, {"d0", 24}}},
    {.name = "empty",
     .in = {{.shape = FUM_DIMS(0, 8)}},
     .attrs = {{"rank", 2}, {"d0", 4}, {"d1", 0}}},
};

const struct fum_op_cases fum_cases_reshape = FUM_CASES(reshape, cases);
