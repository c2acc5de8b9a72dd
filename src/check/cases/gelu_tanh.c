// SPDX-License-Identifier: MIT
#include "check/unary_cases.h"

const struct fum_op_cases fum_cases_gelu_tanh = FUM_CASES(gelu_tanh, fum_unary_cases);
