// SPDX-License-Identifier: MIT
#include "data/fit.h"

#include "base/error.h"
#include "base/macros.h"

#include <math.h>

// The source pixels that an output pixel is a weighted mean of, along one axis.
struct taps {
    int count; // of an output pixel, at most
    int *first, *used;
    float *weights; // [outputs][count]
};

static void free_taps(struct taps *taps) {
    fum_free(taps->first);
    fum_free(taps->used);
    fum_free(taps->weights);
}

// One axis: `from` pixels are scaled to `to`, of which `count` from `start` on are needed.
struct axis {
    int from;
    int64_t to, start;
    int count;
};

// Computes the weights of one output pixel, a triangle around its centre.
static void weigh_pixel(const struct axis *axis, struct taps *taps, int i) {
    double scale = (double)axis->from / (double)axis->to, width = FUM_MAX(scale, 1.0);
    double centre = ((double)(axis->start + i) + 0.5) * scale;
    int first = (int)FUM_MAX(centre - width + 0.5, 0.0);
    int last = (int)FUM_MIN(centre + width + 0.5, (double)axis->from);
    float *weights = taps->weights + (size_t)i * (size_t)taps->count;
    double sum = 0;
    taps->first[i] = first;
    taps->used[i] = last - first;
    for (int k = 0; k < last - first; k++) {
        double distance = fabs((first + k - centre + 0.5) / width);
        weights[k] = (float)FUM_MAX(1.0 - distance, 0.0);
        sum += weights[k];
    }
    for (int k = 0; k < last - first; k++) weights[k] = (float)(weights[k] / sum);
}

static bool make_taps(const struct axis *axis, struct taps *taps) {
    double scale = (double)axis->from / (double)axis->to;
    size_t n = (size_t)axis->count;
    taps->count = (int)ceil(FUM_MAX(scale, 1.0)) * 2 + 1;
    taps->first = fum_alloc(n, sizeof *taps->first);
    taps->used = fum_alloc(n, sizeof *taps->used);
    taps->weights = fum_alloc(n, (size_t)taps->count * sizeof *taps->weights);
    if (!taps->first || !taps->used || !taps->weights) return false;
    for (int i = 0; i < axis->count; i++) weigh_pixel(axis, taps, i);
    return true;
}

struct fum_fit fum_fit_cover(const struct fum_bitmap *bitmap, int width, int height) {
    int64_t w = bitmap->width, h = bitmap->height;
    struct fum_fit fit = {.scaled_width = width, .scaled_height = height};
    if (width * h >= height * w)
        fit.scaled_height = FUM_MAX(h * width / w, height);
    else
        fit.scaled_width = FUM_MAX(w * height / h, width);
    // halves are rounded to even, as Python does
    fit.left = (int64_t)nearbyint((double)(fit.scaled_width - width) / 2);
    fit.top = (int64_t)nearbyint((double)(fit.scaled_height - height) / 2);
    return fit;
}

// Stores one row of the output, from a row of the source that is scaled vertically already.
static void store_row(const struct fum_fit_target *to, const struct taps *taps, const float *row,
                      int y) {
    size_t plane = (size_t)to->width * (size_t)to->height;
    int channels = to->channels;
    for (int x = 0; x < to->width; x++) {
        const float *weights = taps->weights + (size_t)x * (size_t)taps->count;
        size_t at = (size_t)y * (size_t)to->width + (size_t)(to->flip ? to->width - 1 - x : x);
        for (int c = 0; c < channels; c++) {
            float sum = 0;
            for (int k = 0; k < taps->used[x]; k++)
                sum += weights[k] * row[(taps->first[x] + k) * channels + c];
            to->pixels[(size_t)c * plane + at] = FUM_MIN(sum * (1.0f / 255), 1.0f);
        }
    }
}

static void scale_picture(const struct fum_bitmap *bitmap, const struct fum_fit_target *to,
                          const struct taps *across, const struct taps *down, float *row) {
    size_t stride = (size_t)bitmap->width * (size_t)bitmap->channels;
    for (int y = 0; y < to->height; y++) {
        const float *weights = down->weights + (size_t)y * (size_t)down->count;
        for (size_t i = 0; i < stride; i++) row[i] = 0;
        for (int k = 0; k < down->used[y]; k++) {
            const uint8_t *from = bitmap->pixels + (size_t)(down->first[y] + k) * stride;
            for (size_t i = 0; i < stride; i++) row[i] += weights[k] * from[i];
        }
        store_row(to, across, row, y);
    }
}

static void copy_picture(const struct fum_bitmap *bitmap, const struct fum_fit_target *to) {
    size_t plane = (size_t)to->width * (size_t)to->height;
    const uint8_t *from = bitmap->pixels;
    for (int y = 0; y < to->height; y++)
        for (int x = 0; x < to->width; x++) {
            size_t at = (size_t)y * (size_t)to->width + (size_t)(to->flip ? to->width - 1 - x : x);
            for (int c = 0; c < to->channels; c++)
                to->pixels[(size_t)c * plane + at] = (float)*from++ / 255;
        }
}

static enum fum_result scale_and_crop(const struct fum_bitmap *bitmap,
                                      const struct fum_fit_target *to, struct fum_error *err) {
    struct fum_fit fit = fum_fit_cover(bitmap, to->width, to->height);
    struct axis x = {bitmap->width, fit.scaled_width, fit.left, to->width};
    struct axis y = {bitmap->height, fit.scaled_height, fit.top, to->height};
    struct taps across = {0}, down = {0};
    float *row = fum_alloc((size_t)bitmap->width * (size_t)bitmap->channels, sizeof *row);
    bool good = row && make_taps(&x, &across) && make_taps(&y, &down);
    if (good) scale_picture(bitmap, to, &across, &down, row);
    free_taps(&across);
    free_taps(&down);
    fum_free(row);
    return good ? FUM_OK
                : fum_error_set(err, FUM_ERR_NOMEM, "no memory to scale a picture of %dx%d",
                                bitmap->width, bitmap->height);
}

enum fum_result fum_fit_picture(const struct fum_bitmap *bitmap, const struct fum_fit_target *to,
                                struct fum_error *err) {
    struct fum_bitmap converted = {0};
    if (bitmap->channels != to->channels) {
        enum fum_result result = fum_bitmap_convert(bitmap, to->channels, &converted, err);
        if (result) return result;
        bitmap = &converted;
    }
    enum fum_result result = FUM_OK;
    if (bitmap->width == to->width && bitmap->height == to->height)
        copy_picture(bitmap, to);
    else
        result = scale_and_crop(bitmap, to, err);
    fum_bitmap_free(&converted);
    return result;
}
