// SPDX-License-Identifier: MIT
// Components that are given apart from the model: which there are, and a model that is made of
// them.
#ifndef FUM_MODEL_PARTS_H
#define FUM_MODEL_PARTS_H

#include "model/components.h"

// True if any component is given, or the one of that name. `params` may be NULL.
bool fum_model_has_parts(const struct fum_model_params *params);
bool fum_model_has_part(const struct fum_model_params *params, const char *component);

// Opens the given components, in the place of the model's own. A model without any takes family and
// scheduler from the UNet.
enum fum_result fum_model_add_parts(fum_model *model, const struct fum_model_params *params,
                                    struct fum_error *err);
// Checks that the given components make a whole model without a path.
enum fum_result fum_model_check_parts(const struct fum_model_params *params, struct fum_error *err);

#endif
