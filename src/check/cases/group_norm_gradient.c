// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define SUMS(...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .type = FUM_CASE_F32 }
#define IN(b, h, w, c) \
    { X(b, h, w, c), X(b, h, w, c), SUMS(b, 2, c), X(c), SUMS(b, 2, c) }

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = IN(1, 1, 1, 1), .attrs = {{"groups", 1}}},
    {.name = "groups of four", .in = IN(2, 5, 3, 32), .attrs = {{"groups", 8}}},
    {.name = "groups of three", .in = IN(2, 4, 3, 21), .attrs = {{"groups", 7}}},
    {.name = "one group of six", .in = IN(3, 3, 3, 6), .attrs = {{"groups", 1}}},
    {.name = "a group for each of five", .in = IN(2, 2, 7, 5), .attrs = {{"groups", 5}}},
    {.name = "tokens",
     .in = {X(2, 9, 12), X(2, 9, 12), SUMS(2, 2, 12), X(12), SUMS(2, 2, 12)},
     .attrs = {{"groups", 3}}},
    {.name = "silu, groups of three",
     .in = {X(2, 4, 3, 21), X(2, 4, 3, 21), SUMS(2, 2, 21), X(21), SUMS(2, 2, 21), X(21)},
     .attrs = {{"groups", 7}, {"act", FUM_ACT_SILU}}},
    {.name = "gelu, rows in windows",
     .in = {X(2, 9, 7, 16), X(2, 9, 7, 16), SUMS(2, 2, 16), X(16), SUMS(2, 2, 16), X(16)},
     .attrs = {{"groups", 4}, {"act", FUM_ACT_GELU}},
     .max_binding = 1024},
    {.name = "no images", .in = IN(0, 4, 4, 8), .attrs = {{"groups", 2}}},
    {.name = "rows in windows",
     .in = IN(2, 9, 7, 16),
     .attrs = {{"groups", 4}},
     .max_binding = 1024},
    {.name = "16 of 28, 32", .in = IN(16, 28, 28, 32), .bench = true},
    {.name = "16 of 28, 32, silu",
     .in = {X(16, 28, 28, 32), X(16, 28, 28, 32), SUMS(16, 2, 32), X(32), SUMS(16, 2, 32), X(32)},
     .attrs = {{"act", FUM_ACT_SILU}},
     .bench = true},
};

const struct fum_op_cases fum_cases_group_norm_gradient = FUM_CASES(group_norm_gradient, cases);
