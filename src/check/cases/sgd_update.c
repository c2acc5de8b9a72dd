// SPDX-License-Identifier: MIT
#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define SGD(...)                                       \
    X(__VA_ARGS__), X(__VA_ARGS__), X(__VA_ARGS__), {  \
        .shape = FUM_DIMS(1, 3), .fill = FUM_FILL_UNIT \
    }

static const struct fum_op_case cases[] = {
    {.name = "bias", .in = {SGD(65)}, .types = 1 << FUM_F32},
    {.name = "momentum", .in = {SGD(33, 17)}, .attrs = {{"momentum", 0.9}}, .types = 1 << FUM_F32},
    {.name = "weight decay",
     .in = {SGD(3, 3, 8, 8)},
     .attrs = {{"momentum", 0.5}, {"weight_decay", 0.1}},
     .types = 1 << FUM_F32},
    {.name = "clipped",
     .in = {SGD(9, 12), {.shape = FUM_DIMS(1), .fill = FUM_FILL_UNIT}},
     .attrs = {{"momentum", 0.9}},
     .types = 1 << FUM_F32},
    {.name = "skipped, with a gradient that is not a number",
     .in = {X(9, 13),
            X(9, 13),
            {.shape = FUM_DIMS(9, 13), .fill = FUM_FILL_NAN},
            {.shape = FUM_DIMS(1, 3), .fill = FUM_FILL_UNIT},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_ZERO}},
     .types = 1 << FUM_F32},
    {.name = "empty", .in = {SGD(0, 8)}, .types = 1 << FUM_F32},
    {.name = "windows", .in = {SGD(9, 65)}, .types = 1 << FUM_F32, .max_binding = 1024},
};

const struct fum_op_cases fum_cases_sgd_update = FUM_CASES(sgd_update, cases);
