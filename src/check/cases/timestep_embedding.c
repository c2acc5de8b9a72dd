// SPDX-License-Identifier: MIT
#include "check/case.h"

// t × frequency is rounded to f32 as torch does it, so an ulp of the frequency is up to 6e-5 of an
// angle near 1000.
static const struct fum_op_case cases[] = {
    // One frequency, which is 1: sine and cosine of large numbers and nothing else.
    {.name = "large angles",
     .in =
         {{.shape = FUM_DIMS(999), .fill = FUM_FILL_INDEX, .type = FUM_CASE_F32, .limit = 100000}},
     .attrs = {{"dim", 2}},
     .bound = {3e-7}},
    {.name = "1000 steps, 320",
     .in = {{.shape = FUM_DIMS(1000), .fill = FUM_FILL_COUNT, .type = FUM_CASE_F32}},
     .attrs = {{"dim", 320}},
     .bound = {5e-5}},
    {.name = "integers",
     .in = {{.shape = FUM_DIMS(9), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 1000}},
     .attrs = {{"dim", 64}},
     .bound = {5e-5}},
    {.name = "column",
     .in = {{.shape = FUM_DIMS(9, 1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_F32, .limit = 1000}},
     .attrs = {{"dim", 64}},
     .bound = {5e-5}},
    {.name = "sines first, shift 1",
     .in = {{.shape = FUM_DIMS(9), .fill = FUM_FILL_INDEX, .type = FUM_CASE_F32, .limit = 1000}},
     .attrs = {{"dim", 128}, {"flip_sin_to_cos", 0}, {"shift", 1}},
     .bound = {5e-5}},
    {.name = "odd, 2 mod 4",
     .in = {{.shape = FUM_DIMS(5), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32}},
     .attrs = {{"dim", 67}},
     .bound = {5e-5}},
    {.name = "one channel: zero",
     .in = {{.shape = FUM_DIMS(5), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32}},
     .attrs = {{"dim", 1}}},
    {.name = "3 channels, shift 0",
     .in = {{.shape = FUM_DIMS(5), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32}},
     .attrs = {{"dim", 3}},
     .bound = {5e-5}},
    {.name = "half within a quad",
     .in = {{.shape = FUM_DIMS(5), .fill = FUM_FILL_OFFSET, .type = FUM_CASE_F32}},
     .attrs = {{"dim", 6}},
     .bound = {5e-5}},
    {.name = "SDXL's sizes",
     .in = {{.shape = FUM_DIMS(6), .fill = FUM_FILL_INDEX, .type = FUM_CASE_F32, .limit = 4096}},
     .attrs = {{"dim", 256}},
     .bound = {1e-4}},
    {.name = "scale, period",
     .in = {{.shape = FUM_DIMS(6), .fill = FUM_FILL_UNIT, .type = FUM_CASE_F32}},
     .attrs = {{"dim", 32}, {"scale", 1000}, {"max_period", 500}},
     .bound = {5e-5}},
    {.name = "empty", .in = {{.shape = FUM_DIMS(0), .type = FUM_CASE_F32}}, .attrs = {{"dim", 32}}},
};

const struct fum_op_cases fum_cases_timestep_embedding = FUM_CASES(timestep_embedding, cases);
