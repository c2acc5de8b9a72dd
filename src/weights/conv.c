// SPDX-License-Identifier: MIT
// Weights of convolutions: [out, in, height, width] in files, [height, width, in, out] for the
// kernels.
#include "weights/transpose.h"

static struct fum_view file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank != 4) return (struct fum_view){0};
    return (struct fum_view){.rank = 4, .dim = {d[3], d[2], d[0], d[1]}};
}

const struct fum_packing fum_packing_conv = {
    .name = "conv",
    .file_view = file_view,
    .transposed = true,
    .rows = fum_pack_transpose,
    .device_shader = "device_pack",
};
