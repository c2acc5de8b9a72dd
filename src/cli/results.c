// SPDX-License-Identifier: MIT
#include "results.h"

#include "output.h"
#include "recipe.h"

#include <stdlib.h>
#include <string.h>

// Appends a picture's latents to what --save-latents writes at the end.
static int keep_latents(struct generate_results *results, const struct fum_image *image) {
    size_t one =
        (size_t)image->latent_channels * (size_t)image->latent_height * (size_t)image->latent_width;
    size_t before = (size_t)results->shape[0] * one;
    float *grown = realloc(results->latents, (before + one) * sizeof *grown);
    if (!grown) return cli_fail("no memory to keep the latents of picture %d", image->index + 1);
    memcpy(grown + before, image->latents, one * sizeof *grown);
    results->latents = grown;
    results->shape[0]++;
    results->shape[1] = image->latent_channels;
    results->shape[2] = image->latent_height;
    results->shape[3] = image->latent_width;
    return 0;
}

static enum fum_result save_image(const void *image, const char *path, struct fum_error *err) {
    return fum_image_save(image, path, err);
}

// Writes a picture under its name and reports it.
static int write_image(const struct generate_results *results, const struct fum_image *image) {
    const struct generate_options *options = &results->request->options;
    int index = results->request->before + image->index;
    char *name = cli_output_name(options->output, index, options->output_begin + index);
    const struct cli_recipe recipe = {results->request, image->seed, image->index,
                                      fum_pipeline_model_hash(results->pipeline)};
    struct fum_image written = *image;
    bool no_memory = false;
    char *text = cli_recipe_write(&recipe, &no_memory);
    written.request = text;
    int status = name && !no_memory
                     ? cli_output_save(name, &(struct cli_result){save_image, &written})
                     : cli_fail("out of memory");
    if (status == 0)
        cli_put_line(cli_report_stream(), "%s: %d x %d, seed %llu, on %s, %.2f s", name,
                     image->width, image->height, (unsigned long long)image->seed, results->device,
                     fum_time_now() - results->started);
    fflush(stdout);
    free(text);
    free(name);
    return status;
}

int generate_results_add(struct generate_results *results, const struct fum_image *image) {
    int status = 0;
    if (results->sheet) return cli_sheet_add(results->sheet, results->cell, image);
    if (results->grid.columns)
        status = cli_grid_add(&results->grid, image);
    else if (image->pixels)
        status = write_image(results, image);
    int kept = results->request->options.save_latents ? keep_latents(results, image) : 0;
    return status ? status : kept;
}

static enum fum_result write_latents(const void *what, const char *path, struct fum_error *err) {
    const struct generate_results *results = what;
    return results->request->options.invert
               ? fum_noise_save(path, results->latents, results->shape, err)
               : fum_latents_save(path, results->latents, results->shape, err);
}

int generate_results_end(const struct generate_results *results, int status) {
    struct fum_image grid = results->grid.image;
    const char *latents = results->request->options.save_latents;
    int written = 0, saved = 0;
    grid.index = 0;
    if (grid.width) written = write_image(results, &grid);
    if (latents && results->shape[0])
        saved = cli_output_save(latents, &(struct cli_result){write_latents, results});
    if (status) return status;
    return written ? written : saved;
}

int generate_results_sheet(const struct generate_results *results, int status) {
    struct fum_image image;
    if (!results->sheet->drawn) return status;
    int written = cli_sheet_finish(results->sheet, &image);
    if (!written) written = write_image(results, &image);
    return status ? status : written;
}

void generate_results_free(struct generate_results *results) {
    cli_grid_free(&results->grid);
    free(results->latents);
}
