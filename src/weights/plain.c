// SPDX-License-Identifier: MIT
// Weights that kernels read in the order of the file: biases, norms, tables.
#include "weights/transpose.h"

#include <string.h>

static struct fum_view file_view(const struct fum_shape *shape) {
    struct fum_view view = {.rank = shape->rank};
    memcpy(view.dim, shape->dim, (size_t)shape->rank * sizeof shape->dim[0]);
    return view;
}

static void pack_rows(const struct fum_pack_job *job) {
    size_t row_bytes = (size_t)job->to.row_elements * fum_dtype_size(job->to.type);
    for (int64_t r = 0; r < job->to.count; r++)
        fum_pack_convert((uint8_t *)job->to.data + (size_t)r * row_bytes, job->to.type, job->view,
                         (job->to.first + r) * job->columns, job->columns);
}

const struct fum_packing fum_packing_plain = {
    .name = "plain",
    .file_view = file_view,
    .any_dimensions = true,
    .rows = pack_rows,
    .device_shader = "device_pack",
};
