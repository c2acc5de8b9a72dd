// SPDX-License-Identifier: MIT
// Compares the pictures of two folders or data sets pair by pair, or pictures with what an
// autoencoder makes of them.
#include <fumarole/evaluate.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "data/data.h"
#include "evaluate/reconstruct.h"
#include "evaluate/set.h"

#include <math.h>
#include <string.h>

struct pairs {
    fum_data *data[2];
    fum_reconstructor *autoencoder; // in place of data[1], or NULL
    float *planes[2];               // the pictures at hand
    const struct fum_log *log;      // may be NULL
};

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Compares the names of two files, but for what follows the last dot. Files of many samples name
// none.
static bool same_stem(const char *path_a, const char *path_b) {
    const char *a = base_of(path_a), *b = base_of(path_b);
    const char *dot_a = strrchr(a, '.'), *dot_b = strrchr(b, '.');
    size_t n = dot_a ? (size_t)(dot_a - a) : strlen(a), m = dot_b ? (size_t)(dot_b - b) : strlen(b);
    return !*a || !*b || (n == m && !strncmp(a, b, n));
}

static enum fum_result open_pairs(struct pairs *p, const struct fum_evaluate_params *params,
                                  struct fum_error *err) {
    const char *paths[2] = {params->real, params->fake};
    bool model = fum_set_model.probe(params->fake);
    for (int i = 0; i < (model ? 1 : 2); i++) {
        // The size is not used: pictures are read as they are.
        const struct fum_data_settings settings = {.path = paths[i],
                                                   .width = 1,
                                                   .height = 1,
                                                   .channels = 3,
                                                   .limit = params->count,
                                                   .log = params->log};
        enum fum_result result = fum_data_open(&p->data[i], &settings, err);
        if (result) return result;
    }
    if (model) return fum_reconstructor_open(&p->autoencoder, params->fake, params, err);
    int64_t a = fum_data_get_info(p->data[0])->count, b = fum_data_get_info(p->data[1])->count;
    if (a == b) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG, "%s has %lld pictures and %s %lld: they are no pairs",
                         paths[0], (long long)a, paths[1], (long long)b);
}

// Converts a picture to planes in 0..255. Alpha is dropped.
static float *make_planes(const struct fum_bitmap *bitmap, int channels) {
    size_t plane = (size_t)bitmap->width * (size_t)bitmap->height;
    float *planes = fum_alloc(plane * (size_t)channels, sizeof *planes);
    for (size_t i = 0; planes && i < plane; i++)
        for (int c = 0; c < channels; c++)
            planes[(size_t)c * plane + i] =
                (float)bitmap->pixels[i * (size_t)bitmap->channels + (size_t)c];
    return planes;
}

static int colours_of(const struct fum_bitmap *bitmap) {
    return bitmap->channels < 3 ? 1 : 3;
}

static enum fum_result check_sizes(const struct fum_bitmap bitmaps[2], const char *name,
                                   struct fum_error *err) {
    if (bitmaps[0].width == bitmaps[1].width && bitmaps[0].height == bitmaps[1].height &&
        colours_of(&bitmaps[0]) == colours_of(&bitmaps[1]))
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "picture %s has %dx%d pixels of %d colours, its pair %dx%d of %d", name,
                         bitmaps[0].width, bitmaps[0].height, colours_of(&bitmaps[0]),
                         bitmaps[1].width, bitmaps[1].height, colours_of(&bitmaps[1]));
}

// Adds the SSIM of a pair to the sum, which is NaN from the first picture on that has none.
static enum fum_result add_ssim(const struct pairs *p, const struct fum_picture_pair *pair,
                                double *sum, struct fum_error *err) {
    struct fum_error small = {0};
    double ssim = NAN;
    enum fum_result result = isnan(*sum) ? FUM_OK : fum_ssim(pair, &ssim, &small);
    *sum += result == FUM_ERR_ARG ? (double)NAN : ssim;
    if (result == FUM_ERR_ARG) fum_log(p->log, FUM_LOG_WARN, "no SSIM: %s", small.text);
    if (!result || result == FUM_ERR_ARG) return FUM_OK;
    return fum_error_set(err, result, "%s", small.text);
}

static enum fum_result compare_bitmaps(struct pairs *p, const struct fum_bitmap bitmaps[2],
                                       struct fum_pairs_result *sums, struct fum_error *err) {
    int channels = colours_of(&bitmaps[0]);
    for (int i = 0; i < 2; i++) {
        fum_free(p->planes[i]);
        p->planes[i] = make_planes(&bitmaps[i], channels);
        if (!p->planes[i]) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    }
    const struct fum_picture_pair pair = {.a = p->planes[0],
                                          .b = p->planes[1],
                                          .width = bitmaps[0].width,
                                          .height = bitmaps[0].height,
                                          .channels = channels,
                                          .range = 255};
    sums->psnr += fum_psnr(&pair);
    sums->count++;
    return add_ssim(p, &pair, &sums->ssim, err);
}

// Reads both pictures. Checks that their files have the same name.
static enum fum_result read_pair(struct pairs *p, int64_t index, struct fum_bitmap bitmaps[2],
                                 const char **name, struct fum_error *err) {
    struct fum_data_sample samples[2] = {{.name = ""}};
    enum fum_result result = FUM_OK;
    for (int i = 0; i < 2 && p->data[i] && !result; i++) {
        result = fum_data_read(p->data[i], fum_data_pick_plain(p->data[i], index), NULL,
                               &samples[i], err);
        if (!result) result = fum_data_read_bitmap(p->data[i], index, &bitmaps[i], err);
    }
    *name = samples[0].name;
    if (result) return result;
    if (p->autoencoder)
        return fum_reconstructor_run(p->autoencoder, *name, &bitmaps[0], &bitmaps[1], err);
    if (same_stem(samples[0].name, samples[1].name)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG, "%s and %s are no pair: their names differ",
                         samples[0].name, samples[1].name);
}

static enum fum_result compare_pair(struct pairs *p, int64_t index, struct fum_pairs_result *sums,
                                    struct fum_error *err) {
    struct fum_bitmap bitmaps[2] = {{0}};
    const char *name = "";
    enum fum_result result = read_pair(p, index, bitmaps, &name, err);
    if (!result) result = check_sizes(bitmaps, name, err);
    if (!result) result = compare_bitmaps(p, bitmaps, sums, err);
    for (int i = 0; i < 2; i++) fum_bitmap_free(&bitmaps[i]);
    return result;
}

enum fum_result fum_evaluate_pairs(const struct fum_evaluate_params *params,
                                   struct fum_pairs_result *result, struct fum_error *err) {
    struct pairs p = {.log = params->log};
    *result = (struct fum_pairs_result){0};
    enum fum_result done = open_pairs(&p, params, err);
    int64_t count = done ? 0 : fum_data_get_info(p.data[0])->count;
    for (int64_t i = 0; i < count && !done; i++) {
        done = compare_pair(&p, i, result, err);
        if (!done && params->on_picture &&
            !params->on_picture(params->user, params->real, (size_t)i + 1, (size_t)count))
            done = fum_error_set(err, FUM_ERR_CANCELLED, "stopped");
    }
    if (result->count) {
        result->psnr /= (double)result->count;
        result->ssim /= (double)result->count;
    }
    fum_reconstructor_close(&p.autoencoder);
    for (int i = 0; i < 2; i++) {
        fum_free(p.planes[i]);
        fum_data_close(&p.data[i]);
    }
    return done;
}
