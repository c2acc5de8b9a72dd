// SPDX-License-Identifier: MIT
// Layers of the kept picture, blurred less and less, lie over each other. Each Gaussian is three
// box filters, whose cost does not grow with the radius.
#include "pipeline/mask_fill.h"

#include "base/error.h"
#include "base/macros.h"

#include <math.h>

enum { PLANES = 4, PASSES = 3 }; // at most three colours, and how much of the picture is kept

// A picture of several channels with its share, premultiplied, [height, width, channels + 1].
struct layer {
    float *values, *line;
    int width, height, channels;
};

// Filters a line of `count` values that lie `stride` apart by a box of 2 · radius + 1, the edges
// repeated.
static void filter_line(float *values, size_t stride, int count, int radius, float *line) {
    double sum = 0;
    for (int i = 0; i < count; i++) line[i] = values[(size_t)i * stride];
    for (int i = -radius; i <= radius; i++) sum += (double)line[fum_clamp_i64(i, 0, count - 1)];
    for (int i = 0; i < count; i++) {
        values[(size_t)i * stride] = (float)(sum / (2 * radius + 1));
        sum += (double)line[FUM_MIN(i + radius + 1, count - 1)];
        sum -= (double)line[FUM_MAX(i - radius, 0)];
    }
}

// Blurs a layer by about that deviation.
static void blur_layer(const struct layer *l, int deviation) {
    int radius = (int)lround((sqrt(12.0 * deviation * deviation / PASSES + 1) - 1) / 2);
    size_t channels = (size_t)l->channels, stride = (size_t)l->width * channels;
    for (int pass = 0; pass < PASSES && radius > 0; pass++)
        for (size_t c = 0; c < channels; c++) {
            for (int y = 0; y < l->height; y++)
                filter_line(l->values + (size_t)y * stride + c, channels, l->width, radius,
                            l->line);
            for (int x = 0; x < l->width; x++)
                filter_line(l->values + (size_t)x * channels + c, stride, l->height, radius,
                            l->line);
        }
}

// Writes what is kept of a picture, premultiplied.
static void read_kept(const struct layer *l, const struct fum_bitmap *picture,
                      const struct fum_bitmap *mask) {
    size_t colours = (size_t)picture->channels;
    for (size_t i = 0; i < (size_t)l->width * (size_t)l->height; i++) {
        float kept = 1 - (float)mask->pixels[i] / 255;
        for (size_t c = 0; c < colours; c++)
            l->values[i * (colours + 1) + c] = kept * (float)picture->pixels[i * colours + c];
        l->values[i * (colours + 1) + colours] = kept;
    }
}

// Lays a layer over the picture so far.
static void lay_over(const struct layer *l, float *filled) {
    size_t channels = (size_t)l->channels;
    for (size_t i = 0; i < (size_t)l->width * (size_t)l->height; i++) {
        float share = l->values[i * channels + channels - 1];
        for (size_t c = 0; c < channels; c++)
            filled[i * channels + c] =
                l->values[i * channels + c] + (1 - share) * filled[i * channels + c];
    }
}

static void write_filled(const float *filled, struct fum_bitmap *picture) {
    size_t colours = (size_t)picture->channels;
    for (size_t i = 0; i < (size_t)picture->width * (size_t)picture->height; i++) {
        float share = fmaxf(filled[i * (colours + 1) + colours], 1e-6f);
        for (size_t c = 0; c < colours; c++)
            picture->pixels[i * colours + c] =
                (uint8_t)fum_clamp_i64(lroundf(filled[i * (colours + 1) + c] / share), 0, 255);
    }
}

enum fum_result fum_mask_fill(struct fum_bitmap *picture, const struct fum_bitmap *mask,
                              struct fum_error *err) {
    static const struct {
        int deviation, times;
    } layers[] = {{256, 1}, {64, 1}, {16, 2}, {4, 4}, {2, 2}, {0, 1}};
    struct layer l = {.width = picture->width,
                      .height = picture->height,
                      .channels = FUM_MIN(picture->channels + 1, PLANES)};
    size_t count = (size_t)l.width * (size_t)l.height * (size_t)l.channels;
    float *filled = fum_calloc(count, sizeof *filled);
    l.values = fum_alloc(count, sizeof *l.values);
    l.line = fum_alloc((size_t)FUM_MAX(l.width, l.height), sizeof *l.line);
    bool good = filled && l.values && l.line;
    for (size_t i = 0; i < FUM_COUNT(layers) && good; i++) {
        read_kept(&l, picture, mask);
        blur_layer(&l, layers[i].deviation);
        for (int k = 0; k < layers[i].times; k++) lay_over(&l, filled);
    }
    if (good) write_filled(filled, picture);
    fum_free(filled);
    fum_free(l.values);
    fum_free(l.line);
    return good ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory to fill a mask");
}
