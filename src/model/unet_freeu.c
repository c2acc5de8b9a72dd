// SPDX-License-Identifier: MIT
// FreeU (Si et al. 2023): the first two levels of the way up weigh what comes from below and what
// skips the network. Easy to get wrong:
// - Only the first half of the channels from below is scaled.
// - diffusers' filter scales the frequencies -1 and 0 in both directions, which is no symmetric
//   set, and drops the imaginary part. What it adds is (scale - 1) times a projection on the
//   cosines and sines of those frequencies, as two products here.
#include "base/alloc.h"
#include "graph/graph.h"
#include "model/unet.h"
#include "model/unet_time.h"

#include <math.h>
#include <stdio.h>

enum { FREQUENCIES = 4, MOST_WAVES = 2 * FREQUENCIES - 1 };

bool fum_unet_takes_freeu(const struct fum_unet_config *c) {
    for (int i = 0; i < 2 && i < c->num_blocks && c->context_channels; i++)
        if (fum_unet_block_takes_freeu(c, i)) return true;
    return false;
}

bool fum_unet_block_takes_freeu(const struct fum_unet_config *c, int index) {
    const struct fum_unet_block *block = &c->up[index];
    return index < 2 && !c->k_levels && block->attention != FUM_UNET_PIXELS && !block->skip &&
           !block->resnet_resample;
}

// The waves of a picture's size, each of its pixels' values.
struct waves {
    int count;
    int64_t height, width;
    float *values; // [count, height · width]
};

static void add_wave(struct waves *w, int y_turns, int x_turns, bool sine) {
    const double turn = 6.283185307179586;
    float *to = w->values + (int64_t)w->count++ * w->height * w->width;
    for (int64_t y = 0; y < w->height; y++)
        for (int64_t x = 0; x < w->width; x++) {
            double phase = turn * ((double)(y_turns * y) / (double)w->height +
                                   (double)(x_turns * x) / (double)w->width);
            *to++ = (float)(sine ? sin(phase) : cos(phase));
        }
}

// Fills the waves of the filtered frequencies. A side of one pixel has the frequency 0 alone.
static void fill_waves(struct waves *w) {
    for (int y = 0; y < (w->height > 1 ? 2 : 1); y++)
        for (int x = 0; x < (w->width > 1 ? 2 : 1); x++)
            for (int sine = 0; sine < (y || x ? 2 : 1); sine++) add_wave(w, y, x, sine);
}

// Adds the waves as rows, times `factor`, or as columns.
static fum_tensor *add_matrix(struct fum_unet_builder *b, const struct waves *w, int place,
                              double factor) {
    int64_t pixels = w->height * w->width;
    bool rows = factor != 0;
    float *values = fum_alloc((size_t)(w->count * pixels), sizeof *values);
    char name[48];
    snprintf(name, sizeof name, "freeu.%d.%s", place, rows ? "analysis" : "synthesis");
    for (int64_t i = 0; values && i < w->count * pixels; i++)
        values[i] = rows ? (float)(factor * (double)w->values[i])
                         : w->values[i % w->count * pixels + i / w->count];
    const struct fum_shape shape = {3, {1, rows ? w->count : pixels, rows ? pixels : w->count}};
    fum_tensor *matrix = values ? fum_graph_constant(b->nn.graph, name, shape, values) : NULL;
    if (!values) fum_graph_fail(b->nn.graph, FUM_ERR_NOMEM, "no memory for FreeU's waves");
    fum_free(values);
    return matrix;
}

// Adds x + (scale - 1) · its projection on the waves.
static fum_tensor *add_filter(struct fum_unet_builder *b, fum_tensor *x, int place, double scale) {
    struct fum_shape shape = fum_tensor_shape(x);
    struct waves w = {.height = shape.dim[1], .width = shape.dim[2]};
    int64_t pixels = w.height * w.width;
    w.values = fum_alloc((size_t)(MOST_WAVES * pixels), sizeof *w.values);
    if (!w.values) {
        fum_graph_fail(b->nn.graph, FUM_ERR_NOMEM, "no memory for FreeU's waves");
        return NULL;
    }
    fill_waves(&w);
    fum_tensor *analysis = add_matrix(b, &w, place, (scale - 1) / (double)pixels),
               *synthesis = add_matrix(b, &w, place, 0), *tokens = fum_nn_tokens(&b->nn, x);
    fum_free(w.values);
    if (!analysis || !synthesis || !tokens) return NULL;
    fum_tensor *sums =
        fum_graph_add(b->nn.graph, "matmul", NULL, FUM_INPUTS(analysis, tokens), NULL);
    if (!sums) return NULL;
    fum_tensor *y = fum_graph_add(b->nn.graph, "matmul", NULL, FUM_INPUTS(synthesis, sums), NULL);
    return fum_nn_image(&b->nn, NULL, fum_nn_add(&b->nn, NULL, y, tokens), shape);
}

// Adds the first half of the channels times `factor`, and the others.
static fum_tensor *scale_half(struct fum_unet_builder *b, fum_tensor *x, int place, float factor) {
    int64_t channels = fum_nn_channels(x);
    char name[48];
    snprintf(name, sizeof name, "freeu.%d.factors", place);
    float *values = fum_alloc((size_t)channels, sizeof *values);
    for (int64_t i = 0; values && i < channels; i++) values[i] = i < channels / 2 ? factor : 1;
    fum_tensor *factors =
        values ? fum_graph_constant(b->nn.graph, name, (struct fum_shape){1, {channels}}, values)
               : NULL;
    if (!values) fum_graph_fail(b->nn.graph, FUM_ERR_NOMEM, "no memory for FreeU's factors");
    fum_free(values);
    return fum_nn_mul(&b->nn, NULL, x, factors);
}

void fum_unet_freeu(struct fum_unet_builder *b, int index, int layer, fum_tensor **x,
                    fum_tensor **skip) {
    const float *factors = b->params->freeu;
    if (!factors || !*x || !*skip || !fum_unet_block_takes_freeu(b->config, index)) return;
    int place = index * FUM_UNET_MAX_LAYERS + layer;
    *x = scale_half(b, *x, place, factors[index]);
    // A factor of 1 changes nothing.
    if (factors[2 + index] != 1) *skip = add_filter(b, *skip, place, (double)factors[2 + index]);
}
