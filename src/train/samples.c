// SPDX-License-Identifier: MIT
// Draws grids of pictures with the model as it was just saved, for samples/ and the report. They
// are its own pictures, and an autoencoder's reconstructions below the data's pictures.
#include "train/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "io/image.h"
#include "pipeline/autoencoder.h"

// Evaluations of the model for one picture: enough to see what it has learnt. Models that read text
// are large, and the flow of score models takes more evaluations, so both draw a single row.
enum { COLUMNS = 4, MAX_ROWS = 4, STEPS = 25 };
static const double flow_tolerance = 0.01;
// Pictures that are reconstructed.
enum { RECONSTRUCTED = 8 };

struct grid {
    int width, height, channels; // of one picture
    uint8_t *pixels;             // of all
    int columns, rows, next;     // place of the next picture
    int classes;                 // 0: the model takes none
    bool prompts;                // the model takes samples.prompt, or a caption of the data
    const char *prompt;          // the former; "": the latter
    struct fum_adapter adapter;  // that was trained; name NULL: none
    bool flow;                   // drawn by the probability flow
};

// Copies a picture to its place.
static bool keep_image(void *user, const struct fum_image *image) {
    struct grid *g = user;
    size_t row = (size_t)image->width * (size_t)image->channels;
    if (!g->pixels) {
        g->width = image->width;
        g->height = image->height;
        g->channels = image->channels;
        g->pixels = fum_calloc((size_t)(g->rows * g->columns) * row, (size_t)image->height);
    }
    if (!g->pixels) return false;
    size_t left = (size_t)(g->next % g->columns) * row, whole = (size_t)g->columns * row,
           top = (size_t)(g->next / g->columns) * (size_t)image->height;
    for (int y = 0; y < image->height; y++)
        memcpy(g->pixels + (top + (size_t)y) * whole + left, image->pixels + (size_t)y * row, row);
    return true;
}

// Sets what a model with prompts draws.
static enum fum_result choose_prompt(struct fum_training *t, const struct grid *grid, int index,
                                     struct fum_generate_params *request, struct fum_error *err) {
    struct fum_data_sample sample;
    request->prompt = grid->prompt;
    if (*grid->prompt) return FUM_OK;
    int64_t row = index % fum_data_get_info(t->data)->count;
    enum fum_result result =
        fum_data_read(t->data, fum_data_pick_plain(t->data, row), NULL, &sample, err);
    if (result) return result;
    request->prompt = fum_train_caption(t, &sample);
    return FUM_OK;
}

// Returns the steps of a picture, at most those of the training.
static int choose_steps(struct fum_training *t) {
    static const char key[] = "scheduler.num_train_timesteps";
    if (!fum_settings_has(&t->settings, key)) return STEPS;
    return (int)FUM_MIN(fum_settings_int(&t->settings, key, 1, INT64_MAX), STEPS);
}

// Draws the picture at one place of the grid: of one of the classes, or of a prompt.
static enum fum_result draw_one(struct fum_training *t, fum_pipeline *pipeline, struct grid *grid,
                                int index, struct fum_error *err) {
    struct fum_generate_params request = {.count = 1,
                                          .steps = choose_steps(t),
                                          .seed = t->options.seed + (uint64_t)index,
                                          .on_image = keep_image,
                                          .user = grid};
    grid->next = index;
    if (grid->flow) {
        request.steps = 0;
        request.sampler = "ode";
        request.tolerance = flow_tolerance;
    }
    if (grid->classes) {
        request.has_class = true;
        request.class_label = (float)(index % grid->classes);
    }
    if (grid->adapter.name) {
        request.adapters = &grid->adapter;
        request.num_adapters = 1;
    }
    if (grid->adapter.name || t->recipe->open_drawn) {
        request.width = t->recordings[0].width;
        request.height = t->recordings[0].height;
    }
    enum fum_result result = grid->prompts ? choose_prompt(t, grid, index, &request, err) : FUM_OK;
    return result ? result : fum_generate(pipeline, &request, err);
}

