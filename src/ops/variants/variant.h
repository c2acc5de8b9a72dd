// SPDX-License-Identifier: MIT
// Declares the variants: families of kernels for the ops that take nearly all of the time. A class
// of devices (lib/device_class.h) lists its variants. A call goes to the first that serves it and
// that the device can run in the call's storage type. "plain", the kernels without shared memory or
// barriers, serves every call. The user can force a variant (fum_device_force_variant); calls that
// it does not serve go to the class's variants.
#ifndef FUM_OPS_VARIANT_H
#define FUM_OPS_VARIANT_H

#include "ops/lib/attention.h"
#include "ops/lib/conv2d.h"
#include "ops/lib/device_class.h"
#include "ops/lib/weight_gradient.h"

struct fum_variant {
    const char *name;
    const char *summary; // for people: what its kernels are
    const char *needs;   // for people: what a device must have
    // True if the device can run it in this storage type.
    bool (*usable)(const struct fum_device_info *info, enum fum_dtype dtype);
    // Each adds the dispatches of a call to the list (whose scratch_bytes it may set) and returns
    // true. It returns false if it does not serve the call; what it had added is then dropped.
    // NULL: serves no such call. list->tuning (may be NULL) has what measuring found. Calls have
    // something to compute: no output is empty.
    bool (*matmul)(const struct fum_op_call *call, const struct fum_gemm *gemm,
                   struct fum_dispatches *list);
    bool (*conv2d)(const struct fum_op_call *call, const struct fum_conv *conv,
                   struct fum_dispatches *list);
    bool normalises; // conv2d can take the input FUM_CONV_NORM
    bool gates;      // matmul can take products with a gate
    bool panels;     // matmul and conv2d can take weights in panels
    // The only packing of weights that it takes. NULL: dense weights and every quantised packing.
    const struct fum_packing *only;
    bool (*attention)(const struct fum_op_call *call, const struct fum_attention *attention,
                      struct fum_dispatches *list);
    // The gradient of conv2d by its weight. No operand is empty.
    bool (*weight_gradient)(const struct fum_op_call *call, const struct fum_conv_gradient *conv,
                            struct fum_dispatches *list);
};

// Ends with NULL. The first is "plain".
extern const struct fum_variant *const fum_variants[];
const struct fum_variant *fum_variant_find(const char *name); // NULL: none

// Returns true if the device can run it in any storage type.
bool fum_variant_usable_at_all(const struct fum_variant *variant,
                               const struct fum_device_info *info);
// Returns true if the variant that the device's class prefers in this storage type takes products
// with a gate.
bool fum_variant_gates(const struct fum_device_info *info, enum fum_dtype dtype);
// Returns true if any call of the op can go to it.
bool fum_variant_serves(const struct fum_variant *variant, const struct fum_op *op);
// Returns true if it takes weights of that quantised packing; NULL: dense ones.
bool fum_variant_takes(const struct fum_variant *variant, const struct fum_packing *quantised);

// Adds the dispatches of a call by the variant that is chosen for it. Returns false, with
// list->why, if the device's limits do not allow it.
bool fum_variant_matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                        struct fum_dispatches *list);
bool fum_variant_conv2d(const struct fum_op_call *call, const struct fum_conv *conv,
                        struct fum_dispatches *list);
bool fum_variant_attention(const struct fum_op_call *call, const struct fum_attention *attention,
                           struct fum_dispatches *list);
bool fum_variant_weight_gradient(const struct fum_op_call *call,
                                 const struct fum_conv_gradient *conv, struct fum_dispatches *list);
// Does the same for heads of any size, with copies in scratch that pad each head with zeros to
// whole quads.
bool fum_attention_dispatch_padded(const struct fum_op_call *call, struct fum_dispatches *list);

// Adds attention by tiles in shared memory, for heads of up to 512 channels: part of the variant
// "tiled".
bool fum_attention_tiled(const struct fum_op_call *call, const struct fum_attention *attention,
                         struct fum_dispatches *list);
// Adds conv2d's gradient by its weight via Winograd's transforms, with a kernel for their products:
// part of the variant "texel". Returns false where that is slower.
struct fum_weight_kernel;
bool fum_weight_gradient_winograd(const struct fum_op_call *call,
                                  const struct fum_conv_gradient *conv,
                                  const struct fum_weight_kernel *kernel,
                                  struct fum_dispatches *list);
// Adds conv2d's gradient by its weight by tiles in shared memory: part of the variant "tiled".
bool fum_weight_gradient_tiled(const struct fum_op_call *call, const struct fum_conv_gradient *conv,
                               struct fum_dispatches *list);

#endif
