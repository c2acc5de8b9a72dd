// SPDX-License-Identifier: MIT
// The filter's weights are whole numbers of 22 bits, and each pass rounds to 8 bits, as in
// Pillow.
#include "io/resize.h"

#include "base/error.h"
#include "base/macros.h"

#include <math.h>
#include <string.h>

enum { PRECISION = 32 - 8 - 2 };
static const double LANCZOS = 3, PI = 3.14159265358979323846;

static enum fum_result no_memory(int width, int height, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %dx%d", width, height);
}

static enum fum_result alloc_bitmap(struct fum_bitmap *b, int width, int height, int channels,
                                    struct fum_error *err) {
    *b = (struct fum_bitmap){NULL, width, height, channels};
    b->pixels = fum_alloc((size_t)width * (size_t)height, (size_t)channels);
    return b->pixels ? FUM_OK : no_memory(width, height, err);
}

// ---- scaling ----

// The source pixels that an output pixel is a weighted sum of, along one axis.
struct taps {
    int count; // of an output pixel, at most
    int *first, *used;
    int32_t *weights; // [outputs][count]
    double *exact;    // room for the weights of one output pixel
};

static void free_taps(struct taps *t) {
    fum_free(t->first);
    fum_free(t->used);
    fum_free(t->weights);
    fum_free(t->exact);
}

static double sinc(double x) {
    return x == 0 ? 1 : sin(x * PI) / (x * PI);
}

static double lanczos(double x) {
    return x >= -LANCZOS && x < LANCZOS ? sinc(x) * sinc(x / LANCZOS) : 0;
}

// Computes the weights of output pixel i of `to`.
static void weigh_pixel(struct taps *t, int i, int from, int to) {
    double scale = (double)from / to, wide = fmax(scale, 1), support = LANCZOS * wide;
    double centre = (i + 0.5) * scale, sum = 0;
    int first = (int)fmax(centre - support + 0.5, 0);
    int last = (int)fmin(centre + support + 0.5, from);
    t->first[i] = first;
    t->used[i] = last - first;
    for (int k = 0; k < last - first; k++) {
        t->exact[k] = lanczos((k + first - centre + 0.5) / wide);
        sum += t->exact[k];
    }
    for (int k = 0; k < last - first; k++) {
        double weight = sum != 0 ? t->exact[k] / sum : t->exact[k];
        double whole = weight * (1 << PRECISION);
        t->weights[(size_t)i * (size_t)t->count + (size_t)k] =
            (int32_t)(whole < 0 ? whole - 0.5 : whole + 0.5);
    }
}

static bool make_taps(struct taps *t, int from, int to) {
    size_t n = (size_t)to;
    t->count = (int)ceil(LANCZOS * fmax((double)from / to, 1)) * 2 + 1;
    t->first = fum_alloc(n, sizeof *t->first);
    t->used = fum_alloc(n, sizeof *t->used);
    t->weights = fum_alloc(n * (size_t)t->count, sizeof *t->weights);
    t->exact = fum_alloc((size_t)t->count, sizeof *t->exact);
    if (!t->first || !t->used || !t->weights || !t->exact) return false;
    for (int i = 0; i < to; i++) weigh_pixel(t, i, from, to);
    return true;
}

// Returns the weighted sum of `used` bytes that lie `stride` apart.
static uint8_t sum_bytes(const uint8_t *from, size_t stride, const int32_t *weights, int used) {
    int32_t sum = 1 << (PRECISION - 1);
    for (int k = 0; k < used; k++) sum += from[(size_t)k * stride] * weights[k];
    return (uint8_t)fum_clamp_i64(sum >> PRECISION, 0, 255);
}

static void scale_across(const struct fum_bitmap *from, const struct taps *t,
                         struct fum_bitmap *to) {
    size_t channels = (size_t)from->channels;
    uint8_t *out = to->pixels;
    for (int y = 0; y < to->height; y++) {
        const uint8_t *row = from->pixels + (size_t)y * (size_t)from->width * channels;
        for (int x = 0; x < to->width; x++)
            for (size_t c = 0; c < channels; c++)
                *out++ = sum_bytes(row + (size_t)t->first[x] * channels + c, channels,
                                   t->weights + (size_t)x * (size_t)t->count, t->used[x]);
    }
}