static enum fum_result draw_grid(struct fum_training *t, fum_pipeline *pipeline, struct grid *grid,
                                 struct fum_error *err) {
    enum fum_result result = FUM_OK;
    grid->prompts = fum_model_get_info(pipeline->model)->takes_prompt;
    grid->columns = COLUMNS;
    grid->flow = fum_sample_config_continuous(&pipeline->view->schedule);
    grid->rows = grid->prompts || grid->flow ? 1 : MAX_ROWS;
    if (fum_settings_has(&t->settings, "model.classes"))
        grid->classes = (int)fum_settings_int(&t->settings, "model.classes", 0, 1 << 20);
    if (grid->prompts) grid->prompt = fum_settings_string(&t->settings, "samples.prompt");
    if (grid->prompts && !t->data && !*grid->prompt) return FUM_OK;
    for (int i = 0; i < grid->rows * COLUMNS && !result; i++)
        result = draw_one(t, pipeline, grid, i, err);
    return result;
}

// ---- reconstructions ----

// A picture of the data, and what the autoencoder makes of it.
struct reconstruction {
    float *planes;
    uint8_t *pixels;
    struct fum_latent_form form;
    struct fum_image image; // of the pixels
};

static void take_planes(struct reconstruction *r) {
    size_t channels = (size_t)r->image.channels,
           each = (size_t)r->image.width * (size_t)r->image.height;
    for (size_t i = 0; i < each * channels; i++)
        r->pixels[i] = (uint8_t)lroundf(255 * r->planes[i % channels * each + i / channels]);
}

