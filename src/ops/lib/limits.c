// SPDX-License-Identifier: MIT
// How ops fit a device's limits: windows of rows, workgroup counts.
#include "base/macros.h"
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

bool fum_groups_1d(const struct fum_device_info *info, uint64_t n, uint32_t groups[3]) {
    uint64_t x = n < info->max_group_count[0] ? n : info->max_group_count[0];
    // A driver may state 2^32 - 1; group_index() must stay within 32 bits.
    if (n >= UINT32_MAX || x == 0) {
        groups[0] = groups[1] = groups[2] = n ? 0 : 1;
        return n == 0;
    }
    uint64_t y = FUM_DIV_UP(n, x);
    if (y > info->max_group_count[1]) return false;
    groups[0] = (uint32_t)FUM_DIV_UP(n, y); // near-equal rows: few workgroups that leave at once
    groups[1] = (uint32_t)y;
    groups[2] = 1;
    return true;
}

uint32_t fum_lanes(const struct fum_device_info *info) {
    uint32_t lanes = info->type == FUM_DEVICE_CPU ? 8 : 64;
    return lanes < info->max_group_invocations ? lanes : info->max_group_invocations;
}
