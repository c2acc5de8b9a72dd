// SPDX-License-Identifier: MIT
// Draws the noise of a run's pictures, or mixes that of two ends along a great circle.
#include "base/error.h"
#include "base/macros.h"
#include "base/rng.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <string.h>

// The values of a tensor.
struct size {
    size_t pixels, channels;
};

// Reorders [channels, pixels] to [pixels, channels], scaled.
static void reorder(const float *in, float *out, struct size size, float scale) {
    size_t pixels = size.pixels, channels = size.channels;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) out[p * channels + c] = in[c * pixels + p] * scale;
}

static void to_channels_last(const float *in, float *out, const struct fum_run *run, float scale) {
    const struct size size = {(size_t)run->latent_height * (size_t)run->latent_width,
                              (size_t)run->latent_channels};
    reorder(in, out, size, scale);
}

// Returns the angle between two vectors; 0 if one is 0.
static double find_angle(const float *a, const float *b, size_t count) {
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < count; i++) {
        double x = (double)a[i], y = (double)b[i];
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return aa > 0 && bb > 0 ? acos(fmin(fmax(ab / sqrt(aa * bb), -1), 1)) : 0;
}

void fum_noise_mix(float *a, const float *b, size_t count, double share) {
    double from = 1 - share, to = share;
    if (share <= 0) return;
    if (share >= 1) {
        memcpy(a, b, count * sizeof *a);
        return;
    }
    double angle = find_angle(a, b, count);
    if (sin(angle) > 1e-6) { // else the ends lie on one line through 0
        from = sin(from * angle) / sin(angle);
        to = sin(to * angle) / sin(angle);
    }
    for (size_t i = 0; i < count; i++) a[i] = (float)(from * (double)a[i] + to * (double)b[i]);
}

double fum_run_share(const struct fum_run *run, int image) {
    return run->count > 1 ? (double)image / (run->count - 1) : 0;
}

// The generators of a picture: its own, or those of both ends.
struct generators {
    struct fum_rng rng[2];
    double share;
};

static struct generators begin(const struct fum_run *run, int image) {
    const struct fum_generate_params *params = run->params;
    struct generators g = {.share = run->ends ? fum_run_share(run, image) : 0};
    fum_rng_init(&g.rng[0], params->rng, run->ends ? run->ends->seed[0] : fum_run_seed(run, image));
    if (run->ends) fum_rng_init(&g.rng[1], params->rng, run->ends->seed[1]);
    return g;
}

// Draws one tensor of a picture, of `count` values.
static void draw(const struct fum_run *run, struct generators *g, const struct fum_start *n,
                 size_t count) {
    fum_rng_normal(&g->rng[0], n->draw, count);
    if (!run->ends) return;
    fum_rng_normal(&g->rng[1], n->draw + count, count);
    fum_noise_mix(n->draw, n->draw + count, count, g->share);
}

// Sets the first noise, which the caller may give.
static void draw_first(const struct fum_run *run, struct generators *g, const struct fum_start *n,
                       int image) {
    const struct fum_generate_params *params = run->params;
    const struct fum_ends *ends = run->ends;
    if (ends && ends->noise[0]) {
        memcpy(n->draw, ends->noise[0], n->one * sizeof *n->draw);
        fum_noise_mix(n->draw, ends->noise[1], n->one, g->share);
    } else if (params->noise) {
        memcpy(n->draw, params->noise + (size_t)image * n->one, n->one * sizeof *n->draw);
    } else {
        draw(run, g, n, n->one);
        if (params->subseed_strength > 0)
            fum_noise_vary(run, params->subseed + (uint64_t)image, n->draw, n->draw + n->one);
    }
}

// Returns the size of the latents of one picture.
static struct size find_size(const struct fum_run *run, const struct fum_start *n,
                             const struct fum_given_latents *latents) {
    size_t shorter = (size_t)FUM_MAX(latents->shorter, 1);
    return (struct size){
        .pixels = n->one / (size_t)run->latent_channels / (shorter * shorter),
        .channels = (size_t)(latents->channels ? latents->channels : run->latent_channels)};
}

// Returns how many values they have.
static size_t count_values(const struct fum_run *run, const struct fum_start *n,
                           const struct fum_given_latents *latents) {
    const struct size size = find_size(run, n, latents);
    return size.pixels * size.channels;
}

// Draws the latents of a picture that is given from their distribution, channels last.
static void draw_given(const struct fum_run *run, struct generators *g, const struct fum_start *n,
                       const struct fum_given_latents *latents, float *out) {
    size_t count = count_values(run, n, latents);
    if (latents->drawn) draw(run, g, n, count);
    if (!latents->mean) return;
    if (latents->deviation) reorder(n->draw, out, find_size(run, n, latents), 1);
    for (size_t i = 0; i < count; i++)
        out[i] = latents->mean[i] + (latents->deviation ? latents->deviation[i] * out[i] : 0);
}

