#include "ops/case.h"

static const struct fum_op_case cases[] = {
    {.name = "finite",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32}, {.shape = FUM_DIMS(7, 65)}},
     .attrs = {{"code", -3}}},
    {.name = "huge but finite",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32},
            {.shape = FUM_DIMS(7, 64), .fill = FUM_FILL_HUGE}},
     .attrs = {{"code", -3}}},
    {.name = "infinity in the last element",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32},
            {.shape = FUM_DIMS(2, 7, 65), .fill = FUM_FILL_SPIKE}},
     .attrs = {{"code", -3}}},
    {.name = "one infinity",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32},
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_SPIKE}},
     .attrs = {{"code", -7}}},
    {.name = "a lower flag stays",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32},
            {.shape = FUM_DIMS(9), .fill = FUM_FILL_SPIKE}},
     .attrs = {{"code", 5}}},
    {.name = "empty",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32}, {.shape = FUM_DIMS(0, 9)}},
     .attrs = {{"code", -3}}},
    {.name = "split into windows",
     .in = {{.shape = FUM_DIMS(1), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32},
            {.shape = FUM_DIMS(17, 67), .fill = FUM_FILL_SPIKE}},
     .attrs = {{"code", -3}},
     .max_binding = 1024},
};

const struct fum_op_cases fum_cases_check_finite = FUM_CASES(check_finite, cases);
