// SPDX-License-Identifier: MIT
#include "check/case.h"

#define NUMBER(kind) \
    { .shape = FUM_DIMS(1), .fill = kind }

static const struct fum_op_case cases[] = {
    {.name = "no clip", .in = {NUMBER(FUM_FILL_POSITIVE)}, .types = 1 << FUM_F32},
    {.name = "clipped",
     .in = {NUMBER(FUM_FILL_POSITIVE)},
     .attrs = {{"clip", 0.1}},
     .types = 1 << FUM_F32},
    {.name = "below the clip",
     .in = {NUMBER(FUM_FILL_POSITIVE)},
     .attrs = {{"clip", 10}},
     .types = 1 << FUM_F32},
    {.name = "a zero gradient",
     .in = {NUMBER(FUM_FILL_ZERO)},
     .attrs = {{"clip", 1}},
     .types = 1 << FUM_F32},
    {.name = "scaled loss",
     .in = {NUMBER(FUM_FILL_OFFSET), NUMBER(FUM_FILL_OFFSET)},
     .attrs = {{"clip", 0.05}},
     .types = 1 << FUM_F32},
    {.name = "infinity", .in = {NUMBER(FUM_FILL_SPIKE)}, .types = 1 << FUM_F32},
    {.name = "not a number",
     .in = {NUMBER(FUM_FILL_NAN)},
     .attrs = {{"clip", 1}},
     .types = 1 << FUM_F32},
};

const struct fum_op_cases fum_cases_clip_factor = FUM_CASES(clip_factor, cases);
