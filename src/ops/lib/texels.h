// SPDX-License-Identifier: MIT
// Decides where kernels read their inputs as texels.
#ifndef FUM_OPS_TEXELS_H
#define FUM_OPS_TEXELS_H

#include "ops/lib/emit.h"

// Returns true if every window that may be bound can be read as texels of the type.
bool fum_texels_fit(const struct fum_device_info *info, enum fum_dtype dtype);
// True if the device can run the kernels of variant "texel" in this storage type.
bool fum_texel_usable(const struct fum_device_info *info, enum fum_dtype dtype);
// Returns true if kernels should read so as well. Devices whose class prefers it do, unless a
// variant without texels is forced; others do if the variant "texel" is forced. tuning may be NULL.
bool fum_texels_faster(const struct fum_device_info *info, const struct fum_tuning *tuning,
                       enum fum_dtype dtype);
// Makes a dispatch run the kernel NAME_texel, which reads the bindings of the set `inputs` (bit i:
// binding i) as texels, where that is faster.
void fum_read_texels(const struct fum_dispatches *list, struct fum_dispatch *d, uint32_t inputs);
// Adds such a dispatch, else as fum_emit_quads does.
struct fum_dispatch *fum_emit_quads_reading(struct fum_dispatches *list, const char *shader,
                                            enum fum_dtype dtype, uint64_t items, uint32_t inputs);
// Adds such a dispatch, else as fum_emit does.
struct fum_dispatch *fum_emit_reading(struct fum_dispatches *list, const char *shader,
                                      enum fum_dtype dtype, uint64_t items, uint32_t inputs);

#endif
