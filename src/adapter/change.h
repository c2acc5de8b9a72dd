// SPDX-License-Identifier: MIT
// A layer of an adapter's file with the weight that it changes.
#ifndef FUM_ADAPTER_CHANGE_H
#define FUM_ADAPTER_CHANGE_H

#include "adapter/kind.h"
#include "adapter/targets.h"

struct fum_adapter_change {
    const struct fum_adapter_target *target;
    const char *weight;
    size_t order; // as given; f32 sums depend on it
    struct fum_adapter_layer layer;
};

#endif
