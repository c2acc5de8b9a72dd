// Op cases: one list per op serves the tests, `fumarole selftest` and `fumarole bench`. tests/ops/NAME.c defines
// fum_cases_NAME; the lists are compiled into the library.
#ifndef FUM_OPS_CASE_H
#define FUM_OPS_CASE_H

#include "graph/op.h"

// How an input is filled; deterministic by the case's number and input.
enum fum_fill {
    FUM_FILL_NORMAL = 0, // standard normal
    FUM_FILL_ZERO,
    FUM_FILL_HUGE,    // normal × 1e4, within f16's range
    FUM_FILL_TINY,    // normal × 1e-6
    FUM_FILL_OFFSET,  // 100 + normal: large mean, small spread
    FUM_FILL_INDEX,   // integers below `limit`, for ids
    FUM_FILL_UNIT,    // uniform in [0, 1)
    FUM_FILL_COUNT,   // 0, 1, 2, …
};

// Type of an input: the storage type under test, or fixed.
enum fum_case_type { FUM_CASE_STORAGE = 0, FUM_CASE_F32, FUM_CASE_I32 };

struct fum_case_input {
    struct fum_shape shape; // rank 0: absent
    enum fum_fill fill;
    enum fum_case_type type;
    int limit; // of FUM_FILL_INDEX
};

struct fum_op_case {
    const char *name; // what is hard about it: "k 65", "128 MiB input"
    struct fum_case_input in[FUM_MAX_INPUTS];
    struct fum_attr attrs[FUM_MAX_ATTRS + 1];
    double bound[3]; // largest relative RMS error for f32, f16, bf16 storage; 0: 1e-5, 2e-3, 1.6e-2
    bool bench;      // a shape of a real model, timed by `bench`; left out of `selftest` when over 0.2 GFLOP
    int types;       // 0: every storage type; else a bit mask 1 << dtype
};

struct fum_op_cases {
    const char *op;
    const struct fum_op_case *cases;
    int count;
};

// In the order of ops.def, as fum_ops.
extern const struct fum_op_cases *const fum_op_cases[];

#define FUM_CASES(op, list) {#op, list, (int)(sizeof(list) / sizeof *(list))}
#define FUM_DIMS(...) {(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}}

#endif
