// SPDX-License-Identifier: MIT
#define IN(b, tq, tk, heads, c) \
    { X(b, tq, c), X(b, tk, c) }
#include "check/attention_gradient_cases.h"

const struct fum_op_cases fum_cases_attention_normaliser =
    FUM_CASES(attention_normaliser, fum_attention_gradient_cases);