// Puts a picture into the upper row and its reconstruction below it.
static enum fum_result reconstruct_one(const struct fum_training *t, fum_pipeline *pipeline,
                                       struct reconstruction *r, struct grid *grid,
                                       struct fum_error *err) {
    struct fum_data_sample sample;
    int column = grid->next;
    int64_t row = column % fum_data_get_info(t->data)->count;
    enum fum_result result =
        fum_data_read(t->data, fum_data_pick_plain(t->data, row), r->planes, &sample, err);
    if (result) return result;
    take_planes(r);
    bool kept = keep_image(grid, &r->image);
    result = fum_autoencoder_reconstruct(pipeline, &r->form, r->planes, r->pixels, err);
    grid->next = grid->columns + column;
    if (!result && !(kept && keep_image(grid, &r->image)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a reconstruction");
    return result;
}

static enum fum_result reconstruct_grid(const struct fum_training *t, fum_pipeline *pipeline,
                                        struct grid *grid, struct fum_error *err) {
    size_t values = (size_t)t->width * (size_t)t->height * (size_t)t->channels;
    struct reconstruction r = {
        .planes = fum_alloc(values, sizeof(float)),
        .pixels = fum_alloc(values, 1),
        .form = fum_latent_form_of(pipeline, true, t->width, t->height),
        .image = {.width = t->width, .height = t->height, .channels = t->channels}};
    enum fum_result result = FUM_OK;
    r.image.pixels = r.pixels;
    grid->columns = RECONSTRUCTED;
    grid->rows = 2;
    if (!r.planes || !r.pixels)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a reconstruction");
    for (int i = 0; i < RECONSTRUCTED && !result; i++) {
        grid->next = i;
        result = reconstruct_one(t, pipeline, &r, grid, err);
    }
    fum_free(r.planes);
    fum_free(r.pixels);
    return result;
}

// ---- files ----

static const char reconstructed_end[] = "-reconstructed.png";

// Lists a grid for the report, which shows the newest ones.
static void list_grid(struct fum_training *t, struct fum_train_gallery *gallery, char *path,
                      int64_t step) {
    char *title = fum_arena_printf(t->arena, "step %lld", (long long)step);
    if (!title) return;
    if (gallery->count == FUM_TRAIN_SHOWN_SAMPLES) {
        memmove(gallery->grids, gallery->grids + 1,
                sizeof gallery->grids - sizeof gallery->grids[0]);
        gallery->count--;
    }
    gallery->grids[gallery->count++] = (struct fum_train_samples){path, title};
}

void fum_train_list_samples(struct fum_training *t) {
    struct fum_path_names names = {0};
    char *folder = fum_path_join(t->arena, t->dir, "samples");
    if (!folder || fum_path_list(t->arena, folder, &names, NULL)) return;
    for (size_t i = 0; i < names.count; i++) {
        char *end = NULL, *path = fum_path_join(t->arena, folder, names.names[i]);
        long long step = strtoll(names.names[i], &end, 10);
        if (!path || end == names.names[i] || step > t->step) continue;
        if (!strcmp(end, ".png")) list_grid(t, &t->drawn, path, step);
        if (!strcmp(end, reconstructed_end)) list_grid(t, &t->reconstructed, path, step);
    }
}

// Writes a grid, if it has pictures, and frees them.
static enum fum_result write_grid(struct fum_training *t, struct fum_train_gallery *gallery,
                                  struct grid *grid, struct fum_error *err) {
    const struct fum_picture picture = {.pixels = grid->pixels,
                                        .width = grid->columns * grid->width,
                                        .height = grid->rows * grid->height,
                                        .channels = grid->channels};
    const char *end = gallery == &t->drawn ? ".png" : reconstructed_end;
    char *path = fum_arena_printf(t->arena, "%s/samples/%07lld%s", t->dir, (long long)t->step, end);
    enum fum_result result =
        path ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for samples");
    if (!result && grid->pixels) fum_file_clean_own(path);
    if (!result && grid->pixels) result = fum_image_write_png(path, &picture, err);
    if (!result && grid->pixels) list_grid(t, gallery, path, t->step);
    fum_free(grid->pixels);
    return result;
}

// True if the folder holds a whole model or an autoencoder, and not an adapter or another part.
static bool holds_model(const struct fum_training *t, const char *folder) {
    static const char *const files[] = {"model_index.json", "config.json", "vae/config.json"};
    bool holds = false;
    for (size_t i = 0; i < FUM_COUNT(files); i++) {
        char *path = fum_path_join(t->arena, folder, files[i]);
        holds = holds || (path && fum_path_may_exist(path));
    }
    return holds;
}

// Draws and reconstructs what the model can.
static enum fum_result write_grids(struct fum_training *t, const fum_model *model,
                                   const char *adapter, struct fum_error *err) {
    const struct fum_pipeline_params storage = {.precision = FUM_PRECISION_F32,
                                                .log = t->params.log};
    const struct fum_model_view *view = fum_model_get_view(model);
    struct grid drawn = {.adapter = {adapter, 1, 1}}, reconstructed = {.width = 0};
    fum_pipeline *pipeline = NULL;
    enum fum_result result = fum_pipeline_create(&pipeline, t->device, model, &storage, err);
    if (result) return result;
    if (fum_model_samples(view) || view->autoencoder) result = draw_grid(t, pipeline, &drawn, err);
    if (!result) result = write_grid(t, &t->drawn, &drawn, err);
    if (!result && t->data && (view->autoencoder || view->vqvae || view->kl))
        result = reconstruct_grid(t, pipeline, &reconstructed, err);
    if (!result) result = write_grid(t, &t->reconstructed, &reconstructed, err);
    fum_pipeline_destroy(&pipeline);
    return result;
}

// Draws with the model that the training began with, and the adapter that it trains.
static enum fum_result draw_adapted(struct fum_training *t, const char *folder,
                                    struct fum_error *err) {
    char *adapter = fum_path_join(t->arena, folder, "lora.safetensors");
    if (!adapter) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for samples");
    return write_grids(t, t->model, adapter, err);
}

// True if the run trains an adapter.
static bool trains_adapter(struct fum_training *t) {
    return fum_settings_has(&t->settings, "lora.rank") &&
           fum_settings_int(&t->settings, "lora.rank", 0, INT64_MAX) > 0;
}

// Opens the saved model. One that cannot be drawn from has no grids.
static enum fum_result draw_samples(struct fum_training *t, struct fum_error *err) {
    char *folder = fum_path_join(t->arena, t->dir, "model");
    const struct fum_model_params params = {.path = folder};
    fum_model *model = NULL;
    if (!folder) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for samples");
    if (trains_adapter(t)) return draw_adapted(t, folder, err);
    if (!t->recipe->open_drawn && !holds_model(t, folder)) return FUM_OK;
    enum fum_result result = t->recipe->open_drawn ? t->recipe->open_drawn(t, &model, folder, err)
                                                   : fum_model_open(&model, &params, err);
    if (!result && !fum_model_get_info(model)->unusable) result = write_grids(t, model, NULL, err);
    fum_model_destroy(&model);
    return result;
}

void fum_train_draw_samples(struct fum_training *t) {
    struct fum_error err = {.code = FUM_ERR_NOMEM, .text = "no memory"};
    if (t->recipe->draws_none) return;
    if (draw_samples(t, &err))
        fum_log(t->params.log, FUM_LOG_WARN, "no samples after step %lld: %s", (long long)t->step,
                err.text);
}
