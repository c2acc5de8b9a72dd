// SPDX-License-Identifier: MIT
// Lists the modules of a model under the names that adapters have for them.
#ifndef FUM_ADAPTER_TARGETS_H
#define FUM_ADAPTER_TARGETS_H

#include "base/view.h"
#include "model/model.h"

// A module with weights. Strings belong to the targets.
struct fum_adapter_target {
    const char *flat;   // its name with "_" for every dot, as adapters spell it
    const char *module; // "mid_block.attentions.0.proj_in"
    const char *component;
    struct fum_weight_source source; // of the component
    bool text;                       // of a text encoder
    bool linear;                     // the graph can add to its result
};

typedef struct fum_adapter_targets fum_adapter_targets;

enum fum_result fum_adapter_targets_create(fum_adapter_targets **targets, const fum_model *model,
                                           struct fum_error *err);
void fum_adapter_targets_destroy(fum_adapter_targets **targets);
// Finds a module by the name of a struct fum_adapter_key; NULL: the model has none.
const struct fum_adapter_target *fum_adapter_targets_find(const fum_adapter_targets *targets,
                                                          const char *module);
// Returns the index-th module, once for each of its names; NULL past the last.
const struct fum_adapter_target *fum_adapter_targets_at(const fum_adapter_targets *targets,
                                                        size_t index);

#endif
