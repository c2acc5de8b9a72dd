// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define FILLED(kind, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = kind }

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = {X(1), FILLED(FUM_FILL_UNIT, 1)}},
    {.name = "65 channels", .in = {X(3, 65), FILLED(FUM_FILL_UNIT, 3, 65)}},
    {.name = "targets outside 0 to 1", .in = {X(2, 3, 63), X(2, 3, 63)}},
    {.name = "large logits", .in = {FILLED(FUM_FILL_OFFSET, 7, 9), FILLED(FUM_FILL_UNIT, 7, 9)}},
    {.name = "huge logits",
     .in = {FILLED(FUM_FILL_HUGE, 7, 9), FILLED(FUM_FILL_UNIT, 7, 9)},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "logits near 0", .in = {FILLED(FUM_FILL_TINY, 7, 9), FILLED(FUM_FILL_UNIT, 7, 9)}},
    {.name = "one target for all channels", .in = {X(4, 5, 6), FILLED(FUM_FILL_UNIT, 4, 5, 1)}},
    {.name = "one logit", .in = {X(1), FILLED(FUM_FILL_UNIT, 5, 6)}},
    {.name = "empty", .in = {X(0, 64), X(64)}},
    {.name = "windows", .in = {X(9, 65), FILLED(FUM_FILL_UNIT, 9, 65)}, .max_binding = 1024},
};

const struct fum_op_cases fum_cases_binary_cross_entropy = FUM_CASES(binary_cross_entropy, cases);
