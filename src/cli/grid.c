// SPDX-License-Identifier: MIT
#include "grid.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int begin(struct cli_grid *grid, const struct fum_image *image) {
    long long width = (long long)grid->columns * image->width,
              height = (long long)grid->rows * image->height;
    if (width > FUM_MAX_SIDE || height > FUM_MAX_SIDE || width * height > FUM_MAX_PIXELS)
        return cli_fail("a grid of %lld x %lld pixels is too large; use fewer pictures", width,
                        height);
    grid->pixels = calloc((size_t)(width * height), (size_t)image->channels);
    grid->parameters = cli_copy(image->parameters);
    if (!grid->pixels || !grid->parameters) return cli_fail("out of memory");
    grid->image = *image;
    grid->image.width = (int)width;
    grid->image.height = (int)height;
    grid->image.pixels = grid->pixels;
    grid->image.latents = NULL;
    grid->image.parameters = grid->parameters;
    return 0;
}

int cli_grid_add(struct cli_grid *grid, const struct fum_image *image) {
    int status = grid->image.width ? 0 : begin(grid, image);
    if (status) return status;
    size_t row = (size_t)image->width * (size_t)image->channels,
           whole = (size_t)grid->image.width * (size_t)image->channels;
    size_t top = (size_t)(image->index / grid->columns) * (size_t)image->height,
           left = (size_t)(image->index % grid->columns) * row;
    for (size_t y = 0; y < (size_t)image->height; y++)
        memcpy(grid->pixels + (top + y) * whole + left, image->pixels + y * row, row);
    return 0;
}

void cli_grid_free(struct cli_grid *grid) {
    free(grid->pixels);
    free(grid->parameters);
}
