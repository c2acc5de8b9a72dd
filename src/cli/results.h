// SPDX-License-Identifier: MIT
// Writes what a run of generate makes: pictures or a grid of them, latents or noise.
#ifndef FUM_CLI_RESULTS_H
#define FUM_CLI_RESULTS_H

#include "grid.h"
#include "request.h"
#include "sheet.h"

struct generate_results {
    const struct generate_request *request;
    struct cli_sheet *sheet; // takes the picture, as the cell `cell`; NULL: it is written
    int cell;
    const fum_pipeline *pipeline;
    const char *device; // its name, for the report
    double started;
    struct cli_grid grid;
    float *latents; // of the pictures so far, for --save-latents
    int shape[4];
};

// Writes a picture, or keeps it for the grid, and keeps its latents. Returns 0, or prints the error
// and returns an exit status.
int generate_results_add(struct generate_results *results, const struct fum_image *image);
// Writes what holds several pictures, however the run ended. `status` is the run's; returns it, or
// that of the writing.
int generate_results_end(const struct generate_results *results, int status);
// Writes the sheet of all cells that were drawn, however the run ended. `status` is as above.
int generate_results_sheet(const struct generate_results *results, int status);
void generate_results_free(struct generate_results *results);

#endif
