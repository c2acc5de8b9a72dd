// SPDX-License-Identifier: MIT
#include "check/attention_gradient_cases.h"

const struct fum_op_cases fum_cases_attention_key_gradient =
    FUM_CASES(attention_key_gradient, fum_attention_gradient_cases);
