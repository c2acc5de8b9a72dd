// SPDX-License-Identifier: MIT
// Names the kernel that a dispatch runs.
#include "graph/op.h"

#include <string.h>

struct fum_desc fum_call_memory(const struct fum_op_call *call, int i) {
    return fum_packing_desc(call->quantised[i], &call->in[i]);
}

struct fum_kernel_desc fum_dispatch_kernel(const struct fum_dispatch *d) {
    struct fum_kernel_desc desc = {.shader = fum_shader_find(d->shader, d->dtype),
                                   .num_spec = d->num_spec,
                                   .num_bindings = d->num_bind,
                                   .num_push = d->num_push,
                                   .subgroup = d->subgroup,
                                   .texels = d->texels};
    memcpy(desc.spec, d->spec, sizeof desc.spec);
    return desc;
}