// Replaces latents by noise where the mask lets them change.
static void fill_noise(const struct fum_run *run, float *image, const float *noise) {
    size_t channels = (size_t)run->latent_channels;
    size_t pixels = (size_t)run->latent_height * (size_t)run->latent_width;
    const float *mask = run->given.mask.latents;
    for (size_t i = 0; mask && i < pixels * channels; i++)
        if (mask[i / channels] > 0) image[i] = noise[i];
}

// Draws what a picture starts from: its latents and its noise, in the order of diffusers.
static void draw_start(const struct fum_run *run, struct generators *g, struct fum_start *n,
                       size_t b, int image) {
    const struct fum_sample_program *program = run->program;
    size_t at = b * n->one;
    float *state = n->state + at;
    const struct fum_given *given = &run->given;
    draw_given(run, g, n, &given->small,
               n->small ? n->small + b * count_values(run, n, &given->small) : NULL);
    draw_given(run, g, n, &given->start, n->image ? n->image + at : NULL);
    draw_first(run, g, n, image);
    to_channels_last(n->draw, n->noise + at, run, 1);
    if (n->image && run->params->inpaint_fill == FUM_INPAINT_NOISE)
        fill_noise(run, n->image + at, n->noise + at);
    to_channels_last(n->draw, state, run, (float)program->init_scale);
    if (n->image && program->image_scale != 0)
        for (size_t i = 0; i < n->one; i++)
            state[i] += (float)program->image_scale * n->image[at + i];
    draw_given(run, g, n, &given->masked, n->masked ? n->masked + at : NULL);
}

void fum_noise_draw(const struct fum_run *run, struct fum_start *n, size_t b, int image) {
    const struct fum_generate_params *params = run->params;
    struct generators g = begin(run, image);
    draw_start(run, &g, n, b, image);
    for (int r = 0; r < run->program->noise_rows; r++) {
        size_t row = (size_t)r * (size_t)params->step_noise_shape[1] + (size_t)image;
        if (params->step_noise)
            memcpy(n->draw, params->step_noise + row * n->one, n->one * sizeof *n->draw);
        else
            draw(run, &g, n, n->one);
        to_channels_last(n->draw, n->rows + ((size_t)r * n->batch + b) * n->one, run, 1);
    }
}

// Allocates the members of a start for a batch; unused ones stay NULL.
static bool alloc_start(const struct fum_run *run, const struct fum_denoiser *d,
                        struct fum_start *n) {
    const struct fum_given *given = &run->given;
    size_t all = n->batch * n->one, small = count_values(run, n, &given->small);
    n->state = fum_calloc((size_t)d->history * all, sizeof *n->state);
    n->draw = fum_alloc(2 * FUM_MAX(n->one, small), sizeof *n->draw);
    n->noise = fum_alloc(all, sizeof *n->noise);
    if (d->noise) n->rows = fum_calloc((size_t)d->noise_rows * all, sizeof *n->rows);
    if (given->small.mean) n->small = fum_alloc(n->batch * small, sizeof *n->small);
    if (given->start.mean) n->image = fum_alloc(all, sizeof *n->image);
    if (given->masked.mean) n->masked = fum_alloc(all, sizeof *n->masked);
    return n->state && n->draw && n->noise && (!d->noise || n->rows) &&
           (!given->small.mean || n->small) && (!given->start.mean || n->image) &&
           (!given->masked.mean || n->masked);
}

enum fum_result fum_start_draw(const struct fum_run *run, const struct fum_denoiser *d, int first,
                               struct fum_start *n, struct fum_error *err) {
    int used = FUM_MIN(run->count - first, d->batch);
    *n = (struct fum_start){.batch = (size_t)d->batch,
                            .one = (size_t)run->latent_channels * (size_t)d->height *
                                   (size_t)d->width};
    for (int b = 0; b < used; b++) n->shares[b] = 1.0f / (float)used;
    if (!alloc_start(run, d, n))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the noise");
    for (int b = 0; b < d->batch; b++)
        fum_noise_draw(run, n, (size_t)b, FUM_MIN(first + b, run->count - 1));
    return FUM_OK;
}

void fum_start_release(struct fum_start *n) {
    fum_free(n->state);
    fum_free(n->draw);
    fum_free(n->noise);
    fum_free(n->rows);
    fum_free(n->small);
    fum_free(n->image);
    fum_free(n->masked);
}
