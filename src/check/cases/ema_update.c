// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }

static const struct fum_op_case cases[] = {
    {.name = "bias", .in = {X(65), X(65)}, .types = 1 << FUM_F32},
    {.name = "weight",
     .in = {X(3, 3, 8, 7), X(3, 3, 8, 7)},
     .attrs = {{"decay", 0.9}},
     .types = 1 << FUM_F32},
    {.name = "after an update",
     .in = {X(9, 12), X(9, 12), {.shape = FUM_DIMS(1), .fill = FUM_FILL_UNIT}},
     .attrs = {{"decay", 0.5}},
     .types = 1 << FUM_F32},
    {.name = "after a skipped update",
     .in = {X(9, 12),
            {.shape = FUM_DIMS(9, 12), .fill = FUM_FILL_NAN},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_ZERO}},
     .attrs = {{"decay", 0.5}},
     .types = 1 << FUM_F32},
    {.name = "empty", .in = {X(0, 8), X(0, 8)}, .types = 1 << FUM_F32},
    {.name = "windows", .in = {X(9, 65), X(9, 65)}, .types = 1 << FUM_F32, .max_binding = 1024},
};

const struct fum_op_cases fum_cases_ema_update = FUM_CASES(ema_update, cases);
