// SPDX-License-Identifier: MIT
#include "evaluate/pictures.h"

#include "base/macros.h"

// Where a pixel of the result lies between two of the source.
struct place {
    int low, high;
    float weight; // of the higher one
};

static struct place find_place(int at, int from, int to) {
    float scale = (float)from / (float)to, x = scale * ((float)at + 0.5f) - 0.5f;
    if (x < 0) x = 0;
    struct place p = {.low = (int)x};
    p.low = FUM_MIN(p.low, from - 1);
    p.high = FUM_MIN(p.low + 1, from - 1);
    p.weight = x - (float)p.low;
    return p;
}

// Returns a channel of a pixel in 0..1.
static float value_at(const struct fum_bitmap *b, int y, int x, int channel) {
    size_t at = ((size_t)y * (size_t)b->width + (size_t)x) * (size_t)b->channels + (size_t)channel;
    return (float)b->pixels[at] / 255.0f;
}

static float blend(const struct fum_bitmap *b, const struct place *y, const struct place *x,
                   int channel) {
    float low = (1 - x->weight) * value_at(b, y->low, x->low, channel) +
                x->weight * value_at(b, y->low, x->high, channel);
    float high = (1 - x->weight) * value_at(b, y->high, x->low, channel) +
                 x->weight * value_at(b, y->high, x->high, channel);
    return (1 - y->weight) * low + y->weight * high;
}

void fum_picture_scale(const struct fum_bitmap *bitmap, int width, int height, float *out) {
    for (int i = 0; i < height; i++) {
        struct place y = find_place(i, bitmap->height, height);
        for (int j = 0; j < width; j++) {
            struct place x = find_place(j, bitmap->width, width);
            for (int c = 0; c < bitmap->channels; c++) *out++ = blend(bitmap, &y, &x, c);
        }
    }
}
