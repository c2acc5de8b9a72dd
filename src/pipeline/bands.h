// SPDX-License-Identifier: MIT
// Decoding a picture by bands of rows, exactly: the decoder's passes (model/vae_passes.h) one after
// the other, each over all bands, with whole values between them in the host's memory. Norms use
// the statistics of the whole picture, and bands overlap by the rows that a convolution sees, so
// there are no seams and no tile's own brightness.
#ifndef FUM_PIPELINE_BANDS_H
#define FUM_PIPELINE_BANDS_H

#include "model/vae_passes.h"
#include "pipeline/pipeline.h"

// Device memory for the activations of a band where no budget says otherwise.
#define FUM_BAND_BYTES (UINT64_C(128) << 20)
enum { FUM_BAND_ROWS = 8 }; // the fewest that are worth it: two of them are the overlap's

// Whether the device's limits allow it: the smallest head must run whole. If not, err says what was
// refused.
bool fum_bands_possible(fum_pipeline *pipe, int height, int width, struct fum_error *err);
// The most that activations take when decoding [height, width] latents with `room` bytes for them
// (and, with a budget, for the weights of a pass).
enum fum_result fum_bands_measure(fum_pipeline *pipe, int height, int width, uint64_t room,
                                  uint64_t *activations, struct fum_error *err);
// Adds what the smallest head and bands need to pipe->least.
enum fum_result fum_bands_probe(fum_pipeline *pipe, int height, int width, struct fum_error *err);

// values as fum_decode_values'. `room`: bytes for activations and the weights of a pass. *bad: the
// module that gave the first value that is not finite; empty: none.
enum fum_result fum_bands_decode(fum_pipeline *pipe, const float *latents, int height, int width,
                                 uint64_t room, float *values, char bad[64], struct fum_error *err);

#endif
