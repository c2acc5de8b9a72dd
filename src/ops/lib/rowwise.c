// SPDX-License-Identifier: MIT
#include "ops/lib/rowwise.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "ops/lib/part.h"

bool fum_rowwise_infer(struct fum_op_call *call, int count, struct fum_why *why) {
    int64_t channels = fum_shape_channels(&call->in[0].shape);
    for (int i = 1; i <= count; i++) {
        if (i >= call->num_inputs || !call->has[i]) continue;
        const struct fum_shape *s = &call->in[i].shape;
        if (fum_shape_channels(s) != channels || fum_shape_rows(s) != 1)
            return fum_refuse(why, "input %d must have x's %lld channels and nothing else", i,
                              (long long)channels);
    }
    call->out = call->in[0];
    return true;
}

bool fum_rowwise_dispatch(const struct fum_op_call *call, const struct fum_rowwise *r,
                          struct fum_dispatches *list) {
    const struct fum_desc *desc = &call->out;
    uint32_t lanes = r->lanes ? r->lanes : fum_lanes(list->info);
    int64_t rows = fum_shape_rows(&desc->shape), channels = fum_shape_channels(&desc->shape);
    if (channels == 0) return true;
    int64_t fit = fum_min_i64(fum_rows_per_binding(list->info, desc), INT32_MAX);
    if (fit < 1)
        return fum_refuse(&list->why, "one row is over the device's largest binding of %llu bytes",
                          (unsigned long long)list->info->max_binding);
    for (int64_t first = 0; first < rows; first += fit) {
        int64_t count = fum_min_i64(fit, rows - first);
        struct fum_dispatch *d = fum_dispatch_add(list);
        if (!d)
            return fum_refuse(&list->why,
                              "needs more than %d dispatches to fit the device's bindings",
                              FUM_MAX_DISPATCHES);
        *d = (struct fum_dispatch){.shader = r->shader,
                                   .dtype = desc->dtype,
                                   .texels = r->texels,
                                   .spec = {lanes, 1, 1},
                                   .num_spec = 3 + r->num_flags,
                                   .num_bind = 2 + r->num_params,
                                   .push = {(uint32_t)channels, (uint32_t)count},
                                   .num_push = 4};
        memcpy(d->spec + 3, r->flags, (size_t)r->num_flags * sizeof *r->flags);
        fum_bind_rows(list, d, 0, 0, false, desc, first, count, &d->push[2]);
        for (int i = 1; i <= r->num_params; i++)
            d->bind[i] = i < call->num_inputs && call->has[i]
                             ? (struct fum_dispatch_bind){.operand = i}
                             : d->bind[0];
        fum_bind_rows(list, d, 1 + r->num_params, FUM_OUT, true, desc, first, count, &d->push[3]);
        if (r->eps) memcpy(&d->push[d->num_push++], r->eps, sizeof *r->eps);
        uint64_t groups = r->lanes ? (uint64_t)count : FUM_DIV_UP((uint64_t)count, lanes);
        if (!fum_groups_1d(list->info, groups, d->groups))
            return fum_refuse(&list->why, "needs more workgroups than the device has");
    }
    return true;
}
