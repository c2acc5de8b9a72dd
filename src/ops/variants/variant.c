// SPDX-License-Identifier: MIT
#include "ops/variants/variant.h"

#include <fumarole/tuning.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"
#include "gpu/tuning.h"

#include <stdio.h>
#include <string.h>

// ---- the table ----

const struct fum_variant *const fum_variants[] = {
    &fum_variant_plain,
    &fum_variant_texel,
    &fum_variant_tiled,
    &fum_variant_f16,
    &fum_variant_coopmat,
    &fum_variant_int8,
    NULL,
};

const struct fum_variant *fum_variant_find(const char *name) {
    for (int i = 0; name && fum_variants[i]; i++)
        if (!strcmp(fum_variants[i]->name, name)) return fum_variants[i];
    return NULL;
}

// ---- choosing ----

// Calls one of the hooks of `v`. Returns false if it does not serve the call.
typedef bool (*hook)(const struct fum_variant *v, const struct fum_op_call *call, const void *sizes,
                     struct fum_dispatches *list);

// Returns false, with the list as before, if the variant does not take the call.
static bool offer(const struct fum_variant *v, hook run, const struct fum_op_call *call,
                  const void *sizes, struct fum_dispatches *list) {
    int count = list->count;
    uint64_t scratch = list->scratch_bytes;
    if (!v->usable(list->info, call->out.dtype)) return false;
    if (run(v, call, sizes, list)) return true;
    list->count = count;
    list->scratch_bytes = scratch;
    return false;
}

static bool choose_variant(hook run, const struct fum_op_call *call, const void *sizes,
                           struct fum_dispatches *list) {
    const struct fum_variant *forced = list->tuning ? list->tuning->variant : NULL;
    const struct fum_device_class *class = fum_device_class_of(list->info);
    if (forced == &fum_variant_plain) return run(&fum_variant_plain, call, sizes, list);
    if (forced && offer(forced, run, call, sizes, list)) return true;
    for (int i = 0; i < FUM_CLASS_VARIANTS && class->variants[i]; i++)
        if (offer(class->variants[i], run, call, sizes, list)) return true;
    return run(&fum_variant_plain, call, sizes, list);
}

static bool matmul(const struct fum_variant *v, const struct fum_op_call *call, const void *sizes,
                   struct fum_dispatches *list) {
    const struct fum_gemm *gemm = sizes;
    return v->matmul && fum_variant_takes(v, gemm->quantised) &&
           (v->gates || gemm->gate == FUM_ACT_NONE) && (v->panels || !gemm->panels) &&
           v->matmul(call, gemm, list);
}

static bool conv2d(const struct fum_variant *v, const struct fum_op_call *call, const void *sizes,
                   struct fum_dispatches *list) {
    const struct fum_conv *conv = sizes;
    return v->conv2d && fum_variant_takes(v, conv->quantised) &&
           (v->normalises || !call->has[FUM_CONV_NORM]) && (v->panels || !conv->panels) &&
           v->conv2d(call, conv, list);
}

static bool attention(const struct fum_variant *v, const struct fum_op_call *call,
                      const void *sizes, struct fum_dispatches *list) {
    return v->attention && v->attention(call, sizes, list);
}

static bool weight_gradient(const struct fum_variant *v, const struct fum_op_call *call,
                            const void *sizes, struct fum_dispatches *list) {
    return v->weight_gradient && v->weight_gradient(call, sizes, list);
}

static bool is_empty(const struct fum_gemm *g) {
    return g->n == 0 || g->rows == 0 || g->batches == 0;
}

bool fum_variant_matmul(const struct fum_op_call *call, const struct fum_gemm *gemm,
                        struct fum_dispatches *list) {
    return is_empty(gemm) || choose_variant(matmul, call, gemm, list);
}

bool fum_variant_conv2d(const struct fum_op_call *call, const struct fum_conv *conv,
                        struct fum_dispatches *list) {
    return choose_variant(conv2d, call, conv, list);
}

bool fum_variant_attention(const struct fum_op_call *call, const struct fum_attention *a,
                           struct fum_dispatches *list) {
    return choose_variant(attention, call, a, list);
}

bool fum_variant_weight_gradient(const struct fum_op_call *call,
                                 const struct fum_conv_gradient *conv,
                                 struct fum_dispatches *list) {
    return choose_variant(weight_gradient, call, conv, list);
}

bool fum_variant_usable_at_all(const struct fum_variant *v, const struct fum_device_info *info) {
    return v->usable(info, FUM_F32) || v->usable(info, FUM_F16) || v->usable(info, FUM_BF16);
}

bool fum_variant_gates(const struct fum_device_info *info, enum fum_dtype dtype) {
    const struct fum_device_class *class = fum_device_class_of(info);
    for (int i = 0; i < FUM_CLASS_VARIANTS && class->variants[i]; i++)
        if (!class->variants[i]->only && class->variants[i]->usable(info, dtype))
            return class->variants[i]->gates;
    return false;
}

extern const struct fum_op fum_op_matmul, fum_op_conv2d, fum_op_attention,
    fum_op_conv2d_weight_gradient;

bool fum_variant_serves(const struct fum_variant *v, const struct fum_op *op) {
    // 1x1 convolutions are products
    if (op == &fum_op_matmul) return v->matmul;
    if (op == &fum_op_conv2d) return v->matmul || v->conv2d;
    if (op == &fum_op_conv2d_weight_gradient) return v->weight_gradient;
    return op == &fum_op_attention && v->attention;
}

bool fum_variant_takes(const struct fum_variant *v, const struct fum_packing *quantised) {
    return !v->only || v->only == quantised;
}

// ---- the public side ----

const char *fum_variant_name(int index) {
    int count = (int)FUM_COUNT(fum_variants) - 1;
    return index >= 0 && index < count ? fum_variants[index]->name : NULL;
}

const char *fum_variant_summary(const char *name) {
    const struct fum_variant *v = fum_variant_find(name);
    return v ? v->summary : NULL;
}

bool fum_variant_usable(const char *name, const struct fum_device_info *info,
                        enum fum_dtype dtype) {
    const struct fum_variant *v = fum_variant_find(name);
    return v && v->usable(info, dtype);
}

int fum_variant_rank(const char *name, const struct fum_device_info *info, enum fum_dtype dtype) {
    const struct fum_variant *v = fum_variant_find(name);
    const struct fum_device_class *class = fum_device_class_of(info);
    int rank = 0;
    for (int i = 0; i < FUM_CLASS_VARIANTS && class->variants[i]; i++) {
        if (!class->variants[i]->usable(info, dtype)) continue;
        if (class->variants[i] == v) return rank;
        rank++;
    }
    return v == &fum_variant_plain && v->usable(info, dtype) ? rank : -1;
}

enum fum_result fum_device_force_variant(fum_device *device, const char *name,
                                         struct fum_error *err) {
    const struct fum_device_info *info = fum_device_get_info(device);
    const struct fum_variant *v = fum_variant_find(name);
    if (!name || (v && fum_variant_usable_at_all(v, info))) {
        fum_device_set_variant(device, v);
        return FUM_OK;
    }
    char list[128] = "";
    size_t used = 0;
    for (int i = 0; fum_variants[i]; i++)
        if (fum_variant_usable_at_all(fum_variants[i], info) && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, " %s", fum_variants[i]->name);
    if (!v)
        return fum_error_set(err, FUM_ERR_ARG, "there is no variant '%s'; %s can run:%s",
                             fum_text_show(name).text, info->name, list);
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s cannot run variant %s, which needs %s; it can run:%s", info->name,
                         v->name, v->needs, list);
}
