// SPDX-License-Identifier: MIT
#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum fum_result cli_engine_open_model(struct cli_engine *engine,
                                      const struct generate_options *options, const char *hash,
                                      const struct fum_log *log, struct fum_error *err) {
    char program_dir[CLI_PATH_BYTES];
    struct fum_model_params params = options->parts;
    params.path = options->model;
    params.program_dir = cli_program_dir(program_dir);
    params.prediction = options->prediction;
    params.embeddings_dir = options->embeddings_dir;
    params.log = log;
    return *hash ? fum_model_open_hash(&engine->model, &params, hash, err)
                 : fum_model_open(&engine->model, &params, err);
}

// Counts from the UNet's parameters. SD1.5 has 860 M of them, and its evaluation of 64 × 64 latent
// pixels takes 803 GFLOP.
double cli_engine_step_flops(const struct cli_engine *engine,
                             const struct fum_generate_params *picture) {
    const struct fum_model_info *info = fum_model_get_info(engine->model);
    struct fum_component_info component;
    double parameters = 0;
    for (int i = 0; fum_model_get_component(engine->model, i, &component); i++)
        if (strcmp(component.name, "unet") == 0) parameters = (double)component.parameters;
    double width = picture->width ? picture->width : info->width;
    double height = picture->height ? picture->height : info->height;
    double pixels = width * height / info->size_multiple / info->size_multiple;
    return 0.23 * parameters * pixels * 2;
}

enum fum_result cli_engine_open_pipeline(struct cli_engine *engine,
                                         const struct generate_options *options,
                                         const struct fum_pipeline_params *callbacks,
                                         struct fum_error *err) {
    struct fum_pipeline_params params = options->pipeline;
    params.log = callbacks->log;
    params.on_load = callbacks->on_load;
    params.on_compile = callbacks->on_compile;
    params.on_graph = callbacks->on_graph;
    params.user = callbacks->user;
    return fum_pipeline_create(&engine->pipeline, engine->device, engine->model, &params, err);
}

enum fum_result cli_engine_open_upscaler(struct cli_engine *engine,
                                         const struct generate_options *options,
                                         const struct fum_log *log, struct fum_error *err) {
    if (!options->upscale_model) return FUM_OK;
    int tile = options->upscale_tile;
    const struct fum_upscaler_params params = {.path = options->upscale_model,
                                               .tile = tile ? tile : FUM_UPSCALE_TILE_AUTO,
                                               .memory_budget = options->pipeline.memory_budget,
                                               .precision = options->pipeline.precision,
                                               .threads = options->pipeline.threads,
                                               .log = log};
    return fum_upscaler_create(&engine->upscaler, engine->device, &params, err);
}

char *cli_engine_describe(const struct generate_options *o) {
    const char *texts[] = {o->model,        o->prediction,       o->embeddings_dir,
                           o->variant,      o->pipeline.weights, o->parts.weights_variant,
                           o->parts.clip_l, o->parts.clip_g,     o->parts.diffusion_model,
                           o->parts.vae,    o->parts.taesd};
    enum { TEXTS = sizeof texts / sizeof *texts, NUMBERS = 80 };
    size_t size = NUMBERS;
    for (int i = 0; i < TEXTS; i++) size += texts[i] ? strlen(texts[i]) + 2 : 1;
    char *text = malloc(size), *to = text;
    if (!text) return NULL;
    for (int i = 0; i < TEXTS; i++)
        to += sprintf(to, "%s%s\n", texts[i] ? "=" : "", texts[i] ? texts[i] : "");
    snprintf(to, NUMBERS, "%llu %d %d %d", (unsigned long long)o->pipeline.memory_budget,
             o->pipeline.vae_tiling, (int)o->pipeline.precision, o->pipeline.threads);
    return text;
}

void cli_engine_close(struct cli_engine *engine) {
    fum_pipeline_destroy(&engine->pipeline);
    fum_upscaler_destroy(&engine->upscaler);
    fum_model_destroy(&engine->model);
}

static bool on_tile(void *user, int done, int total) {
    const struct cli_enlargement *enlargement = user;
    return enlargement->on_tile(enlargement->user, done, total);
}

// Hands over the small picture's result with the pixels of the large one.
static bool on_large(void *user, const struct fum_image *large) {
    const struct cli_enlargement *enlargement = user;
    struct fum_image image = *enlargement->image;
    image.width = large->width;
    image.height = large->height;
    image.channels = large->channels;
    image.pixels = large->pixels;
    return enlargement->on_image(enlargement->user, &image);
}

enum fum_result cli_engine_enlarge(struct cli_engine *engine,
                                   const struct generate_options *options,
                                   const struct cli_enlargement *enlargement,
                                   struct fum_error *err) {
    struct cli_enlargement own = *enlargement;
    const struct fum_image *image = own.image;
    const struct fum_upscale_params params = {.pixels = image->pixels,
                                              .width = image->width,
                                              .height = image->height,
                                              .channels = image->channels,
                                              .repeats = options->upscale_repeats,
                                              .on_tile = on_tile,
                                              .on_image = on_large,
                                              .user = &own};
    return fum_upscaler_run(engine->upscaler, &params, err);
}
