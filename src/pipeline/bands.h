// SPDX-License-Identifier: MIT
// Decodes or encodes a picture by bands of rows, exactly. The passes (model/vae_passes.h) run one
// after the other, each over all bands. Whole values between them stay in the host's memory. Norms
// use the statistics of the whole picture. Bands overlap by the rows that a convolution reads, so
// there are no seams.
#ifndef FUM_PIPELINE_BANDS_H
#define FUM_PIPELINE_BANDS_H

#include "model/vae_passes.h"
#include "pipeline/pipeline.h"

// Device memory for the activations of a band unless a budget decides.
#define FUM_BAND_BYTES (UINT64_C(128) << 20)
enum { FUM_BAND_ROWS = 8 }; // the fewest that are worth it: two of them are the overlap's

struct fum_bands {
    int height, width; // of the latents
    uint64_t room;     // bytes for activations and the weights of a pass
    bool encodes;      // pictures to latents, not back
    char bad[64];      // set: module with the first non-finite value; "": none
};

// True if the device's limits allow it: the smallest head or tail must run whole. If not, err names
// what was refused.
bool fum_bands_possible(fum_pipeline *pipe, const struct fum_bands *bands, struct fum_error *err);
// Measures the most that activations take in this room (with a budget, the room is
// for the weights of a pass, too).
enum fum_result fum_bands_measure(fum_pipeline *pipe, const struct fum_bands *bands,
                                  uint64_t *activations, struct fum_error *err);
// Measures the fewest bytes in which the smallest head or tail and the smallest bands run.
enum fum_result fum_bands_least(fum_pipeline *pipe, const struct fum_bands *bands, uint64_t *bytes,
                                struct fum_error *err);

// Decodes latents to values as fum_decode_values'.
enum fum_result fum_bands_decode(fum_pipeline *pipe, struct fum_bands *bands, const float *latents,
                                 float *values, struct fum_error *err);

// The distribution of latents, each [height, width, channels].
struct fum_bands_posterior {
    float *mean, *logvar; // mean: scaled as the model's latents
};
// Encodes pixels in [-1, 1], [height, width, channels].
enum fum_result fum_bands_encode(fum_pipeline *pipe, struct fum_bands *bands, const float *pixels,
                                 const struct fum_bands_posterior *out, struct fum_error *err);

#endif
