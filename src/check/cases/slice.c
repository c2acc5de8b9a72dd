// SPDX-License-Identifier: MIT
#include "check/case.h"

static const struct fum_op_case cases[] = {
    {.name = "first half of the channels",
     .in = {{.shape = FUM_DIMS(2, 3, 64)}},
     .attrs = {{"count", 32}}},
    {.name = "channels from 1",
     .in = {{.shape = FUM_DIMS(5, 65)}},
     .attrs = {{"start", 1}, {"count", 63}}},
    {.name = "one channel", .in = {{.shape = FUM_DIMS(5, 7)}}, .attrs = {{"start", 6}}},
    {.name = "images",
     .in = {{.shape = FUM_DIMS(3, 2, 2, 5)}},
     .attrs = {{"axis", 0}, {"start", 1}, {"count", 2}}},
    {.name = "tokens",
     .in = {{.shape = FUM_DIMS(3, 7, 9)}},
     .attrs = {{"axis", 1}, {"start", 2}, {"count", 4}}},
    {.name = "width",
     .in = {{.shape = FUM_DIMS(2, 3, 5, 7)}},
     .attrs = {{"axis", -2}, {"start", 4}}},
    {.name = "vector", .in = {{.shape = FUM_DIMS(7)}}, .attrs = {{"start", 3}, {"count", 4}}},
    {.name = "nothing", .in = {{.shape = FUM_DIMS(3, 7)}}, .attrs = {{"start", 7}, {"count", 0}}},
    {.name = "channels in windows",
     .in = {{.shape = FUM_DIMS(9, 130)}},
     .attrs = {{"start", 3}, {"count", 100}},
     .max_binding = 2048},
    {.name = "tokens in windows",
     .in = {{.shape = FUM_DIMS(2, 19, 65)}},
     .attrs = {{"axis", 1}, {"start", 3}, {"count", 15}},
     .max_binding = 2048},
};

const struct fum_op_cases fum_cases_slice = FUM_CASES(slice, cases);
