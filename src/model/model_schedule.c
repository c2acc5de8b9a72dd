// SPDX-License-Identifier: MIT
// Finds the noise schedule that a sampler runs on with a model.
#include "model/components.h"

const char *fum_model_schedule(const fum_model *model, const char *sampler) {
    const struct fum_model_view *view = &model->view;
    const struct fum_sample_params params = {.sampler = sampler ? sampler : view->sampler,
                                             .steps = model->info.steps,
                                             .ays = view->traits.ays,
                                             .config = view->schedule};
    struct fum_sample_program *program = NULL;
    if (!fum_model_samples(view) || fum_sample_create(&program, &params, NULL)) return NULL;
    const char *schedule = program->schedule;
    fum_sample_destroy(&program);
    return schedule;
}
