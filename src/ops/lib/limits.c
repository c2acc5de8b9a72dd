// SPDX-License-Identifier: MIT
// Counts the rows that fit a device's bindings.
#include "graph/op.h"

int64_t fum_rows_per_binding(const struct fum_device_info *info, const struct fum_desc *desc) {
    uint64_t row = fum_desc_row_bytes(desc);
    if (!row) return INT64_MAX;
    // A tensor that fits whole starts on the alignment and needs no room for the skip.
    if (fum_desc_bytes(desc) <= info->max_binding) return INT64_MAX;
    uint64_t room =
        info->max_binding > info->binding_align ? info->max_binding - info->binding_align : 0;
    return (int64_t)(room / row);
}
