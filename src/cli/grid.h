// SPDX-License-Identifier: MIT
// Puts the pictures of a run side by side into one.
#ifndef FUM_CLI_GRID_H
#define FUM_CLI_GRID_H

#include <fumarole/pipeline.h>

struct cli_grid {
    int columns, rows;
    struct fum_image image; // of the whole; width 0: no picture was added yet
    uint8_t *pixels;        // its own
    char *parameters;       // of the first picture
};

// Adds a picture at the place of its index. Returns 0, or prints the error and returns an exit
// status.
int cli_grid_add(struct cli_grid *grid, const struct fum_image *image);
void cli_grid_free(struct cli_grid *grid);

#endif
