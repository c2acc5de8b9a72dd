// SPDX-License-Identifier: MIT
// Windows of rows that fit a device's bindings.
#include "graph/op.h"

void fum_window_rows(const struct fum_device_info *info, const struct fum_desc *desc, int64_t first,
                     int64_t count, uint64_t *offset, uint64_t *bytes, uint32_t *skip) {
    uint64_t row = fum_desc_row_bytes(desc), start = (uint64_t)first * row;
    uint64_t align = info->binding_align ? info->binding_align : 1;
    *offset = start / align * align;
    *bytes = start - *offset + (uint64_t)count * row;
    *skip = (uint32_t)((start - *offset) / (4 * fum_dtype_size(desc->dtype)));
}

int64_t fum_rows_per_binding(const struct fum_device_info *info, const struct fum_desc *desc) {
    uint64_t row = fum_desc_row_bytes(desc);
    if (!row) return INT64_MAX;
    // A tensor that fits whole starts on the alignment and needs no room for the skip.
    if (fum_desc_bytes(desc) <= info->max_binding) return INT64_MAX;
    uint64_t room =
        info->max_binding > info->binding_align ? info->max_binding - info->binding_align : 0;
    return (int64_t)(room / row);
}
