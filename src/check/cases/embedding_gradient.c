// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IDS(most, ...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = most }
#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }

static const struct fum_op_case cases[] = {
    {.name = "padded rows of ids", .in = {IDS(11, 2, 7), X(2, 7, 65)}, .attrs = {{"rows", 11}}},
    {.name = "one token", .in = {IDS(3, 1, 1), X(1, 1, 1)}, .attrs = {{"rows", 3}}},
    {.name = "vector of ids, one row", .in = {IDS(1, 37), X(37, 8)}},
    {.name = "ids past the table",
     .in = {{.shape = FUM_DIMS(3, 9), .fill = FUM_FILL_COUNT, .type = FUM_CASE_I32}, X(3, 9, 12)},
     .attrs = {{"rows", 11}}},
    {.name = "no ids", .in = {IDS(3, 0, 9), X(0, 9, 12)}, .attrs = {{"rows", 5}}},
    {.name = "table in windows",
     .in = {IDS(301, 2, 77), X(2, 77, 12)},
     .attrs = {{"rows", 301}},
     .max_binding = 8192},
    {.name = "few ids of a large table",
     .in = {IDS(301, 3, 5), X(3, 5, 9)},
     .attrs = {{"rows", 301}}},
    {.name = "one id many times in a large table",
     .in = {IDS(1, 3, 5), X(3, 5, 9)},
     .attrs = {{"rows", 301}}},
    {.name = "256 rows of 64",
     .in = {IDS(256, 512), X(512, 64)},
     .attrs = {{"rows", 256}},
     .bench = true},
};

const struct fum_op_cases fum_cases_embedding_gradient = FUM_CASES(embedding_gradient, cases);
