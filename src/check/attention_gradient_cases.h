// SPDX-License-Identifier: MIT
// Lists the cases of attention's gradients and of the normalisers that they read. IN gives
// an op's inputs from batches, queries, keys, heads and channels. A file may define its own before.
#ifndef FUM_CHECK_ATTENTION_GRADIENT_CASES_H
#define FUM_CHECK_ATTENTION_GRADIENT_CASES_H

#include "check/case.h"

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define STAT(...) \
    { .shape = FUM_DIMS(__VA_ARGS__), .type = FUM_CASE_F32 }
#ifndef IN
#define IN(b, tq, tk, heads, c) \
    { X(b, tq, c), X(b, tk, c), X(b, tk, c), X(b, tq, c), STAT(b, tq, heads), STAT(b, tq, heads) }
#endif

static const struct fum_op_case fum_attention_gradient_cases[] = {
    {.name = "one token", .in = IN(1, 1, 1, 1, 4)},
    {.name = "five on seven, two heads of 8", .in = IN(2, 5, 7, 2, 16), .attrs = {{"heads", 2}}},
    {.name = "three heads of 5", .in = IN(2, 4, 6, 3, 15), .attrs = {{"heads", 3}}},
    {.name = "five heads of 3", .in = IN(1, 9, 4, 5, 15), .attrs = {{"heads", 5}}},
    {.name = "causal, 9 tokens", .in = IN(1, 9, 9, 1, 8), .attrs = {{"causal", 1}}},
    {.name = "causal, 9 on 4", .in = IN(2, 9, 4, 2, 8), .attrs = {{"heads", 2}, {"causal", 1}}},
    {.name = "causal, 4 on 9", .in = IN(2, 4, 9, 2, 8), .attrs = {{"heads", 2}, {"causal", 1}}},
    {.name = "scale 1", .in = IN(1, 6, 6, 1, 4), .attrs = {{"scale", 1}}},
    {.name = "no batches", .in = IN(0, 6, 6, 1, 4)},
    {.name = "133 on 245, 8 heads of 40", .in = IN(2, 133, 245, 8, 320), .attrs = {{"heads", 8}}},
    {.name = "causal, 277 on 300, 4 heads of 80",
     .in = IN(1, 277, 300, 4, 320),
     .attrs = {{"heads", 4}, {"causal", 1}}},
    {.name = "512 on 512, 8 heads of 40",
     .in = IN(1, 512, 512, 8, 320),
     .attrs = {{"heads", 8}},
     .bench = true},
    {.name = "64 on 64, 4 heads of 32",
     .in = IN(1, 64, 64, 4, 128),
     .attrs = {{"heads", 4}},
     .bench = true},
};

#endif
