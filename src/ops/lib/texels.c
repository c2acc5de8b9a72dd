// SPDX-License-Identifier: MIT
#include "ops/lib/texels.h"

#include "base/dtype.h"
#include "ops/lib/device_class.h"

bool fum_texels_fit(const struct fum_device_info *info, enum fum_dtype dtype) {
    return info->texel_align && info->texel_align <= info->binding_align &&
           info->max_texels >= info->max_binding / (4 * fum_dtype_size(dtype));
}

bool fum_texels_faster(const struct fum_device_info *info, const struct fum_tuning *tuning,
                       enum fum_dtype dtype) {
    const struct fum_variant *forced = tuning ? tuning->variant : NULL;
    bool wished = forced ? forced == &fum_variant_texel : fum_device_class_of(info)->prefers_texels;
    return wished && fum_texels_fit(info, dtype);
}
