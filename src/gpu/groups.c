// SPDX-License-Identifier: MIT
#include "gpu/groups.h"

#include "base/macros.h"

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
