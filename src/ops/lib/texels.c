// SPDX-License-Identifier: MIT
#include "ops/lib/texels.h"

#include "base/dtype.h"
#include "ops/lib/device_class.h"

#include <stdio.h>

bool fum_texels_fit(const struct fum_device_info *info, enum fum_dtype dtype) {
    return info->texel_align && info->texel_align <= info->binding_align &&
           info->max_texels >= info->max_binding / (4 * fum_dtype_size(dtype));
}

// True if the device has the subgroups and texels that the kernels need. A workgroup is one
// subgroup, whose width must not vary; wider ones than 16 lanes would leave most fetches of x idle.
bool fum_texel_usable(const struct fum_device_info *info, enum fum_dtype dtype) {
    return fum_device_stores(info, dtype) && info->subgroup_shuffle && info->subgroup_size >= 4 &&
           info->subgroup_size <= 16 && info->subgroup_min == info->subgroup_max &&
           fum_texels_fit(info, dtype);
}

bool fum_texels_faster(const struct fum_device_info *info, const struct fum_tuning *tuning,
                       enum fum_dtype dtype) {
    const struct fum_variant *forced = tuning ? tuning->variant : NULL;
    bool wished = forced ? forced == &fum_variant_texel : fum_device_class_of(info)->prefers_texels;
    return wished && fum_texels_fit(info, dtype);
}

// True for Mesa's driver for CPUs, which has 64-bit floats (shaderFloat64).
static bool stores_pairs(const struct fum_device_info *info) {
    enum { MESA = 0x10005 };
    return info->vendor_id == MESA && info->type == FUM_DEVICE_CPU;
}

void fum_read_texels(const struct fum_dispatches *list, struct fum_dispatch *d, uint32_t inputs) {
    char name[64];
    const struct fum_shader *texel = NULL;
    if (!fum_texels_faster(list->info, list->tuning, d->dtype)) return;
    if (stores_pairs(list->info)) {
        snprintf(name, sizeof name, "%s_pairs", d->shader);
        texel = fum_shader_find(name, d->dtype);
    }
    if (!texel) {
        snprintf(name, sizeof name, "%s_texel", d->shader);
        texel = fum_shader_find(name, d->dtype);
    }
    if (!texel) return;
    d->shader = texel->name;
    d->texels = inputs;
}

struct fum_dispatch *fum_emit_quads_reading(struct fum_dispatches *list, const char *shader,
                                            enum fum_dtype dtype, uint64_t items, uint32_t inputs) {
    struct fum_dispatch *d = fum_emit_quads(list, shader, dtype, items);
    if (d) fum_read_texels(list, d, inputs);
    return d;
}

struct fum_dispatch *fum_emit_reading(struct fum_dispatches *list, const char *shader,
                                      enum fum_dtype dtype, uint64_t items, uint32_t inputs) {
    struct fum_dispatch *d = fum_emit(list, shader, dtype, items);
    if (d) fum_read_texels(list, d, inputs);
    return d;
}
