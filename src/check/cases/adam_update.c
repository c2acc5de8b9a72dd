// SPDX-License-Identifier: MIT
#include "check/case.h"

#define ADAM(...)                                                                                  \
    {.shape = FUM_DIMS(__VA_ARGS__)}, {.shape = FUM_DIMS(__VA_ARGS__)},                            \
        {.shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_UNIT}, {.shape = FUM_DIMS(__VA_ARGS__)}, \
    {                                                                                              \
        .shape = FUM_DIMS(1, 3), .fill = FUM_FILL_UNIT                                             \
    }

static const struct fum_op_case cases[] = {
    {.name = "bias", .in = {ADAM(65)}, .types = 1 << FUM_F32},
    {.name = "weight", .in = {ADAM(33, 17)}, .types = 1 << FUM_F32},
    {.name = "decoupled decay",
     .in = {ADAM(3, 3, 8, 8)},
     .attrs = {{"weight_decay", 0.1}},
     .types = 1 << FUM_F32},
    {.name = "decay of the gradient",
     .in = {ADAM(9, 12)},
     .attrs = {{"weight_decay", 0.1}, {"decoupled", 0}},
     .types = 1 << FUM_F32},
    {.name = "clipped",
     .in = {ADAM(9, 12), {.shape = FUM_DIMS(1), .fill = FUM_FILL_UNIT}},
     .attrs = {{"beta1", 0.5}, {"beta2", 0.75}, {"eps", 0.001}},
     .types = 1 << FUM_F32},
    {.name = "skipped, with a gradient that is not a number",
     .in = {{.shape = FUM_DIMS(9, 13)},
            {.shape = FUM_DIMS(9, 13)},
            {.shape = FUM_DIMS(9, 13)},
            {.shape = FUM_DIMS(9, 13), .fill = FUM_FILL_NAN},
            {.shape = FUM_DIMS(1, 3), .fill = FUM_FILL_UNIT},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_ZERO}},
     .types = 1 << FUM_F32},
    {.name = "empty", .in = {ADAM(0, 8)}, .types = 1 << FUM_F32},
    {.name = "windows", .in = {ADAM(9, 65)}, .types = 1 << FUM_F32, .max_binding = 1024},
};

const struct fum_op_cases fum_cases_adam_update = FUM_CASES(adam_update, cases);
