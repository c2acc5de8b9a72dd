// SPDX-License-Identifier: MIT
#include "check/case.h"

// The phase is rounded to f32, so an ulp of ln t is up to 3e-5 of a phase of some hundreds.
static const struct fum_op_case cases[] = {
    {.name = "phases of thousands",
     .in = {{.shape = FUM_DIMS(17), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(32), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32}},
     .bound = {5e-4}},
    {.name = "odd frequencies",
     .in = {{.shape = FUM_DIMS(5), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(13), .fill = FUM_FILL_NORMAL, .type = FUM_CASE_F32}}},
    {.name = "one of each",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_NORMAL, .type = FUM_CASE_F32}}},
    {.name = "empty",
     .in = {{.shape = FUM_DIMS(0), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(8), .type = FUM_CASE_F32}}},
};

const struct fum_op_cases fum_cases_fourier_embedding = FUM_CASES(fourier_embedding, cases);
