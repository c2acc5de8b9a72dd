// SPDX-License-Identifier: MIT
#include "check/attention_gradient_cases.h"

const struct fum_op_cases fum_cases_attention_query_gradient =
    FUM_CASES(attention_query_gradient, fum_attention_gradient_cases);
