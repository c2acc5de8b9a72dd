// SPDX-License-Identifier: MIT
// Enlarges pictures with a network: ESRGAN and Real-ESRGAN (RRDB), SRVGG compact.
#ifndef FUMAROLE_UPSCALE_H
#define FUMAROLE_UPSCALE_H

#include <fumarole/pipeline.h>

#ifdef __cplusplus
extern "C" {
#endif

// A network on a device. One thread at a time. Later pictures reuse what earlier ones compiled.
typedef struct fum_upscaler fum_upscaler;

enum { FUM_UPSCALE_TILE = 128, FUM_UPSCALE_TILE_AUTO = -1 };

struct fum_upscaler_params {
    const char *path; // its weights, .safetensors or .pth
    // Pixels of a tile's side; larger pictures are enlarged in tiles. Surroundings are read with
    // each tile, so that borders do not show. 0: FUM_UPSCALE_TILE. FUM_UPSCALE_TILE_AUTO: the
    // largest tiles that the memory budget and the device hold.
    int tile;
    // as in struct fum_pipeline_params; with FUM_UPSCALE_TILE_AUTO, 0 is FUM_MEMORY_AUTO
    uint64_t memory_budget;
    enum fum_precision precision; // as in struct fum_pipeline_params
    int threads;                  // as in struct fum_pipeline_params
    const struct fum_log *log;    // kept; may be NULL
};

// Opens a network. Weights are loaded with the first picture. The device must outlive it. Errors:
// FUM_ERR_IO, FUM_ERR_FORMAT, FUM_ERR_UNSUPPORTED (no such network), FUM_ERR_NOMEM.
FUM_API enum fum_result fum_upscaler_create(fum_upscaler **upscaler, fum_device *device,
                                            const struct fum_upscaler_params *params,
                                            struct fum_error *err);
FUM_API void fum_upscaler_destroy(fum_upscaler **upscaler);

struct fum_upscaler_info {
    const char *family; // "ESRGAN"
    int scale;          // sides become so many times as long
    int channels;       // of the pictures that it enlarges: 3 for RGB, 1 for grey
};
FUM_API const struct fum_upscaler_info *fum_upscaler_get_info(const fum_upscaler *upscaler);

struct fum_upscale_params {
    // A picture's file, or NULL: `pixels` has it.
    const char *file;
    // Rows from the top, width · height · channels bytes. 2 and 4 channels end with transparency,
    // which is enlarged to the nearest pixel.
    const uint8_t *pixels;
    int width, height, channels;
    int repeats; // how often it is enlarged; 0: once
    // Called after every tile, of `total` in one enlargement. Returning false cancels. May be NULL.
    bool (*on_tile)(void *user, int done, int total);
    // Receives the enlarged picture, without latents. The parameters are those of a PNG file.
    // Required. Returning false is FUM_ERR_CANCELLED.
    bool (*on_image)(void *user, const struct fum_image *image);
    void *user;
};
// Enlarges a picture. Errors: FUM_ERR_IO, FUM_ERR_FORMAT, FUM_ERR_ARG, FUM_ERR_UNSUPPORTED (the
// result is too large), FUM_ERR_NOMEM, FUM_ERR_DEVICE, FUM_ERR_CANCELLED.
FUM_API enum fum_result fum_upscaler_run(fum_upscaler *upscaler,
                                         const struct fum_upscale_params *params,
                                         struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
