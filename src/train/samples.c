// SPDX-License-Identifier: MIT
// Draws a grid of pictures with the model as it was just saved, for samples/ and the report.
#include "train/training.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "io/image.h"

#include <fumarole/pipeline.h>

// Evaluations of the model for one picture: enough to see what it has learnt. Models that read text
// are large, so they draw a single row.
enum { COLUMNS = 4, MAX_ROWS = 4, STEPS = 25, CONTINUOUS_STEPS = 100 };

struct grid {
    int width, height, channels; // of one picture
    uint8_t *pixels;             // of all
    int rows, next;              // place of the next picture
    int classes;                 // 0: the model takes none
    bool prompts;                // the model takes a caption of the data
    int steps;
};

// Copies a picture to its place.
static bool keep_image(void *user, const struct fum_image *image) {
    struct grid *g = user;
    size_t row = (size_t)image->width * (size_t)image->channels;
    if (!g->pixels) {
        g->width = image->width;
        g->height = image->height;
        g->channels = image->channels;
        g->pixels = fum_calloc((size_t)(g->rows * COLUMNS) * row, (size_t)image->height);
    }
    if (!g->pixels) return false;
    size_t left = (size_t)(g->next % COLUMNS) * row,
           top = (size_t)(g->next / COLUMNS) * (size_t)image->height;
    for (int y = 0; y < image->height; y++)
        memcpy(g->pixels + (top + (size_t)y) * COLUMNS * row + left,
               image->pixels + (size_t)y * row, row);
    return true;
}

// Draws the picture at one place of the grid: of one of the classes, or of a caption of the data.
static enum fum_result draw_one(struct fum_training *t, fum_pipeline *pipeline, struct grid *grid,
                                int index, struct fum_error *err) {
    struct fum_data_sample sample = {.caption = ""};
    struct fum_generate_params request = {.count = 1,
                                          .steps = grid->steps,
                                          .seed = t->options.seed + (uint64_t)index,
                                          .on_image = keep_image,
                                          .user = grid};
    grid->next = index;
    if (grid->classes) {
        request.has_class = true;
        request.class_label = (float)(index % grid->classes);
    }
    if (grid->prompts) {
        int64_t row = index % fum_data_get_info(t->data)->count;
        enum fum_result result =
            fum_data_read(t->data, fum_data_pick_plain(t->data, row), NULL, &sample, err);
        if (result) return result;
        request.prompt = sample.caption;
    }
    return fum_generate(pipeline, &request, err);
}

static enum fum_result draw_grid(struct fum_training *t, fum_model *model, struct grid *grid,
                                 struct fum_error *err) {
    const struct fum_pipeline_params storage = {.precision = FUM_PRECISION_F32,
                                                .log = t->params.log};
    fum_pipeline *pipeline = NULL;
    grid->prompts = fum_model_get_info(model)->takes_prompt;
    grid->rows = grid->prompts ? 1 : MAX_ROWS;
    // Steps of stochastic equations are short.
    bool continuous = fum_sample_config_continuous(&fum_model_get_view(model)->schedule);
    grid->steps = continuous ? CONTINUOUS_STEPS : STEPS;
    if (fum_settings_has(&t->settings, "model.classes"))
        grid->classes = (int)fum_settings_int(&t->settings, "model.classes", 0, 1 << 20);
    if (fum_model_get_info(model)->unusable || (grid->prompts && !t->data)) return FUM_OK;
    enum fum_result result = fum_pipeline_create(&pipeline, t->device, model, &storage, err);
    for (int i = 0; i < grid->rows * COLUMNS && !result; i++)
        result = draw_one(t, pipeline, grid, i, err);
    fum_pipeline_destroy(&pipeline);
    return result;
}

// Lists a grid for the report, which shows the newest ones.
static void list_grid(struct fum_training *t, char *path) {
    char *title = fum_arena_printf(t->arena, "step %lld", (long long)t->step);
    if (t->num_samples == FUM_TRAIN_SHOWN_SAMPLES) {
        memmove(t->samples, t->samples + 1, sizeof t->samples - sizeof t->samples[0]);
        t->num_samples--;
    }
    if (title) t->samples[t->num_samples++] = (struct fum_train_samples){path, title};
}

// True if the folder holds a whole model, and not an adapter or a part.
static bool holds_model(const struct fum_training *t, const char *folder) {
    static const char *const files[] = {"model_index.json", "config.json"};
    bool holds = false;
    for (size_t i = 0; i < FUM_COUNT(files); i++) {
        char *path = fum_path_join(t->arena, folder, files[i]);
        holds = holds || (path && fum_path_may_exist(path));
    }
    return holds;
}

// Draws the pictures and writes the grid. A model that cannot be drawn from has none.
static enum fum_result write_grid(struct fum_training *t, char *path, struct fum_error *err) {
    struct grid grid = {.width = 0};
    char *folder = fum_path_join(t->arena, t->dir, "model");
    const struct fum_model_params params = {.path = folder};
    fum_model *model = NULL;
    if (!folder) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for samples");
    if (!holds_model(t, folder)) return FUM_OK;
    enum fum_result result = fum_model_open(&model, &params, err);
    if (!result) result = draw_grid(t, model, &grid, err);
    fum_model_destroy(&model);
    const struct fum_picture picture = {.pixels = grid.pixels,
                                        .width = COLUMNS * grid.width,
                                        .height = grid.rows * grid.height,
                                        .channels = grid.channels};
    if (!result && grid.pixels) result = fum_image_write_png(path, &picture, err);
    if (!result && grid.pixels) list_grid(t, path);
    fum_free(grid.pixels);
    return result;
}

void fum_train_draw_samples(struct fum_training *t) {
    struct fum_error err = {.code = FUM_ERR_NOMEM, .text = "no memory"};
    char *path = fum_arena_printf(t->arena, "%s/samples/%07lld.png", t->dir, (long long)t->step);
    if (!path || write_grid(t, path, &err))
        fum_log(t->params.log, FUM_LOG_WARN, "no samples after step %lld: %s", (long long)t->step,
                err.text);
}
