// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "history of one",
     .in = {{.shape = FUM_DIMS(1, 8, 8, 4), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(3, 9), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 3}}},
    {.name = "guidance, history of 3",
     .in = {{.shape = FUM_DIMS(6, 5, 7, 4), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(3, 21), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 3}},
     .attrs = {{"history", 3}, {"copies", 2}}},
    {.name = "3 channels",
     .in = {{.shape = FUM_DIMS(2, 5, 7, 3), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(3, 10), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 3}},
     .attrs = {{"copies", 2}}},
    {.name = "always f32",
     .in = {{.shape = FUM_DIMS(2, 5, 7, 3), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(3, 10), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 3}},
     .attrs = {{"dtype", FUM_F32}}},
    {.name = "empty",
     .in = {{.shape = FUM_DIMS(0, 5, 7, 3), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(3, 10), .type = FUM_CASE_F32},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 3}}},
};

const struct fum_op_cases fum_cases_sampler_input = FUM_CASES(sampler_input, cases);
