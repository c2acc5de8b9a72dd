// SPDX-License-Identifier: MIT
// Variants: families of kernels for the ops that take nearly all of the time. A call goes to the
// first variant of the device's class (see ops/device_class.h) that the device can run in the
// call's storage type and that serves the call; "plain", the kernels without shared memory or
// barriers, serves every call. The user can insist on one (fum_device_force_variant); what that one
// does not serve goes the usual way.
#ifndef FUM_OPS_VARIANT_H
#define FUM_OPS_VARIANT_H

#include "ops/lib/attention.h"
#include "ops/lib/conv2d.h"

struct fum_variant {
    const char *name;
    const char *summary; // for people: what its kernels are
    const char *needs;   // for people: what a device must have
    // Whether the device can run it in this storage type.
    bool (*usable)(const struct fum_device_info *info, enum fum_dtype dtype);
    // Each adds the dispatches of a call to the list (whose scratch_bytes it may set) and returns
    // true, or returns false when it does not serve the call; what it had added is then dropped.
    // NULL: serves no such call. list->tuning (may be NULL) has what measuring found. Calls have
    // something to compute: no output is empty.
    bool (*matmul)(const struct fum_op_call *call, const struct fum_gemm *gemm,
                   struct fum_dispatches *list);
    bool (*matmul_q8)(const struct fum_op_call *call, const struct fum_gemm *gemm,
                      struct fum_dispatches *list);
    bool (*conv2d)(const struct fum_op_call *call, const struct fum_conv *conv,
                   struct fum_dispatches *list);
    bool normalises; // conv2d can take the input FUM_CONV_NORM
    bool conv2d_q8;  // conv2d can take weights of q8_0
    bool gates;      // matmul can take products with a gate
    bool (*attention)(const struct fum_op_call *call, const struct fum_attention *attention,
                      struct fum_dispatches *list);
};

// Ends with NULL. The first is "plain".
extern const struct fum_variant *const fum_variants[];
extern const struct fum_variant fum_variant_texel, fum_variant_tiled, fum_variant_f16,
    fum_variant_int8;
const struct fum_variant *fum_variant_find(const char *name); // NULL: none

// Whether the device can run it in any storage type.
bool fum_variant_usable_at_all(const struct fum_variant *variant,
                               const struct fum_device_info *info);
// Whether the variant that the device's class prefers in this storage type takes products with a
// gate.
bool fum_variant_gates(const struct fum_device_info *info, enum fum_dtype dtype);
// Whether any call of the op can go to it.
bool fum_variant_serves(const struct fum_variant *variant, const char *op);

// What dispatch() of those ops asks first: whether a variant other than "plain" has taken the call.
bool fum_variant_matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                        struct fum_dispatches *list);
bool fum_variant_matmul_q8(const struct fum_op_call *call, const struct fum_gemm *gemm,
                           struct fum_dispatches *list);
bool fum_variant_conv2d(const struct fum_op_call *call, const struct fum_conv *conv,
                        struct fum_dispatches *list);
bool fum_variant_attention(const struct fum_op_call *call, const struct fum_attention *attention,
                           struct fum_dispatches *list);

#endif
