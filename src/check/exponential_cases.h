// SPDX-License-Identifier: MIT
// Lists the cases of exponentials.
#ifndef FUM_CHECK_EXPONENTIAL_CASES_H
#define FUM_CHECK_EXPONENTIAL_CASES_H

#include "check/case.h"

static const struct fum_op_case fum_exponential_cases[] = {
    {.name = "one element", .in = {{.shape = FUM_DIMS(1)}}},
    {.name = "63 channels", .in = {{.shape = FUM_DIMS(3, 63)}}},
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(2, 3, 65)}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}}},
    // Not f16: there these are a handful of subnormals.
    {.name = "tiny values",
     .in = {{.shape = FUM_DIMS(2, 5, 64), .fill = FUM_FILL_TINY}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    // Not f16: its largest number is e^11.
    {.name = "huge values",
     .in = {{.shape = FUM_DIMS(7, 63), .fill = FUM_FILL_HUGE}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "split into windows", .in = {{.shape = FUM_DIMS(5, 7, 65)}}, .max_binding = 1024},
};

#endif
