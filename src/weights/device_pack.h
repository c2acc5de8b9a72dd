// SPDX-License-Identifier: MIT
// Weights repacked and converted on the device, for those whose memory the host cannot write: the
// file's bytes go through the staging ring as they are, many tensors at a time, and a kernel puts
// them in place. The result is the same bits as fum_pack_rows'.
#ifndef FUM_WEIGHTS_DEVICE_PACK_H
#define FUM_WEIGHTS_DEVICE_PACK_H

#include "base/view.h"
#include "gpu/gpu.h"
#include "weights/weight.h"

// Device memory that an packer holds: as much of the file's bytes as is uploaded at once.
enum { FUM_DEVICE_PACK_BYTES = FUM_STAGING_BYTES };

// One thread at a time.
typedef struct fum_device_packer fum_device_packer;
enum fum_result fum_device_packer_create(fum_device_packer **packer, fum_device *device,
                                         struct fum_error *err);
void fum_device_packer_destroy(fum_device_packer **packer);

// Whether the kernel can do it; else the host must: unusual types, or more than one binding holds.
bool fum_device_pack_possible(const struct fum_device_info *info, const struct fum_view *view,
                              enum fum_pack pack, const struct fum_desc *desc);
// Takes a tensor that fum_pack_check has let through. Its bytes are read before this returns; the
// weight is in place after fum_device_packer_finish.
enum fum_result fum_device_pack(fum_device_packer *packer, const struct fum_view *view,
                                enum fum_pack pack, const struct fum_desc *desc,
                                const struct fum_binding *to, const char *name,
                                struct fum_error *err);
enum fum_result fum_device_packer_finish(fum_device_packer *packer, struct fum_error *err);

// What the kernel "device_pack" is given for one part of a weight: bindings are the file's bytes
// and the weight.
struct fum_device_pack_chunk {
    enum fum_dtype from, to;
    enum fum_pack pack;
    int64_t rows, columns, row_quads; // of the part; quads from one row of the weight to the next
    int64_t first_quad;               // where in the weight it starts
    int64_t taps;                     // kernel height · width of a convolution; else 1
};
enum { FUM_DEVICE_PACK_SPEC = 6, FUM_DEVICE_PACK_PUSH = 6 };
bool fum_device_pack_fill(const struct fum_device_info *info,
                          const struct fum_device_pack_chunk *part,
                          uint32_t spec[FUM_DEVICE_PACK_SPEC], uint32_t push[FUM_DEVICE_PACK_PUSH],
                          uint32_t groups[3]);

#endif
