// SPDX-License-Identifier: MIT
// Op cases: one list per op serves the tests, `fumarole selftest` and `fumarole bench`.
// cases/NAME.c defines fum_cases_NAME.
#ifndef FUM_CHECK_CASE_H
#define FUM_CHECK_CASE_H

#include "base/macros.h"
#include "graph/op.h"

// How an input is filled; deterministic by the case's name and input.
enum fum_fill {
    FUM_FILL_NORMAL = 0, // standard normal
    FUM_FILL_ZERO,
    FUM_FILL_HUGE,     // normal × 1e4, within f16's range
    FUM_FILL_TINY,     // normal × 1e-6
    FUM_FILL_OFFSET,   // 100 + normal: large mean, small spread
    FUM_FILL_INDEX,    // integers below `limit`, for ids
    FUM_FILL_UNIT,     // uniform in [0, 1)
    FUM_FILL_POSITIVE, // uniform in [0.5, 2)
    FUM_FILL_COUNT,    // 0, 1, 2, …
    FUM_FILL_SPIKE,    // standard normal, but the last element is infinite
    FUM_FILL_NAN,      // standard normal, but the last element is not a number
};

// Type of an input: the storage type under test, or fixed.
enum fum_case_type { FUM_CASE_STORAGE = 0, FUM_CASE_F32, FUM_CASE_F16, FUM_CASE_I32 };

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
    // a shape of a real model, timed by `bench`; left out of `selftest` when fum_case_is_large
    bool bench;
    int types;      // 0: every storage type; else a bit mask 1 << dtype
    bool quantised; // input 1 is a quantised weight: one case for every such type
    // planned as for a GPU on CPU devices too, so that those kernels are tested there
    bool as_gpu;
    // 0: the device's; else a smaller limit (bytes), so that small shapes are split into windows
    uint64_t max_binding;
};

struct fum_op_cases {
    const char *op;
    const struct fum_op_case *cases;
    int count;
};

// In the order of ops.def, as fum_ops.
extern const struct fum_op_cases *const fum_op_cases[];

// ---- running them ----

// A case of an op in use.
struct fum_case_use {
    const struct fum_op *op;
    const struct fum_op_case *c;
    enum fum_dtype dtype;                // the storage type
    const struct fum_packing *quantised; // of input 1; NULL: it is dense
};

enum { FUM_CASE_NAME = 96 };
// Writes the case's name, with the type of a quantised weight, and returns it.
const char *fum_case_name(const struct fum_case_use *use, char name[FUM_CASE_NAME]);
// Returns how many packings of input 1 a case is for: the quantised ones that its shape fits.
int fum_case_packings(const struct fum_op_case *c);
// Returns the p-th of them; NULL: dense.
const struct fum_packing *fum_case_packing(const struct fum_op_case *c, int p);

// Where the operands of a call are, each from byte 0 of its buffer; what is absent is NULL.
struct fum_case_memory {
    fum_buffer *in[FUM_MAX_INPUTS], *out, *scratch;
};
// A call on a device with its dispatches.
struct fum_case_job {
    fum_device *device;
    const struct fum_op *op;
    const struct fum_op_call *call;
    struct fum_dispatches *list;
    const struct fum_case_memory *memory; // NULL: only planned
};

// Fills `call` from a case: settings, inputs and output, with the use's storage type. `attr` is the
// caller's memory and must outlive the call. Returns false on failure, with its reason in `why`.
bool fum_case_call(const struct fum_case_use *use, struct fum_op_call *call,
                   double attr[FUM_MAX_ATTRS], struct fum_why *why);
// Lists the dispatches of a job; the list starts empty. Points list->info to *info, the caller's
// memory, which gets the limits to plan for. Returns FUM_ERR_UNSUPPORTED if the limits do not allow
// the case.
enum fum_result fum_case_plan(const struct fum_case_job *job, const struct fum_op_case *c,
                              struct fum_device_info *info, struct fum_error *err);
// True if the case belongs to the storage type.
bool fum_case_has_type(const struct fum_op_case *c, enum fum_dtype dtype);
// True if the case is left to `bench` for its size: over 0.2 GFLOP or 4 Mi elements.
bool fum_case_is_large(const struct fum_case_use *use);

// Returns the seed of input i, which the case's name alone decides: other cases of the list do not
// change it.
uint64_t fum_case_seed(const struct fum_op_case *c, int i);
// Returns an input's dense values, which depend on `seed` and are rounded to its type. The caller
// frees them with fum_free. Returns NULL without memory.
float *fum_case_fill(const struct fum_case_input *in, const struct fum_desc *desc, uint64_t seed);
// The numbers of an input: those that it stands for, and the rows as they lie in memory, without
// padding. Words of a quantised weight pass for floats.
struct fum_case_values {
    double *dense;
    float *memory;
};
// Fills input i of a call. The caller releases the values.
enum fum_result fum_case_values(const struct fum_case_use *use, const struct fum_op_call *call,
                                int i, struct fum_case_values *values, struct fum_error *err);
void fum_case_values_release(struct fum_case_values *values);
// Writes dense values as padded rows of the type; what pads them is NaN.
enum fum_result fum_case_write(fum_buffer *buffer, const struct fum_desc *desc, const float *x,
                               struct fum_error *err);

// Adds the dispatches of a job to a command, compiling their kernels.
enum fum_result fum_case_record(fum_command *command, const struct fum_case_job *job,
                                struct fum_error *err);

struct fum_case_result {
    bool pass;
    // relative RMS error (absolute where the reference is all zero); infinite: a wrong NaN
    double error, bound;
    // dense index of the element that is furthest off, -1: none; what the device and the
    int64_t worst;
    float got, want; // reference say there
    uint64_t hash;   // of the output's bits
    double seconds;  // whole case: fill, reference, compile, run
    double flops;
    double gpu_nanoseconds; // of the dispatches; 0: the device has no timestamps
    int dispatches, barriers;
};

// Fills the inputs (deterministic by the case's name, rounded to their types), runs the C reference
// and the kernels, compares. Padding, output and scratch start as NaN, so that a kernel which reads
// what it must not is found. Ops that may overwrite their input are run a second time in place.
// FUM_OK says that it ran, result->pass whether it agreed; FUM_ERR_UNSUPPORTED that the device's
// limits do not allow the case.
enum fum_result fum_case_run(fum_device *device, const struct fum_case_use *use,
                             struct fum_case_result *result, struct fum_error *err);

#define FUM_CASES(op, list) \
    { #op, list, (int)FUM_COUNT(list) }
#define FUM_DIMS(...)                                                \
    {                                                                \
        (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), { \
            __VA_ARGS__                                              \
        }                                                            \
    }

#endif