static void scale_down(const struct fum_bitmap *from, const struct taps *t, struct fum_bitmap *to) {
    size_t stride = (size_t)from->width * (size_t)from->channels;
    uint8_t *out = to->pixels;
    for (int y = 0; y < to->height; y++) {
        const uint8_t *rows = from->pixels + (size_t)t->first[y] * stride;
        for (size_t i = 0; i < stride; i++)
            *out++ =
                sum_bytes(rows + i, stride, t->weights + (size_t)y * (size_t)t->count, t->used[y]);
    }
}

// Scales one axis into a new picture.
static enum fum_result scale_axis(const struct fum_bitmap *from, int width, int height,
                                  struct fum_bitmap *to, struct fum_error *err) {
    struct taps taps = {0};
    bool across = width != from->width;
    enum fum_result result = alloc_bitmap(to, width, height, from->channels, err);
    if (!result && !make_taps(&taps, across ? from->width : from->height, across ? width : height))
        result = no_memory(width, height, err);
    if (!result) (across ? scale_across : scale_down)(from, &taps, to);
    free_taps(&taps);
    if (result) fum_bitmap_free(to);
    return result;
}

enum fum_result fum_bitmap_scale(const struct fum_bitmap *from, int width, int height,
                                 struct fum_bitmap *to, struct fum_error *err) {
    struct fum_bitmap half = {0};
    *to = (struct fum_bitmap){0};
    if (width == from->width && height == from->height)
        return fum_bitmap_cut(from, (struct fum_bitmap_box){0, 0, width, height}, to, err);
    if (height == from->height || width == from->width)
        return scale_axis(from, width, height, to, err);
    // Pillow 13 has this order: the height comes first if far more rows vanish than columns.
    int rows = from->height - height, columns = from->width - width;
    bool down = rows > 0 && rows > 2 * columns;
    enum fum_result result =
        scale_axis(from, down ? from->width : width, down ? height : from->height, &half, err);
    if (!result) result = scale_axis(&half, width, height, to, err);
    fum_bitmap_free(&half);
    return result;
}

enum fum_result fum_bitmap_scale_nearest(const struct fum_bitmap *from, int width, int height,
                                         struct fum_bitmap *to, struct fum_error *err) {
    size_t channels = (size_t)from->channels, count = (size_t)width * (size_t)height;
    enum fum_result result = alloc_bitmap(to, width, height, from->channels, err);
    for (size_t i = 0; i < count && !result; i++) {
        size_t x = i % (size_t)width * (size_t)from->width / (size_t)width,
               y = i / (size_t)width * (size_t)from->height / (size_t)height;
        memcpy(to->pixels + i * channels, from->pixels + (y * (size_t)from->width + x) * channels,
               channels);
    }
    return result;
}

// ---- parts ----

enum fum_result fum_bitmap_cut(const struct fum_bitmap *from, struct fum_bitmap_box box,
                               struct fum_bitmap *to, struct fum_error *err) {
    size_t channels = (size_t)from->channels;
    enum fum_result result = alloc_bitmap(to, box.width, box.height, from->channels, err);
    if (result) return result;
    uint8_t *out = to->pixels;
    for (int y = 0; y < box.height; y++) {
        size_t row = (size_t)fum_clamp_i64(box.top + y, 0, from->height - 1) * (size_t)from->width;
        for (int x = 0; x < box.width; x++, out += channels) {
            size_t column = (size_t)fum_clamp_i64(box.left + x, 0, from->width - 1);
            memcpy(out, from->pixels + (row + column) * channels, channels);
        }
    }
    return FUM_OK;
}

