// SPDX-License-Identifier: MIT
// Adds the rows of the time embedding that residual blocks and norms read.
#include "model/unet_time.h"

#include <stdarg.h>
#include <stdio.h>

void fum_unet_add_row(struct fum_unet_builder *b, int channels, const char *fmt, ...) {
    struct fum_nn_time_row *r = &b->rows[b->num_rows++];
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->path, sizeof r->path, fmt, args);
    va_end(args);
    r->layer = b->config->k_levels ? "linear" : "time_emb_proj";
    r->channels = b->config->scale_shift ? 2 * channels : channels;
}
