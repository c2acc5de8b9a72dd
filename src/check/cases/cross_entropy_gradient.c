// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define FILLED(kind, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = kind }
#define LABEL(most, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = most }

static const struct fum_op_case cases[] = {
    {.name = "one row, two classes", .in = {X(1, 2), LABEL(2, 1), X(1)}},
    {.name = "9 rows, 10 classes", .in = {X(9, 10), LABEL(10, 9), X(9)}},
    {.name = "padded rows of labels", .in = {X(3, 5, 65), LABEL(65, 3, 5), X(3, 5)}},
    {.name = "large logits", .in = {FILLED(FUM_FILL_OFFSET, 6, 11), LABEL(11, 6), X(6)}},
    {.name = "labels outside the classes",
     .in = {X(9, 5), {.shape = FUM_DIMS(9), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32}, X(9)}},
    {.name = "no rows", .in = {X(0, 5), LABEL(5, 0), X(0)}},
    {.name = "512 rows, 1000 classes",
     .in = {X(512, 1000), LABEL(1000, 512), X(512)},
     .bench = true},
};

const struct fum_op_cases fum_cases_cross_entropy_gradient =
    FUM_CASES(cross_entropy_gradient, cases);
