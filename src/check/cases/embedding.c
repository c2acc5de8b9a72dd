// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "padded rows of ids",
     .in = {{.shape = FUM_DIMS(2, 7), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 11},
            {.shape = FUM_DIMS(11, 65)}}},
    {.name = "one token",
     .in = {{.shape = FUM_DIMS(1, 1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 3},
            {.shape = FUM_DIMS(3, 1)}}},
    {.name = "vector of ids",
     .in = {{.shape = FUM_DIMS(5), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 63},
            {.shape = FUM_DIMS(63, 8)}}},
    {.name = "ids past the table",
     .in = {{.shape = FUM_DIMS(3, 9), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32},
            {.shape = FUM_DIMS(11, 12)}}},
    {.name = "empty",
     .in = {{.shape = FUM_DIMS(0, 9), .type = FUM_CASE_I32}, {.shape = FUM_DIMS(11, 12)}}},
    {.name = "table in windows",
     .in = {{.shape = FUM_DIMS(2, 77), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 301},
            {.shape = FUM_DIMS(301, 12)}},
     .max_binding = 8192},
    {.name = "CLIP",
     .in =
         {{.shape = FUM_DIMS(2, 77), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 49408},
          {.shape = FUM_DIMS(49408, 768)}},
     .bench = true},
};

const struct fum_op_cases fum_cases_embedding = FUM_CASES(embedding, cases);
