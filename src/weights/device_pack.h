// SPDX-License-Identifier: MIT
// Packs and converts weights on the device, where the host cannot write its memory. The file's
// bytes go through the staging ring as they are, many tensors at a time, and a kernel puts them in
// place. The result has the same bits as that of fum_pack_rows.
#ifndef FUM_WEIGHTS_DEVICE_PACK_H
#define FUM_WEIGHTS_DEVICE_PACK_H

#include "base/view.h"
#include "gpu/gpu.h"
#include "shaders/device_pack.pc.h"
#include "weights/packing.h"

// Device memory that a packer holds: as much of the file's bytes as is uploaded at once.
enum { FUM_DEVICE_PACK_BYTES = FUM_STAGING_BYTES };

// One thread at a time.
typedef struct fum_device_packer fum_device_packer;
enum fum_result fum_device_packer_create(fum_device_packer **packer, fum_device *device,
                                         struct fum_error *err);
void fum_device_packer_destroy(fum_device_packer **packer);

// True if the kernel can do it. Else the host must: unusual types, or more than a binding holds.
bool fum_device_pack_possible(const struct fum_device_info *info, const struct fum_weight *part,
                              const struct fum_view *view);
// Packs a tensor that has passed fum_packing_check. Its bytes are read before this returns. The
// weight is in place after fum_device_packer_finish.
enum fum_result fum_device_pack(fum_device_packer *packer, const struct fum_weight *part,
                                const struct fum_view *view, const struct fum_binding *to,
                                struct fum_error *err);
enum fum_result fum_device_packer_finish(fum_device_packer *packer, struct fum_error *err);

// Describes to the kernel "device_pack" one chunk of a weight. Its bindings are the file's bytes
// and the weight.
struct fum_device_pack_chunk {
    enum fum_dtype from, to;
    bool transposed;                  // rows of the file are columns of the weight
    int64_t rows, columns, row_quads; // of the chunk; quads from one row of the weight to the next
    int64_t first_quad;               // where in the weight it starts
    int64_t taps;                     // kernel height · width of a convolution; else 1
};
enum { FUM_DEVICE_PACK_SPEC = 6 };
bool fum_device_pack_fill(const struct fum_device_info *info,
                          const struct fum_device_pack_chunk *chunk,
                          uint32_t spec[FUM_DEVICE_PACK_SPEC], struct fum_device_pack_push *push,
                          uint32_t groups[3]);

#endif
