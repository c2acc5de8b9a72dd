// SPDX-License-Identifier: MIT
#include "ops/lib/emit.h"

#include "ops/lib/device_class.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TURNS = 1 }; // of the specialisation constants, see shaders/lib/index.glsl

// ---- dispatches ----

struct fum_dispatch *fum_emit_groups(struct fum_dispatches *list, const char *shader,
                                     enum fum_dtype dtype, uint32_t lanes, uint64_t groups) {
    if (list->count == FUM_MAX_DISPATCHES) {
        fum_refuse(&list->why, "needs more than %d dispatches to fit the device's binding size",
                   FUM_MAX_DISPATCHES);
        return NULL;
    }
    struct fum_dispatch *d = &list->item[list->count];
    *d = (struct fum_dispatch){
        .shader = shader, .dtype = dtype, .spec = {lanes, 1, 1}, .num_spec = 3};
    if (!fum_groups_1d(list->info, groups, d->groups)) {
        fum_refuse(&list->why, "needs more workgroups than the device has");
        return NULL;
    }
    list->count++;
    return d;
}

struct fum_dispatch *fum_emit(struct fum_dispatches *list, const char *shader, enum fum_dtype dtype,
                              uint64_t items) {
    uint32_t lanes = fum_lanes(list->info);
    return fum_emit_groups(list, shader, dtype, lanes, FUM_DIV_UP(items, lanes));
}

struct fum_dispatch *fum_emit_quads(struct fum_dispatches *list, const char *shader,
                                    enum fum_dtype dtype, uint64_t items) {
    uint32_t lanes = fum_lanes(list->info);
    uint32_t turns = FUM_MAX(fum_device_class_of(list->info)->turns, 1);
    struct fum_dispatch *d =
        fum_emit_groups(list, shader, dtype, lanes, FUM_DIV_UP(items, lanes * turns));
    if (d) d->spec[TURNS] = turns;
    return d;
}

const char *fum_emit_shader(struct fum_dispatches *list, const char *shader,
                            const struct fum_packing *quantised, enum fum_dtype dtype) {
    char name[64];
    if (!quantised) return shader;
    snprintf(name, sizeof name, "%s_%s", shader, quantised->name);
    const struct fum_shader *found = fum_shader_find(name, dtype);
    if (!found) fum_refuse(&list->why, "this build has no kernel %s", name);
    return found ? found->name : NULL;
}

void fum_emit_spec(struct fum_dispatch *d, uint32_t value) {
    d->spec[d->num_spec++] = value;
}

void fum_emit_specs(struct fum_dispatch *d, const uint32_t *values, size_t count) {
    memcpy(d->spec + d->num_spec, values, count * sizeof *values);
    d->num_spec += (int)count;
}

void fum_emit_push(struct fum_dispatch *d, const void *block, size_t bytes) {
    memcpy(d->push, block, bytes);
    d->num_push = (int)(bytes / sizeof *d->push);
}

// ---- bindings ----

struct fum_dispatch_bind fum_bind_rows(const struct fum_dispatches *list, int operand,
                                       struct fum_rows rows, uint32_t *skip) {
    uint64_t row = fum_desc_row_bytes(rows.desc), start = (uint64_t)rows.first * row;
    uint64_t align = FUM_MAX(list->info->binding_align, 1);
    uint64_t offset = start / align * align;
    *skip = (uint32_t)((start - offset) / (4 * fum_dtype_size(rows.desc->dtype)));
    return (struct fum_dispatch_bind){.operand = operand,
                                      .write = operand == FUM_OUT,
                                      .offset = offset,
                                      .bytes = start - offset + (uint64_t)rows.count * row};
}

struct fum_dispatch_bind fum_bind_scratch(uint64_t offset, uint64_t bytes, bool write) {
    return (struct fum_dispatch_bind){
        .operand = FUM_SCRATCH, .write = write, .offset = offset, .bytes = bytes};
}

void fum_emit_bind(struct fum_dispatch *d, struct fum_dispatch_bind bind) {
    d->bind[d->num_bind++] = bind;
}

