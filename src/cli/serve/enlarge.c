// SPDX-License-Identifier: MIT
#include "enlarge.h"

#include <fumarole/upscale.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Networks need memory of the device beside the queue's, so that one is open at a time.
static pthread_mutex_t one_network = PTHREAD_MUTEX_INITIALIZER;

// Takes an enlarged picture over.
struct taken {
    struct fum_bitmap bitmap;
    const struct server *server;
    struct fum_error err;
    enum fum_result result;
};

static bool on_tile(void *user, int done, int total) {
    (void)user, (void)done, (void)total;
    return !cli_interrupted();
}

// Scales the result to its final size where it was made, since its memory is the library's.
static bool on_image(void *user, const struct fum_image *image) {
    struct taken *taken = user;
    const struct fum_bitmap from = {(uint8_t *)(uintptr_t)image->pixels, image->width,
                                    image->height, image->channels};
    taken->result = fum_bitmap_resize(&from, FUM_BITMAP_LANCZOS, &taken->bitmap, &taken->err);
    return taken->result == FUM_OK;
}

// Returns how often a network is run to reach the width, at most three times as in A1111.
static int count_repeats(int width, int wanted, int scale) {
    enum { MOST = 3 };
    int repeats = 1;
    for (long long side = (long long)width * scale; side < wanted && scale > 1 && repeats < MOST;
         side *= scale)
        repeats++;
    return repeats;
}

static enum fum_result run_network(fum_device *device, struct fum_bitmap *bitmap,
                                   const struct enlarge_params *params, struct fum_error *err) {
    struct taken taken = {.bitmap = {.width = params->width, .height = params->height}};
    fum_upscaler *upscaler = NULL;
    enum fum_result result = fum_upscaler_create(
        &upscaler, device,
        &(struct fum_upscaler_params){.path = params->network, .tile = FUM_UPSCALE_TILE_AUTO}, err);
    if (result == FUM_OK) {
        int scale = fum_upscaler_get_info(upscaler)->scale;
        const struct fum_upscale_params run = {
            .pixels = bitmap->pixels,
            .width = bitmap->width,
            .height = bitmap->height,
            .channels = bitmap->channels,
            .repeats = count_repeats(bitmap->width, params->width, scale),
            .on_tile = on_tile,
            .on_image = on_image,
            .user = &taken};
        result = fum_upscaler_run(upscaler, &run, err);
    }
    fum_upscaler_destroy(&upscaler);
    if (taken.result != FUM_OK) {
        result = taken.result;
        *err = taken.err;
    }
    if (result != FUM_OK) return result;
    fum_bitmap_free(bitmap);
    *bitmap = taken.bitmap;
    return FUM_OK;
}

static enum fum_result enlarge_by_network(struct fum_bitmap *bitmap,
                                          const struct enlarge_params *params,
                                          struct fum_error *err) {
    const struct cli_list *devices = &params->server->options->devices;
    const struct fum_device_params choice = {.select = devices->count ? devices->at[0] : NULL};
    fum_device *device = NULL;
    pthread_mutex_lock(&one_network);
    enum fum_result result = fum_device_create(&device, &choice, err);
    if (result == FUM_OK) result = run_network(device, bitmap, params, err);
    fum_device_destroy(&device);
    pthread_mutex_unlock(&one_network);
    return result;
}

static enum fum_result scale(struct fum_bitmap *bitmap, const struct enlarge_params *params,
                             struct fum_error *err) {
    struct fum_bitmap scaled = {.width = params->width, .height = params->height};
    enum fum_result result = fum_bitmap_resize(
        bitmap, params->nearest ? FUM_BITMAP_NEAREST : FUM_BITMAP_LANCZOS, &scaled, err);
    if (result != FUM_OK) return result;
    fum_bitmap_free(bitmap);
    *bitmap = scaled;
    return FUM_OK;
}

// Leaves the middle of a picture, in place.
static void crop(struct fum_bitmap *bitmap, int width, int height) {
    size_t channels = (size_t)bitmap->channels, row = (size_t)width * channels;
    int left = (bitmap->width - width) / 2, top = (bitmap->height - height) / 2;
    for (int y = 0; y < height; y++)
        memmove(bitmap->pixels + (size_t)y * row,
                bitmap->pixels +
                    ((size_t)(top + y) * (size_t)bitmap->width + (size_t)left) * channels,
                row);
    bitmap->width = width;
    bitmap->height = height;
}

enum fum_result enlarge_bitmap(struct fum_bitmap *bitmap, const struct enlarge_params *params,
                               struct fum_error *err) {
    enum fum_result result =
        params->network[0] ? enlarge_by_network(bitmap, params, err) : scale(bitmap, params, err);
    if (result == FUM_OK && params->crop_width <= bitmap->width &&
        params->crop_height <= bitmap->height)
        crop(bitmap, params->crop_width, params->crop_height);
    return result;
}
