// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "matrix", .in = {{.shape = FUM_DIMS(7, 65)}}, .attrs = {{"p0", 1}, {"p1", 0}}},
    {.name = "rows only", .in = {{.shape = FUM_DIMS(2, 3, 63)}}, .attrs = {{"p0", 1}, {"p1", 0}}},
    {.name = "nchw to nhwc",
     .in = {{.shape = FUM_DIMS(2, 3, 5, 7)}},
     .attrs = {{"p1", 2}, {"p2", 3}, {"p3", 1}}},
    {.name = "nhwc to nchw",
     .in = {{.shape = FUM_DIMS(2, 5, 7, 3)}},
     .attrs = {{"p1", 3}, {"p2", 1}, {"p3", 2}}},
    {.name = "reversed",
     .in = {{.shape = FUM_DIMS(2, 3, 4, 5)}},
     .attrs = {{"p0", 3}, {"p1", 2}, {"p2", 1}, {"p3", 0}}},
    {.name = "one channel", .in = {{.shape = FUM_DIMS(5, 3, 1)}}, .attrs = {{"p0", 2}, {"p2", 0}}},
    {.name = "vector", .in = {{.shape = FUM_DIMS(5)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 5)}}, .attrs = {{"p0", 1}, {"p1", 0}}},
};

const struct fum_op_cases fum_cases_transpose = FUM_CASES(transpose, cases);
