// SPDX-License-Identifier: MIT
// The gradient of conv2d by its weight with tiles in shared memory: part of the variant "tiled".
#include "ops/lib/gemm_tiles.h"
#include "ops/lib/weight_gradient.h"
#include "ops/variants/variant.h"

enum { CHOICES = 64 };

// True if an invocation's rows are whole quads, as the kernel takes them. It keeps both operands of
// a step in shared memory.
static bool suits(const struct fum_tiling *t, const struct fum_device_info *info) {
    uint32_t shared = t->bk * (t->bm + t->bn) * (uint32_t)sizeof(float);
    return t->tm % 4 == 0 && shared <= info->shared_bytes;
}

bool fum_weight_gradient_tiled(const struct fum_op_call *call, const struct fum_conv_gradient *c,
                               struct fum_dispatches *list) {
    const struct fum_tiling_shape shape = {
        .dtype = call->out.dtype,
        .conv = true,
        .batches = 1,
        .rows = fum_weight_gradient_rows(c),
        .n = c->out_c,
        .quads = FUM_DIV_UP(fum_weight_gradient_pixels(c), 4),
    };
    struct fum_tiling_choice choices[CHOICES];
    int count = fum_tiling_candidates(&shape, list->info, choices, CHOICES);
    for (int i = 0; i < count; i++) {
        const struct fum_tiling t = fum_tiling_of(choices[i].tile, false);
        if (!suits(&t, list->info)) continue;
        const struct fum_weight_kernel kernel = {.shader = "weight_gradient_tiled",
                                                 .lanes = fum_tiling_threads(&t),
                                                 .rows = t.bm,
                                                 .columns = t.bn,
                                                 .step = t.bk,
                                                 .splits = choices[i].splits,
                                                 .specs = {t.bm, t.bn, t.bk, t.tm, t.tn},
                                                 .num_specs = 5};
        return fum_weight_gradient_dispatch(call, c, &kernel, list);
    }
    return false;
}
