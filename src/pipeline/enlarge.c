// SPDX-License-Identifier: MIT
#include "pipeline/enlarge.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"
#include "io/resize.h"

#include <math.h>
#include <string.h>

enum { MAX_TAPS = 4 };

// ---- latents ----

static void weigh_linear(double share, double *weights) {
    weights[0] = 1 - share;
    weights[1] = share;
}

// Fills in the weights of the cubic convolution with a = -0.75, as torch has it.
static void weigh_cubic(double share, double *weights) {
    const double a = -0.75;
    for (int i = 0; i < MAX_TAPS; i++) {
        double x = fabs(share + 1 - i);
        weights[i] = x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1
                            : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }
}

// The values that a place of the large grid is made of, along one side.
struct taps {
    int at[MAX_TAPS];
    double weight[MAX_TAPS];
};

static struct taps find_taps(const struct fum_enlarger *way, int place, int from, int to) {
    struct taps taps;
    double at = (place + 0.5) * from / to - 0.5, low = floor(at);
    way->weigh(at - low, taps.weight);
    for (int i = 0; i < way->taps; i++) {
        int index = (int)low + i - (way->taps / 2 - 1);
        taps.at[i] = FUM_MIN(FUM_MAX(index, 0), from - 1);
    }
    return taps;
}

enum fum_result fum_enlarge_latents(const struct fum_enlarger *way, const struct fum_grid *from,
                                    const struct fum_grid *to, struct fum_error *err) {
    size_t channels = (size_t)from->channels;
    double *sum = fum_alloc(channels, sizeof *sum);
    if (!sum) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to enlarge latents");
    for (int y = 0; y < to->height; y++) {
        struct taps rows = find_taps(way, y, from->height, to->height);
        for (int x = 0; x < to->width; x++) {
            struct taps columns = find_taps(way, x, from->width, to->width);
            memset(sum, 0, channels * sizeof *sum);
            for (int i = 0; i < way->taps * way->taps; i++) {
                int row = i / way->taps, column = i % way->taps;
                size_t at = (size_t)rows.at[row] * (size_t)from->width + (size_t)columns.at[column];
                double weight = rows.weight[row] * columns.weight[column];
                for (size_t c = 0; c < channels; c++)
                    sum[c] += weight * (double)from->values[at * channels + c];
            }
            size_t out = ((size_t)y * (size_t)to->width + (size_t)x) * channels;
            for (size_t c = 0; c < channels; c++) to->values[out + c] = (float)sum[c];
        }
    }
    fum_free(sum);
    return FUM_OK;
}

// ---- pictures ----

static const struct fum_enlarger enlargers[] = {
    {"latent", "Latent", .taps = 2, .weigh = weigh_linear},
    {"latent-bicubic", "Latent (bicubic)", .taps = 4, .weigh = weigh_cubic},
    {"nearest", "Nearest", .scale = fum_bitmap_scale_nearest},
    {"lanczos", "Lanczos", .scale = fum_bitmap_scale},
};

const struct fum_enlarger *fum_enlarger_find(const char *name) {
    for (size_t i = 0; i < FUM_COUNT(enlargers); i++)
        if (!strcmp(enlargers[i].name, name) || !strcmp(enlargers[i].label, name))
            return &enlargers[i];
    return NULL;
}

// Takes an enlarged picture over.
struct taken {
    struct fum_bitmap picture;
    bool no_memory;
};

static bool take_picture(void *user, const struct fum_image *image) {
    struct taken *taken = user;
    size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    taken->picture =
        (struct fum_bitmap){fum_alloc(bytes, 1), image->width, image->height, image->channels};
    taken->no_memory = !taken->picture.pixels;
    if (!taken->no_memory) memcpy(taken->picture.pixels, image->pixels, bytes);
    return !taken->no_memory;
}

enum fum_result fum_enlarge_by_network(fum_upscaler *network, const struct fum_bitmap *from,
                                       struct fum_bitmap *to, struct fum_error *err) {
    enum { MOST_REPEATS = 3 }; // as in A1111
    struct taken taken = {.no_memory = false};
    int scale = fum_upscaler_get_info(network)->scale, repeats = 1;
    for (int side = scale;
         repeats < MOST_REPEATS && scale > 1 &&
         ((long long)from->width * side < to->width || (long long)from->height * side < to->height);
         side *= scale)
        repeats++;
    const struct fum_upscale_params params = {.pixels = from->pixels,
                                              .width = from->width,
                                              .height = from->height,
                                              .channels = from->channels,
                                              .repeats = repeats,
                                              .on_image = take_picture,
                                              .user = &taken};
    enum fum_result result = fum_upscaler_run(network, &params, err);
    if (taken.no_memory) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    if (!result) result = fum_bitmap_scale(&taken.picture, to->width, to->height, to, err);
    fum_bitmap_free(&taken.picture);
    return result;
}
