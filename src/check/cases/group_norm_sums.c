// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(b, h, w, c)                                                      \
    {                                                                       \
        {.shape = FUM_DIMS(b, h, w, c)}, {.shape = FUM_DIMS(b, h, w, c)}, { \
            .shape = FUM_DIMS(b, 2, c), .type = FUM_CASE_F32                \
        }                                                                   \
    }

// Adds gamma and beta, for an activation.
#define WITH_ACT(b, h, w, c)                                                              \
    {                                                                                     \
        {.shape = FUM_DIMS(b, h, w, c)}, {.shape = FUM_DIMS(b, h, w, c)},                 \
            {.shape = FUM_DIMS(b, 2, c), .type = FUM_CASE_F32}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                                          \
        }                                                                                 \
    }

static const struct fum_op_case cases[] = {
    {.name = "one element", .in = IN(1, 1, 1, 1)},
    {.name = "32 channels", .in = IN(2, 5, 3, 32)},
    {.name = "21 channels", .in = IN(2, 4, 3, 21)},
    {.name = "6 channels, two passes", .in = IN(3, 13, 11, 6)},
    {.name = "tokens",
     .in = {{.shape = FUM_DIMS(2, 300, 12)},
            {.shape = FUM_DIMS(2, 300, 12)},
            {.shape = FUM_DIMS(2, 2, 12), .type = FUM_CASE_F32}}},
    {.name = "21 channels, silu", .in = WITH_ACT(2, 4, 3, 21), .attrs = {{"act", FUM_ACT_SILU}}},
    {.name = "6 channels, two passes, gelu",
     .in = WITH_ACT(3, 13, 11, 6),
     .attrs = {{"act", FUM_ACT_GELU}}},
    {.name = "no images", .in = IN(0, 4, 4, 8)},
    {.name = "16 of 28, 32", .in = IN(16, 28, 28, 32), .bench = true},
};

const struct fum_op_cases fum_cases_group_norm_sums = FUM_CASES(group_norm_sums, cases);