enum fum_result fum_bitmap_fit(const struct fum_bitmap *from, enum fum_bitmap_fit how,
                               struct fum_bitmap_box size, struct fum_bitmap *to,
                               struct fum_error *err) {
    struct fum_bitmap scaled = {0};
    int width = size.width, height = size.height;
    // Whether the picture is flatter than the size; such a one is covered by its height.
    bool flat = (int64_t)width * from->height < (int64_t)from->width * height;
    if (how != FUM_BITMAP_STRETCH && flat == (how == FUM_BITMAP_COVER))
        width = (int)FUM_MAX((int64_t)from->width * height / from->height, 1);
    else if (how != FUM_BITMAP_STRETCH)
        height = (int)FUM_MAX((int64_t)from->height * width / from->width, 1);
    if (width > FUM_MAX_SIDE || height > FUM_MAX_SIDE)
        return fum_error_set(err, FUM_ERR_ARG, "a picture of %dx%d cannot fill %dx%d", from->width,
                             from->height, size.width, size.height);
    enum fum_result result = fum_bitmap_scale(from, width, height, &scaled, err);
    const struct fum_bitmap_box box = {width / 2 - size.width / 2, height / 2 - size.height / 2,
                                       size.width, size.height};
    if (!result) result = fum_bitmap_cut(&scaled, box, to, err);
    fum_bitmap_free(&scaled);
    return result;
}

void fum_bitmap_flatten(struct fum_bitmap *b) {
    int colours = b->channels - 1;
    size_t count = (size_t)b->width * (size_t)b->height;
    if (b->channels != 2 && b->channels != 4) return;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = b->pixels + i * (size_t)b->channels;
        unsigned alpha = from[colours];
        for (int c = 0; c < colours; c++)
            b->pixels[i * (size_t)colours + (size_t)c] =
                (uint8_t)((from[c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    b->channels = colours;
}

// ---- blurring ----

// Returns the place within [0, count) that i is mirrored to, the edge not repeated.
static int mirror(int i, int count) {
    if (count == 1) return 0;
    int period = 2 * (count - 1);
    i = (i % period + period) % period;
    return i < count ? i : period - i;
}

struct kernel {
    float *weights; // 2 radius + 1 of them
    int radius;
};

// Blurs a line of `count` values that lie `stride` apart.
static void blur_line(const float *in, float *out, int count, size_t stride,
                      const struct kernel *kernel) {
    for (int i = 0; i < count; i++) {
        float sum = 0;
        for (int k = -kernel->radius; k <= kernel->radius; k++)
            sum += kernel->weights[k + kernel->radius] * in[(size_t)mirror(i + k, count) * stride];
        out[(size_t)i * stride] = sum;
    }
}

static void fill_kernel(const struct kernel *kernel, double deviation) {
    double sum = 0;
    for (int k = -kernel->radius; k <= kernel->radius; k++)
        sum += exp(-0.5 * k * k / (deviation * deviation));
    for (int k = -kernel->radius; k <= kernel->radius; k++)
        kernel->weights[k + kernel->radius] =
            (float)(exp(-0.5 * k * k / (deviation * deviation)) / sum);
}

enum fum_result fum_bitmap_blur(struct fum_bitmap *b, double deviation, struct fum_error *err) {
    struct kernel kernel = {.radius = (int)(2.5 * deviation + 0.5)};
    size_t w = (size_t)b->width, h = (size_t)b->height, count = w * h;
    if (kernel.radius < 1) return FUM_OK;
    kernel.weights = fum_alloc(2 * (size_t)kernel.radius + 1, sizeof *kernel.weights);
    float *in = fum_alloc(count, sizeof *in), *out = fum_alloc(count, sizeof *out);
    bool good = kernel.weights && in && out;
    if (good) {
        fill_kernel(&kernel, deviation);
        for (size_t i = 0; i < count; i++) in[i] = b->pixels[i];
        for (size_t y = 0; y < h; y++) blur_line(in + y * w, out + y * w, b->width, 1, &kernel);
        for (size_t x = 0; x < w; x++) blur_line(out + x, in + x, b->height, w, &kernel);
        for (size_t i = 0; i < count; i++) b->pixels[i] = (uint8_t)nearbyintf(in[i]);
    }
    fum_free(kernel.weights);
    fum_free(in);
    fum_free(out);
    return good ? FUM_OK : no_memory(b->width, b->height, err);
}
