// SPDX-License-Identifier: MIT
#include "check/case.h"

#define IN(kind)                                                                                  \
    {                                                                                             \
        {.shape = FUM_DIMS(1), .fill = FUM_FILL_OFFSET},                                          \
            {.shape = FUM_DIMS(1), .fill = FUM_FILL_INDEX, .type = FUM_CASE_I32, .limit = 100}, { \
            .shape = FUM_DIMS(1), .fill = kind                                                    \
        }                                                                                         \
    }

static const struct fum_op_case cases[] = {
    {.name = "a good step", .in = IN(FUM_FILL_POSITIVE), .types = 1 << FUM_F32},
    {.name = "a skipped step", .in = IN(FUM_FILL_ZERO), .types = 1 << FUM_F32},
    {.name = "the last step before it grows",
     .in = IN(FUM_FILL_POSITIVE),
     .attrs = {{"interval", 1}},
     .types = 1 << FUM_F32},
};

const struct fum_op_cases fum_cases_loss_scale_update = FUM_CASES(loss_scale_update, cases);
