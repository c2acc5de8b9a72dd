// SPDX-License-Identifier: MIT
#include "ops/lib/emit.h"

#include "base/macros.h"
#include "gpu/tuning.h"

#include <math.h>
#include <string.h>

struct fum_dispatch *fum_emit(struct fum_dispatches *list, const char *shader, enum fum_dtype dtype,
                              uint64_t items) {
    if (list->count == FUM_MAX_DISPATCHES) {
        fum_refuse(&list->why, "needs more than %d dispatches to fit the device's binding size",
                   FUM_MAX_DISPATCHES);
        return NULL;
    }
    struct fum_dispatch *d = &list->item[list->count];
    uint32_t lanes = fum_lanes(list->info);
    *d = (struct fum_dispatch){
        .shader = shader, .dtype = dtype, .spec = {lanes, 1, 1}, .num_spec = 3};
    if (!fum_groups_1d(list->info, FUM_DIV_UP(items, lanes), d->groups)) {
        fum_refuse(&list->why, "needs more workgroups than the device has");
        return NULL;
    }
    list->count++;
    return d;
}

bool fum_texels_fit(const struct fum_device_info *info, enum fum_dtype dtype) {
    return info->texel_align && info->texel_align <= info->binding_align &&
           info->max_texels >= info->max_binding / (4 * fum_dtype_size(dtype));
}

bool fum_texels_pay(const struct fum_device_info *info, const struct fum_tuning *tuning,
                    enum fum_dtype dtype) {
    const char *forced = tuning ? tuning->variant : NULL;
    return (forced ? !strcmp(forced, "texel") : info->type == FUM_DEVICE_CPU) &&
           fum_texels_fit(info, dtype);
}

void fum_emit_spec(struct fum_dispatch *d, uint32_t value) {
    d->spec[d->num_spec++] = value;
}

void fum_emit_push(struct fum_dispatch *d, uint32_t value) {
    d->push[d->num_push++] = value;
}

void fum_emit_push_float(struct fum_dispatch *d, float value) {
    memcpy(&d->push[d->num_push++], &value, sizeof value);
}

void fum_emit_bind(struct fum_dispatch *d, int operand, bool write, uint64_t offset,
                   uint64_t bytes) {
    d->bind[d->num_bind++] = (struct fum_dispatch_bind){
        .operand = operand, .write = write, .offset = offset, .bytes = bytes};
}

bool fum_emit_bind_whole(struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                         bool write, const struct fum_desc *desc) {
    if (fum_desc_bytes(desc) > list->info->max_binding)
        return fum_refuse(
            &list->why, "%llu bytes of one operand do not fit the device's binding of %llu",
            (unsigned long long)fum_desc_bytes(desc), (unsigned long long)list->info->max_binding);
    fum_emit_bind(d, operand, write, 0, 0);
    return true;
}

uint32_t fum_emit_bind_rows(struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                            bool write, const struct fum_desc *desc, int64_t first, int64_t count) {
    uint64_t offset, bytes;
    uint32_t skip;
    fum_window_rows(list->info, desc, first, count, &offset, &bytes, &skip);
    fum_emit_bind(d, operand, write, offset, bytes);
    return skip;
}

uint64_t fum_desc_quads(const struct fum_desc *desc) {
    return (uint64_t)fum_shape_rows(&desc->shape) * (uint64_t)fum_shape_row_quads(&desc->shape);
}

bool fum_is_storage(enum fum_dtype dtype) {
    return dtype == FUM_F32 || dtype == FUM_F16 || dtype == FUM_BF16;
}

bool fum_device_stores(const struct fum_device_info *info, enum fum_dtype dtype) {
    return dtype != FUM_F16 || info->storage16; // bf16 is packed into 32-bit words
}

enum fum_dtype fum_raw_variant(enum fum_dtype dtype) {
    return fum_dtype_size(dtype) == 4 ? FUM_F32 : FUM_BF16;
}

bool fum_attr_int(double a, const char *name, int64_t least, int64_t most, int64_t *value,
                  struct fum_why *why) {
    if (!(a >= (double)least && a <= (double)most) || a != floor(a))
        return fum_refuse(why, "%s is %g; want a whole number from %lld to %lld", name, a,
                          (long long)least, (long long)most);
    *value = (int64_t)a;
    return true;
}

bool fum_attr_storage(double a, enum fum_dtype *dtype, struct fum_why *why) {
    int64_t value = 0;
    if (a == -1) return true;
    if (!fum_attr_int(a, "dtype", FUM_F32, FUM_BF16, &value, why)) return false;
    *dtype = (enum fum_dtype)value;
    return true;
}

bool fum_is_counter(const struct fum_desc *desc) {
    return desc->dtype == FUM_I32 && fum_shape_count(&desc->shape) == 1;
}
