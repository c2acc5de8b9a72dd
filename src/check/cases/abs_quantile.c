// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .type = FUM_CASE_F32 }

#define BOUND .bound = {1e-6, 1e-6, 1e-6}

static const struct fum_op_case cases[] = {
    {.name = "one element", BOUND, .in = {X(1, 1)}, .attrs = {{"ratio", 0.3}}},
    {.name = "the smallest", BOUND, .in = {X(2, 5, 7, 3)}, .attrs = {{"ratio", 0}}},
    {.name = "the largest", BOUND, .in = {X(3, 4, 5, 6)}},
    {.name = "the median of an even number",
     BOUND,
     .in = {X(2, 3, 3, 4)},
     .attrs = {{"ratio", 0.5}}},
    {.name = "a rank", BOUND, .in = {X(1, 101)}, .attrs = {{"ratio", 0.25}}},
    {.name = "two images, 3 channels", BOUND, .in = {X(2, 12, 8, 3)}, .attrs = {{"ratio", 0.995}}},
    {.name = "equal elements",
     BOUND,
     .in = {{.shape = FUM_DIMS(2, 9, 7, 5),
             .fill = FUM_FILL_INDEX,
             .type = FUM_CASE_F32,
             .limit = 3}},
     .attrs = {{"ratio", 0.6}}},
    {.name = "zeros",
     BOUND,
     .in = {{.shape = FUM_DIMS(2, 65), .fill = FUM_FILL_ZERO, .type = FUM_CASE_F32}},
     .attrs = {{"ratio", 0.9}}},
    {.name = "tiny",
     BOUND,
     .in = {{.shape = FUM_DIMS(2, 65), .fill = FUM_FILL_TINY, .type = FUM_CASE_F32}},
     .attrs = {{"ratio", 0.9}}},
    {.name = "infinity above it",
     BOUND,
     .in = {{.shape = FUM_DIMS(1, 65), .fill = FUM_FILL_SPIKE, .type = FUM_CASE_F32}},
     .attrs = {{"ratio", 0.5}}},
    {.name = "no images", BOUND, .in = {X(0, 8, 8, 3)}},
    {.name = "16 images of 64x64",
     BOUND,
     .in = {X(16, 64, 64, 3)},
     .attrs = {{"ratio", 0.995}},
     .bench = true},
};

const struct fum_op_cases fum_cases_abs_quantile = FUM_CASES(abs_quantile, cases);
