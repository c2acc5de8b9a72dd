// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "none",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 0}}},
    {.name = "silu",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 1}}},
    {.name = "gelu",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 2}}},
    {.name = "gelu_tanh",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 3}}},
    {.name = "quick_gelu",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 4}}},
    {.name = "relu",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 5}}},
    {.name = "tanh",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 6}}},
    {.name = "sigmoid",
     .in = {{.shape = FUM_DIMS(3, 65)}, {.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"act", 7}}},
    {.name = "clamp",
     .in = {{.shape = FUM_DIMS(4, 33)}, {.shape = FUM_DIMS(4, 33)}},
     .attrs = {{"min", -0.5}, {"max", 1}}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0, 64)}, {.shape = FUM_DIMS(0, 64)}}},
    {.name = "windows",
     .in = {{.shape = FUM_DIMS(9, 65)}, {.shape = FUM_DIMS(9, 65)}},
     .attrs = {{"act", 2}},
     .max_binding = 1024},
};

const struct fum_op_cases fum_cases_unary_gradient = FUM_CASES(unary_gradient, cases);
