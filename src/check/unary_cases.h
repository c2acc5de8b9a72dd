// SPDX-License-Identifier: MIT
// Lists the cases of activations that are computed element by element.
#ifndef FUM_CHECK_UNARY_CASES_H
#define FUM_CHECK_UNARY_CASES_H

#include "check/case.h"

static const struct fum_op_case fum_unary_cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}}},
    {.name = "63 channels", .in = {{.shape = FUM_DIMS(3, 63)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(2, 3, 65)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}}},
    {.name = "huge values", .in = {{.shape = FUM_DIMS(7, 63), .fill = FUM_FILL_HUGE}}},
    {.name = "offset", .in = {{.shape = FUM_DIMS(7, 64), .fill = FUM_FILL_OFFSET}}},
    {.name = "split into windows", .in = {{.shape = FUM_DIMS(5, 7, 65)}}, .max_binding = 1024},
};

#endif
