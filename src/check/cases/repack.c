// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "3 by 5 to 5 by 3",
     .in = {{.shape = FUM_DIMS(3, 5)}},
     .attrs = {{"rank", 2}, {"d0", 5}, {"d1", 3}}},
    {.name = "to a vector",
     .in = {{.shape = FUM_DIMS(2, 3, 7)}},
     .attrs = {{"rank", 1}, {"d0", 42}}},
    {.name = "from a vector",
     .in = {{.shape = FUM_DIMS(130)}},
     .attrs = {{"rank", 3}, {"d0", 2}, {"d1", 65}, {"d2", 1}}},
    {.name = "heads of 5 apart",
     .in = {{.shape = FUM_DIMS(2, 7, 15)}},
     .attrs = {{"rank", 4}, {"d0", 2}, {"d1", 7}, {"d2", 3}, {"d3", 5}}},
    {.name = "nothing moves",
     .in = {{.shape = FUM_DIMS(4, 8)}},
     .attrs = {{"rank", 2}, {"d0", 8}, {"d1", 4}}},
    {.name = "empty",
     .in = {{.shape = FUM_DIMS(0, 8)}},
     .attrs = {{"rank", 2}, {"d0", 4}, {"d1", 0}}},
};

const struct fum_op_cases fum_cases_repack = FUM_CASES(repack, cases);
