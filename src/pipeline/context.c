// SPDX-License-Identifier: MIT
// Writes what the recorded step reads of texts: the context, pooled embeddings, micro-conditioning,
// and the row of contexts that each evaluation takes.
#include "base/error.h"
#include "pipeline/pipeline.h"

#include <string.h>

// The values of one row of an input, a source for each copy of the pictures.
struct rows {
    const float *of[FUM_MAX_COPIES];
    size_t values[FUM_MAX_COPIES]; // of each; they are repeated up to `row`
    size_t row;
};

// An input that is being written.
struct filling {
    float *values;
    size_t count, at;
};

static enum fum_result begin_filling(struct filling *f, const fum_tensor *tensor,
                                     struct fum_error *err) {
    *f = (struct filling){.count = (size_t)fum_shape_count(&tensor->desc.shape)};
    f->values = fum_alloc(f->count, sizeof *f->values);
    return f->values ? FUM_OK
                     : fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu values",
                                     fum_tensor_name(tensor), f->count);
}

// Adds a row for each picture of each copy.
static void add_rows(struct filling *f, const struct fum_denoiser *d, const struct rows *rows) {
    for (int copy = 0; copy < d->copies; copy++) {
        size_t values = rows->values[copy];
        for (size_t left = (size_t)d->batch * rows->row; left && values; left -= values) {
            memcpy(f->values + f->at, rows->of[copy], values * sizeof *f->values);
            f->at += values;
        }
    }
}

static enum fum_result end_filling(fum_pipeline *pipe, struct filling *f, const fum_tensor *tensor,
                                   struct fum_error *err) {
    enum fum_result result =
        fum_executable_write(pipe->unet->compiled.exe, tensor, f->values, f->count, err);
    fum_free(f->values);
    return result;
}

// Returns the embedding that a copy of the pictures reads in a row of the conditions.
static const struct fum_embedding *embedding_at(const struct fum_run *run, int row, int copy) {
    const struct fum_conditions *c = &run->conditions;
    return c->texts[c->rows[row * c->copies + copy]].embedding;
}

static enum fum_result write_context(fum_pipeline *pipe, const struct fum_run *run,
                                     struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    size_t tokens = (size_t)pipe->view->text[0].tokens,
           channels = (size_t)fum_model_text_channels(pipe->view);
    struct filling f;
    enum fum_result result = begin_filling(&f, d->unet.context, err);
    if (result) return result;
    for (int row = 0; row < run->conditions.num_rows; row++) {
        struct rows rows = {.row = (size_t)d->tokens * channels};
        for (int copy = 0; copy < d->copies; copy++) {
            const struct fum_embedding *e = embedding_at(run, row, copy);
            rows.of[copy] = e->hidden;
            rows.values[copy] = (size_t)e->chunks * tokens * channels;
        }
        add_rows(&f, d, &rows);
    }
    return end_filling(pipe, &f, d->unet.context, err);
}

// Returns how many rows of conditions pooled embeddings and sizes have: one, or one of each
// evaluation.
static int count_rows(const struct fum_run *run) {
    return run->conditions.num_rows > 1 ? run->program->evals : 1;
}

static enum fum_result write_pooled(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    size_t channels = (size_t)fum_model_pooled(pipe->view);
    struct filling f;
    enum fum_result result = begin_filling(&f, d->unet.text_embeds, err);
    if (result) return result;
    for (int i = 0; i < count_rows(run); i++) {
        struct rows rows = {.row = channels};
        for (int copy = 0; copy < d->copies; copy++) {
            rows.of[copy] = embedding_at(run, run->conditions.row_of_eval[i], copy)->pooled;
            rows.values[copy] = channels;
        }
        add_rows(&f, d, &rows);
    }
    return end_filling(pipe, &f, d->unet.text_embeds, err);
}

// Writes SDXL's micro-conditioning (Podell et al. 2023, section 2.2): original size, crop corner,
// target size. The refiner has an aesthetic score in place of the target size. The latent upscaler
// has a single number, a level of noise.
static enum fum_result write_time_ids(fum_pipeline *pipe, const struct fum_run *run,
                                      struct fum_error *err) {
    enum { MOST = 6 };
    const struct fum_denoiser *d = &pipe->denoiser;
    int count = fum_unet_time_ids(&pipe->view->unet, fum_model_pooled(pipe->view));
    float h = (float)run->height, w = (float)run->width;
    float ids[2][MOST] = {{h, w, 0, 0, h, w}, {h, w, 0, 0, h, w}};
    struct rows rows = {.row = (size_t)count};
    struct filling f;
    if (count < 1 || count > MOST)
        return fum_error_set(err, FUM_ERR_FORMAT, "unet: reads %d numbers of a picture, at most %d",
                             count, MOST);
    if (count == 1) ids[0][0] = ids[1][0] = 0; // the noise of the latents that are enlarged
    if (count == 5) {
        ids[0][4] = (float)pipe->view->traits.negative_aesthetic;
        ids[1][4] = (float)pipe->view->traits.aesthetic;
    }
    for (int copy = 0; copy < d->copies; copy++) {
        rows.of[copy] = ids[d->copies == 1 || copy > 0];
        rows.values[copy] = (size_t)count;
    }
    enum fum_result result = begin_filling(&f, d->unet.time_ids, err);
    if (result) return result;
    for (int i = 0; i < count_rows(run); i++) add_rows(&f, d, &rows);
    return end_filling(pipe, &f, d->unet.time_ids, err);
}

enum fum_result fum_context_write(fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    const struct fum_conditions *c = &run->conditions;
    fum_executable *exe = pipe->unet->compiled.exe;
    enum fum_result result = FUM_OK;
    if (d->unet.context) result = write_context(pipe, run, err);
    if (!result && d->unet.text_embeds) result = write_pooled(pipe, run, err);
    if (!result && d->unet.time_ids) result = write_time_ids(pipe, run, err);
    if (!result && d->unet.context_rows)
        result = fum_executable_write_i32(exe, d->unet.context_rows, c->row_of_eval,
                                          (size_t)d->evals, err);
    if (!result && d->weights)
        result = fum_executable_write(exe, d->weights, c->weights, (size_t)c->parts, err);
    return result;
}
