// SPDX-License-Identifier: MIT
// Draws the pictures of a model, which go through the network of features.
#include <fumarole/pipeline.h>

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "evaluate/batch.h"

// True if a folder has a file of this name, or its folder "model" has.
static bool holds(fum_arena *arena, const char *path, const char *name) {
    char *file = fum_path_join(arena, path, name), *model = fum_path_join(arena, path, "model");
    char *inner = model ? fum_path_join(arena, model, name) : NULL;
    return (file && fum_path_may_exist(file)) || (inner && fum_path_may_exist(inner));
}

static bool is_model(const char *path) {
    fum_arena *arena = fum_path_is_dir(path) ? fum_arena_create() : NULL;
    // The last is the first stage of a latent diffusion model, which has no other part yet.
    static const char *const names[] = {"model_index.json", "config.json", "vae/config.json"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && arena && !found; i++)
        found = holds(arena, path, names[i]);
    fum_arena_destroy(&arena);
    return found;
}

// A run that draws the pictures.
struct drawing {
    struct fum_feature_batch batch;
    size_t waiting; // pictures in the batch
    size_t done, total;
    enum fum_result result;
    struct fum_error *err;
};

static bool take_picture(void *user, const struct fum_image *image) {
    struct drawing *d = user;
    // Only read, so the pointer to const pixels may lose that.
    const struct fum_bitmap bitmap = {(uint8_t *)(uintptr_t)image->pixels, image->width,
                                      image->height, image->channels};
    d->result = fum_feature_batch_write(&d->batch, d->waiting++, &bitmap, d->err);
    d->done++;
    if (!d->result && (d->waiting == FUM_FEATURE_BATCH || d->done == d->total)) {
        d->result = fum_feature_batch_run(&d->batch, d->waiting, d->err);
        d->waiting = 0;
    }
    if (!d->result) d->result = fum_feature_batch_report(&d->batch, d->done, d->total, d->err);
    return !d->result;
}

static bool may_go_on(void *user, int image, int step, int steps) {
    struct drawing *d = user;
    (void)image, (void)step, (void)steps;
    d->result = fum_feature_batch_report(&d->batch, d->done, d->total, d->err);
    return !d->result;
}

static enum fum_result draw_all(struct drawing *d, fum_device *device, const fum_model *model,
                                struct fum_error *err) {
    const struct fum_evaluate_params *params = d->batch.context->params;
    fum_pipeline *pipeline = NULL;
    const struct fum_pipeline_params settings = {.memory_budget = FUM_MEMORY_AUTO,
                                                 .log = params->log};
    const struct fum_generate_params request = {.prompt = params->prompt,
                                                .seed = params->seed,
                                                .count = params->count,
                                                .on_step = may_go_on,
                                                .on_image = take_picture,
                                                .user = d};
    if (!params->prompt && fum_model_get_info(model)->takes_prompt)
        return fum_error_set(err, FUM_ERR_ARG, "%s draws from a prompt; give --prompt",
                             d->batch.set->path);
    d->err = err;
    enum fum_result result = fum_feature_batch_begin(&d->batch, d->total, err);
    if (!result) result = fum_pipeline_create(&pipeline, device, model, &settings, err);
    if (!result) result = fum_generate(pipeline, &request, err);
    fum_pipeline_destroy(&pipeline);
    return d->result ? d->result : result;
}

static enum fum_result open_model(struct fum_set *set, struct fum_set_context *context,
                                  struct fum_error *err) {
    const struct fum_evaluate_params *params = context->params;
    const struct fum_device_params choice = {.select = params->device, .log = params->log};
    const struct fum_model_params source = {.path = set->path, .log = params->log};
    struct drawing d = {.batch = {.set = set, .context = context}, .total = (size_t)params->count};
    fum_device *device = NULL;
    fum_model *model = NULL;
    if (params->count < 1)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s is a model; give --count, the number of pictures to draw",
                             set->path);
    enum fum_result result = fum_model_open(&model, &source, err);
    if (!result) result = fum_device_create(&device, &choice, err);
    if (!result) result = draw_all(&d, device, model, err);
    result = fum_feature_batch_end(&d.batch, result, err);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
    return result;
}

const struct fum_set_kind fum_set_model = {"a model", is_model, open_model};
