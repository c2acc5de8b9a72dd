// SPDX-License-Identifier: MIT
// Reads what a folder's fumarole.json sets.
#ifndef FUM_MODEL_SETTINGS_H
#define FUM_MODEL_SETTINGS_H

#include "model/components.h"

// Overwrites the defaults that model->info holds; `settings` may be NULL. FUM_ERR_FORMAT names the
// key, its value and what is needed.
enum fum_result fum_model_read_settings(fum_model *model, const cJSON *settings,
                                        struct fum_error *err);

#endif
