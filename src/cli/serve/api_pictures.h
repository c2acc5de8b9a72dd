// SPDX-License-Identifier: MIT
// Pictures between jobs and the clients of other APIs.
#ifndef FUM_CLI_SERVE_API_PICTURES_H
#define FUM_CLI_SERVE_API_PICTURES_H

#include "api.h"

// The content of a file, freed with free().
struct api_file {
    void *data;
    size_t bytes;
};

// Reads the PNG of an object Picture. False: it was removed, or cannot be read.
bool api_read_picture(struct jobs *jobs, const cJSON *picture, struct api_file *file);
// Decodes a picture that a client sent as base64 or a data URL, under the name of the field.
// Returns false with the call's error filled in.
bool api_decode_base64(struct api_call *call, const char *name, const char *text,
                       struct api_file *file);

// How a client gets its pictures.
struct api_format {
    const char *name;  // "png", "jpeg" or "webp"
    int quality;       // of the last two, 1 to 100; 0: the usual one
    int width, height; // to scale to; 0: as it is
};
// Makes another file of a picture, with its texts. Frees the first one.
enum fum_result api_convert_file(struct api_file *file, const struct api_format *format,
                                 struct fum_error *err);

#endif
