// SPDX-License-Identifier: MIT
// Enlarges a picture outside of the queue.
#ifndef FUM_CLI_SERVE_ENLARGE_H
#define FUM_CLI_SERVE_ENLARGE_H

#include "server.h"

#include <fumarole/bitmap.h>

struct enlarge_params {
    struct server *server;
    int width, height;            // to scale to
    int crop_width, crop_height;  // what is left of that, around the middle
    bool nearest;                 // by repeating pixels, and not by Lanczos's filter
    char network[CLI_PATH_BYTES]; // enlarges the picture before; "": none
};

// Enlarges a picture in place, networks one at a time on the first device. Any thread. Errors: as
// fum_upscaler_run.
enum fum_result enlarge_bitmap(struct fum_bitmap *bitmap, const struct enlarge_params *params,
                               struct fum_error *err);

#endif
