// SPDX-License-Identifier: MIT
// Lists the cases of functions of positive numbers.
#ifndef FUM_CHECK_POSITIVE_CASES_H
#define FUM_CHECK_POSITIVE_CASES_H

#include "check/case.h"

// clang-format off
#define FUM_POSITIVE_CASES \
    {.name = "one element", .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_POSITIVE}}}, \
    {.name = "63 channels", .in = {{.shape = FUM_DIMS(3, 63), .fill = FUM_FILL_POSITIVE}}}, \
    {.name = "65 channels", .in = {{.shape = FUM_DIMS(2, 3, 65), .fill = FUM_FILL_POSITIVE}}}, \
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}}}, \
    {.name = "about 100", .in = {{.shape = FUM_DIMS(7, 64), .fill = FUM_FILL_OFFSET}}}, \
    {.name = "split into windows", \
     .in = {{.shape = FUM_DIMS(5, 7, 65), .fill = FUM_FILL_POSITIVE}}, \
     .max_binding = 1024}
// clang-format on

#endif
