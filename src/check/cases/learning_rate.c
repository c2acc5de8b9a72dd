// SPDX-License-Identifier: MIT
#include "check/case.h"

#define AT(most)                                                                              \
    {                                                                                         \
        { .shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = most } \
    }
#define FIRST                                                                 \
    {                                                                         \
        { .shape = FUM_DIMS(1), .fill = FUM_FILL_ZERO, .type = FUM_CASE_I32 } \
    }
#define BOUND 1e-6

// In most cases the corrections are far larger than the rate, so the rate is set as large.
static const struct fum_op_case cases[] = {
    {.name = "first update",
     .bound = {BOUND},
     .in = FIRST,
     .attrs = {{"lr", 1}},
     .types = 1 << FUM_F32},
    {.name = "first update, corrections alone",
     .bound = {BOUND},
     .in = FIRST,
     .attrs = {{"lr", 0}, {"beta1", 0.99999}, {"beta2", 0.999999}},
     .types = 1 << FUM_F32},
    {.name = "later",
     .bound = {BOUND},
     .in = AT(1000),
     .attrs = {{"lr", 1}},
     .types = 1 << FUM_F32},
    {.name = "beta 0",
     .bound = {BOUND},
     .in = AT(1000),
     .attrs = {{"lr", 1}, {"beta1", 0}},
     .types = 1 << FUM_F32},
    {.name = "far later",
     .bound = {BOUND},
     .in = AT(1000000),
     .attrs = {{"lr", 1}},
     .types = 1 << FUM_F32},
    {.name = "warming up",
     .bound = {BOUND},
     .in = AT(1000),
     .attrs = {{"lr", 3}, {"warmup", 1000}, {"steps", 5000}, {"schedule", 2}},
     .types = 1 << FUM_F32},
    {.name = "linear",
     .bound = {BOUND},
     .in = AT(1000),
     .attrs = {{"lr", 3}, {"steps", 1000}, {"schedule", 1}},
     .types = 1 << FUM_F32},
    {.name = "cosine",
     .bound = {BOUND},
     .in = AT(1000),
     .attrs = {{"lr", 3}, {"steps", 1000}, {"schedule", 2}},
     .types = 1 << FUM_F32},
    {.name = "cosine after its end",
     .bound = {BOUND},
     .in = AT(1000),
     .attrs = {{"lr", 3}, {"steps", 1}, {"schedule", 2}},
     .types = 1 << FUM_F32},
    {.name = "warmup of all steps",
     .bound = {BOUND},
     .in = AT(100),
     .attrs = {{"lr", 3}, {"warmup", 100}, {"steps", 100}, {"schedule", 1}},
     .types = 1 << FUM_F32},
};

const struct fum_op_cases fum_cases_learning_rate = FUM_CASES(learning_rate, cases);
