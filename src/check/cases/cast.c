// SPDX-License-Identifier: MIT
#include "check/case.h"

#define EXACT 1e-9, 1e-9, 1e-9

// The reference rounds as the host does, and the kernel must agree.
static const struct fum_op_case cases[] = {
    {.name = "from f32",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 65), .type = FUM_CASE_F32}}},
    {.name = "to f32",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 65)}},
     .attrs = {{"dtype", FUM_F32}}},
    {.name = "to bf16",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 63)}},
     .attrs = {{"dtype", FUM_BF16}},
     .types = 1 << FUM_F32 | 1 << FUM_BF16},
    {.name = "f16 to bf16",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 63)}},
     .attrs = {{"dtype", FUM_BF16}},
     .types = 1 << FUM_F16},
    {.name = "bf16 to f16",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 63)}},
     .attrs = {{"dtype", FUM_F16}},
     .types = 1 << FUM_BF16 | 1 << FUM_F16},
    {.name = "from i32",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 65),
             .fill = FUM_FILL_INDEX,
             .type = FUM_CASE_I32,
             .limit = 70000}}},
    {.name = "i32 to f32",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(7), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32}},
     .attrs = {{"dtype", FUM_F32}}},
    {.name = "infinity",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 6), .fill = FUM_FILL_SPIKE, .type = FUM_CASE_F32}}},
    {.name = "huge",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(3, 6), .fill = FUM_FILL_HUGE, .type = FUM_CASE_F32}}},
    {.name = "empty", .bound = {EXACT}, .in = {{.shape = FUM_DIMS(0, 6), .type = FUM_CASE_F32}}},
    {.name = "split into windows",
     .bound = {EXACT},
     .in = {{.shape = FUM_DIMS(33, 65), .type = FUM_CASE_F32}},
     .max_binding = 2048},
};

const struct fum_op_cases fum_cases_cast = FUM_CASES(cast, cases);