uint32_t fum_emit_rows(const struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                       struct fum_rows rows) {
    uint32_t skip;
    fum_emit_bind(d, fum_bind_rows(list, operand, rows, &skip));
    return skip;
}

int fum_emit_again(struct fum_dispatch *d) {
    struct fum_dispatch_bind bind = d->bind[d->num_bind - 1];
    bind.write = false;
    fum_emit_bind(d, bind);
    return d->num_bind - 1;
}

void fum_emit_operand(struct fum_dispatch *d, int operand) {
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = operand, .write = operand == FUM_OUT});
}

bool fum_emit_whole(struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                    const struct fum_desc *desc) {
    if (fum_desc_bytes(desc) > list->info->max_binding)
        return fum_refuse(
            &list->why, "%llu bytes of one operand do not fit the device's binding of %llu",
            (unsigned long long)fum_desc_bytes(desc), (unsigned long long)list->info->max_binding);
    fum_emit_operand(d, operand);
    return true;
}

bool fum_emit_input(struct fum_dispatches *list, struct fum_dispatch *d, int input,
                    const struct fum_desc *desc) {
    if (fum_shape_count(&desc->shape)) return fum_emit_whole(list, d, input, desc);
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = FUM_OUT});
    return true;
}

bool fum_emit_sums(struct fum_dispatches *list, struct fum_dispatch *d, const struct fum_desc *out,
                   bool last) {
    const struct fum_dispatch_bind partial = fum_bind_scratch(0, list->scratch_bytes, !last);
    // The kernel declares both as written, so an unused one repeats the other.
    if (list->scratch_bytes)
        fum_emit_bind(d, partial);
    else
        fum_emit_operand(d, FUM_OUT);
    if (last) return fum_emit_whole(list, d, FUM_OUT, out);
    fum_emit_bind(d, partial);
    return true;
}

bool fum_refuse_size(struct fum_why *why, const struct fum_device_info *info, const char *what) {
    return fum_refuse(why, "%s exceeds the device's largest binding of %llu bytes", what,
                      (unsigned long long)info->max_binding);
}

// ---- tensors walked from end to end ----

uint64_t fum_quads_per_binding(const struct fum_device_info *info, enum fum_dtype dtype) {
    uint64_t bytes = info->max_binding / info->binding_align * info->binding_align;
    return bytes / (4 * fum_dtype_size(dtype));
}

bool fum_span_next(struct fum_span *span, uint64_t total, uint64_t each) {
    span->first += span->count;
    span->count = FUM_MIN(each, total - span->first);
    return span->count > 0;
}

void fum_emit_span(struct fum_dispatch *d, int operand, enum fum_dtype dtype,
                   const struct fum_span *span) {
    uint64_t quad = 4 * fum_dtype_size(dtype);
    fum_emit_bind(d, (struct fum_dispatch_bind){.operand = operand,
                                                .write = operand == FUM_OUT,
                                                .offset = span->first * quad,
                                                .bytes = span->count * quad});
}

// ---- descriptions and settings ----

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

bool fum_is_counter(const struct fum_desc *desc) {
    return desc->dtype == FUM_I32 && fum_shape_count(&desc->shape) == 1;
}

bool fum_attr_int(double a, struct fum_attr_range range, int64_t *value, struct fum_why *why) {
    if (!(a >= (double)range.least && a <= (double)range.most) || a != floor(a))
        return fum_refuse(why, "%s is %g; must be a whole number from %lld to %lld", range.name, a,
                          (long long)range.least, (long long)range.most);
    *value = (int64_t)a;
    return true;
}

bool fum_attr_storage(double a, enum fum_dtype *dtype, struct fum_why *why) {
    const struct fum_attr_range types = {"dtype", FUM_F32, FUM_BF16};
    int64_t value = 0;
    if (a == -1) return true;
    if (!fum_attr_int(a, types, &value, why)) return false;
    *dtype = (enum fum_dtype)value;
    return true;
}
