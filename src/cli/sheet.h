// SPDX-License-Identifier: MIT
// Puts the pictures of --xy into one, in columns and rows with the value of each beside it.
#ifndef FUM_CLI_SHEET_H
#define FUM_CLI_SHEET_H

#include "requests.h"

#include <fumarole/pipeline.h>

// A picture of the sheet.
struct cli_cell {
    uint8_t *pixels; // NULL: it was not drawn
    int width, height;
};

struct cli_sheet {
    const struct generate_axis *axes; // columns and rows
    struct cli_cell *cells;           // row by row
    int drawn;                        // cells
    int channels;
    uint64_t seed;    // of the first one
    char *parameters; // its own, too
    uint8_t *pixels;  // of the whole
};

// Keeps a picture as one of the cells. Returns 0, or prints the error and returns an exit status.
int cli_sheet_add(struct cli_sheet *sheet, int cell, const struct fum_image *image);
// Makes one picture of all cells, which belongs to the sheet. Cells that were not drawn stay white.
// Returns as cli_sheet_add does.
int cli_sheet_finish(struct cli_sheet *sheet, struct fum_image *image);
void cli_sheet_free(struct cli_sheet *sheet);

#endif
