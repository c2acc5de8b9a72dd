// SPDX-License-Identifier: MIT
// Lists the kinds of adapters, and adds their changes to weights.
#include "adapter/kind.h"

#include "base/alloc.h"
#include "base/error.h"

#define FUM_ADAPTER_KIND(name, file) &fum_adapter_##name,
const struct fum_adapter_kind *const fum_adapter_kinds[] = {
#include "adapter/kinds.def"
    NULL,
};
#undef FUM_ADAPTER_KIND

enum fum_result fum_adapter_add(const struct fum_adapter_layer *layer,
                                const struct fum_adapter_shape *shape, const float *weight,
                                float *sum, struct fum_error *err) {
    size_t count = (size_t)(shape->rows * shape->columns);
    float *change = fum_alloc(count, sizeof *change), strength = (float)layer->strength;
    const struct fum_adapter_job job = {layer, *shape, weight, change};
    enum fum_result result =
        change ? layer->kind->compute(&job, err)
               : fum_error_set(err, FUM_ERR_NOMEM, "no memory for an adapter's change");
    if (!result) result = fum_adapter_dora_apply(&job, err);
    for (size_t i = 0; i < count && !result; i++) sum[i] += strength * change[i];
    fum_free(change);
    return result;
}
