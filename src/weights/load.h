// SPDX-License-Identifier: MIT
// Brings weights from their source to where they lie on the device.
#ifndef FUM_WEIGHTS_LOAD_H
#define FUM_WEIGHTS_LOAD_H

#include "weights/store.h"

struct fum_weight_place {
    struct fum_weight weight;
    struct fum_binding binding;
};

// Refuses a weight that is missing from the source or has another shape there.
enum fum_result fum_weight_check(const struct fum_weights_params *params,
                                 const struct fum_weight *weight, struct fum_error *err);
// Writes one whole weight, repacked and converted, to host memory.
enum fum_result fum_weight_write(const struct fum_weights_params *params,
                                 const struct fum_weight *weight, void *where,
                                 struct fum_error *err);
// Loads places[0..count): on several threads where the device's memory can be written directly,
// else through the staging ring. Progress is reported beyond *done bytes, which grow by what was
// loaded.
enum fum_result fum_weight_load_places(const struct fum_weights_params *params,
                                       const struct fum_weight_place *places, int count,
                                       uint64_t *done, struct fum_error *err);

#endif
