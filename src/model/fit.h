// SPDX-License-Identifier: MIT
// Checks, when a model is opened, that its configurations fit together.
#ifndef FUM_MODEL_FIT_H
#define FUM_MODEL_FIT_H

#include "model/components.h"

// Checks that the configurations fit together. FUM_ERR_FORMAT names the file, the key, its value
// and what is needed.
enum fum_result fum_model_check_fit(const fum_model *model, struct fum_error *err);
// Returns FUM_ERR_UNSUPPORTED when the model is sound but needs more than a prompt and the number
// of a class.
enum fum_result fum_model_check_usable(const fum_model *model, struct fum_error *err);

// Checks the UNet of a model of pictures.
enum fum_result fum_model_check_pixels(const fum_model *model, struct fum_error *err);
// Checks that the UNet draws vectors which the VQModel decodes.
enum fum_result fum_model_check_vectors(const fum_model *model, struct fum_error *err);

#endif
