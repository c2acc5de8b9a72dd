// SPDX-License-Identifier: MIT
#include "check/pool_gradient_cases.h"

#define IMAGE_AND_GRADIENT(image, gradient) \
    {                                       \
        {.shape = image}, {                 \
            .shape = gradient               \
        }                                   \
    }

static const struct fum_op_case cases[] = {
    FUM_POOL_GRADIENT_CASES(IMAGE_AND_GRADIENT),
    {.name = "equal elements",
     .in = {{.shape = FUM_DIMS(2, 7, 8, 5), .fill = FUM_FILL_INDEX, .limit = 2},
            {.shape = FUM_DIMS(2, 7, 8, 5)}},
     .attrs = FUM_POOL_ATTRS(3, 1, 1, 1, 7, 8)},
};

const struct fum_op_cases fum_cases_max_pool_gradient = FUM_CASES(max_pool_gradient, cases);
