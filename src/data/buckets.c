// SPDX-License-Identifier: MIT
// Groups pictures by their aspect ratio, so that the batches of a fine-tuning need little cropping.
#include "data/inside.h"

#include "base/error.h"
#include "base/macros.h"

#include <math.h>

enum { MAX_SIZES = 256, MAX_STEPS = 64 }; // steps of the shorter side

struct sizes {
    int count, width[MAX_SIZES], height[MAX_SIZES];
};

static void add_size(struct sizes *sizes, int width, int height) {
    for (int i = 0; i < sizes->count; i++)
        if (sizes->width[i] == width && sizes->height[i] == height) return;
    sizes->width[sizes->count] = width;
    sizes->height[sizes->count++] = height;
}

// Lists sizes whose sides are multiples of the step and whose area is at most that of the settings,
// as kohya's make_bucket_resolutions does. Sides go from half to twice that of the square.
static void list_sizes(struct sizes *sizes, const struct fum_data_settings *settings) {
    int64_t area = (int64_t)settings->width * settings->height;
    int step = settings->bucket_step, square = (int)sqrt((double)area) / step * step;
    int least = FUM_MAX(square / 2 / step * step, step), most = square * 2;
    *sizes = (struct sizes){0};
    add_size(sizes, square, square);
    for (int width = least; width <= most; width += step) {
        int height = (int)FUM_MIN(area / width / step * step, most);
        if (height < least) continue;
        add_size(sizes, width, height);
        add_size(sizes, height, width);
    }
}

// Returns the size whose ratio is nearest to that of the picture.
static int choose_size(const struct sizes *sizes, const struct fum_bitmap *picture) {
    double ratio = (double)picture->width / picture->height, best = INFINITY;
    int chosen = 0;
    for (int i = 0; i < sizes->count; i++) {
        double error = fabs((double)sizes->width[i] / sizes->height[i] - ratio);
        if (error < best) best = error, chosen = i;
    }
    return chosen;
}

// Chooses a size for every sample; broken ones get the first.
static enum fum_result assign_sizes(fum_data *data, const struct sizes *sizes,
                                    struct fum_error *err) {
    for (int64_t i = 0; i < data->info.count; i++) {
        struct fum_bitmap picture = {0};
        enum fum_result result = fum_data_measure(data, i, &picture, err);
        if (result && !fum_data_is_broken(result)) return result;
        data->bucket_of[i] = result ? 0 : choose_size(sizes, &picture);
    }
    return FUM_OK;
}

// Makes buckets of the sizes that have samples, and lists these.
static bool list_members(fum_data *data, const struct sizes *sizes) {
    int64_t counts[MAX_SIZES] = {0}, *next[MAX_SIZES];
    int number[MAX_SIZES];
    int64_t *members = fum_arena_alloc(data->arena, (size_t)data->info.count, sizeof *members);
    data->buckets = fum_arena_alloc(data->arena, (size_t)sizes->count, sizeof *data->buckets);
    if (!members || !data->buckets) return false;
    for (int64_t i = 0; i < data->info.count; i++) counts[data->bucket_of[i]]++;
    for (int s = 0; s < sizes->count; s++) {
        next[s] = members;
        number[s] = data->info.buckets;
        if (!counts[s]) continue;
        data->buckets[data->info.buckets++] =
            (struct fum_data_bucket){sizes->width[s], sizes->height[s], counts[s], members};
        data->info.width = FUM_MAX(data->info.width, sizes->width[s]);
        data->info.height = FUM_MAX(data->info.height, sizes->height[s]);
        members += counts[s];
    }
    for (int64_t i = 0; i < data->info.count; i++) {
        *next[data->bucket_of[i]]++ = i;
        data->bucket_of[i] = number[data->bucket_of[i]];
    }
    return true;
}

static enum fum_result make_one_bucket(fum_data *data, const char *path, struct fum_error *err) {
    data->buckets = fum_arena_alloc(data->arena, 1, sizeof *data->buckets);
    if (!data->buckets) return fum_data_no_memory(path, err);
    data->info.buckets = 1;
    data->buckets[0] =
        (struct fum_data_bucket){data->info.width, data->info.height, data->info.count, NULL};
    return FUM_OK;
}

enum fum_result fum_data_make_buckets(fum_data *data, const struct fum_data_settings *settings,
                                      struct fum_error *err) {
    int step = settings->bucket_step, side = FUM_MIN(settings->width, settings->height);
    if (step <= 0) return make_one_bucket(data, settings->path, err);
    if (step > side || side / step > MAX_STEPS)
        return fum_error_set(err, FUM_ERR_ARG,
                             "buckets in steps of %d for sides of %d; a step from %d to %d", step,
                             side, FUM_DIV_UP(side, MAX_STEPS), side);
    struct sizes sizes;
    list_sizes(&sizes, settings);
    data->bucket_of =
        fum_arena_alloc(data->arena, (size_t)data->info.count, sizeof *data->bucket_of);
    if (!data->bucket_of) return fum_data_no_memory(settings->path, err);
    enum fum_result result = assign_sizes(data, &sizes, err);
    data->info.width = data->info.height = 0;
    if (!result && !list_members(data, &sizes)) return fum_data_no_memory(settings->path, err);
    return result;
}
