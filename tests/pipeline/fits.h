// SPDX-License-Identifier: MIT
// Compares a drawn picture with golden data, as the tests of pictures do.
#ifndef TESTS_PIPELINE_FITS_H
#define TESTS_PIPELINE_FITS_H

#include "golden.h"
#include "picture.h"

static inline double psnr(const uint8_t *a, const uint8_t *b, size_t count) {
    double error = 0;
    for (size_t i = 0; i < count; i++) error += (a[i] - b[i]) * (a[i] - b[i]);
    return error > 0 ? 10 * log10(255.0 * 255.0 * (double)count / error) : INFINITY;
}

struct fit {
    double latents; // relative root mean square
    double picture; // dB
};

// Returns how far a picture is from "latents" and "picture" of the index-th case. `kept` has the
// channels last.
static inline struct fit golden_fit(const struct golden *g, int index, const struct kept *kept) {
    const float *golden = golden_values(g, index, "latents");
    size_t area = (size_t)kept->latent_width * (size_t)kept->latent_height;
    size_t channels = kept->latent_count / area;
    float *latents = malloc(kept->latent_count * sizeof *latents);
    for (size_t p = 0; p < area; p++)
        for (size_t k = 0; k < channels; k++) latents[p * channels + k] = golden[k * area + p];
    const struct fit fit = {
        relative_rms(kept->latents, latents, kept->latent_count),
        psnr(kept->pixels, golden_tensor(g, index, "picture")->view.data, kept->bytes)};
    free(latents);
    return fit;
}

#endif
