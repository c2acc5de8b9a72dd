// SPDX-License-Identifier: MIT
// Weights of linear layers: [out, in] in files, [in, out] for the kernels.
#include "weights/transpose.h"

static struct fum_view file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank != 2) return (struct fum_view){0};
    return (struct fum_view){.rank = 2, .dim = {d[1], d[0]}};
}

const struct fum_packing fum_packing_linear = {
    .name = "linear",
    .file_view = file_view,
    .transposed = true,
    .rows = fum_pack_transpose,
    .device_shader = "device_pack",
};
