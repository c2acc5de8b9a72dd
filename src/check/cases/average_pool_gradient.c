// SPDX-License-Identifier: MIT
#include "check/pool_gradient_cases.h"

// The image's values are not needed.
#define GRADIENT(image, gradient) \
    {                             \
        { .shape = gradient }     \
    }

static const struct fum_op_case cases[] = {FUM_POOL_GRADIENT_CASES(GRADIENT)};

const struct fum_op_cases fum_cases_average_pool_gradient = FUM_CASES(average_pool_gradient, cases);
