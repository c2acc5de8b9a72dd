// SPDX-License-Identifier: MIT
// Declares the pictures that a request gives, and what they are encoded to.
#ifndef FUM_PIPELINE_GIVEN_H
#define FUM_PIPELINE_GIVEN_H

#include <fumarole/pipeline.h>

#include "io/image.h"

struct fum_run;
struct fum_start;

// Latents of a picture that is given, each [height, width, channels] of latent pixels.
struct fum_given_latents {
    bool drawn;       // the picture's generator has a draw for them, at their place in its order
    float *mean;      // NULL: the draw is dropped
    float *deviation; // of their distribution; NULL: the mean is taken
};

struct fum_given {
    struct fum_bitmap original; // as it was read, with as many channels as the VAE takes
    struct fum_bitmap picture;  // at the size of the run
    // Latents to start from, drawn before the noise. Each picture of a batch gets its own in
    // fum_start.image, if there is a mean.
    struct fum_given_latents start;
    struct fum_given_latents masked; // of what the mask keeps, drawn after the noise
};

bool fum_image_given(const struct fum_image_source *source);
// Reads a picture that the request gives. `channels`: 0: as it is. The caller frees it.
enum fum_result fum_given_read(const struct fum_run *run, const struct fum_image_source *source,
                               int channels, struct fum_bitmap *bitmap, struct fum_error *err);
// Reads the picture to start from, and sets the size of the run unless the request has one.
enum fum_result fum_given_open(const fum_pipeline *pipe, struct fum_run *run,
                               struct fum_error *err);
// Scales a picture to the size of the run, as the request says.
enum fum_result fum_given_fit(const struct fum_run *run, const struct fum_bitmap *from,
                              struct fum_bitmap *to, struct fum_error *err);
// Encodes a picture of the run's size. The deviation is found, too, if latents->drawn is set.
enum fum_result fum_given_encode(fum_pipeline *pipe, const struct fum_run *run,
                                 const struct fum_bitmap *picture,
                                 struct fum_given_latents *latents, struct fum_error *err);
void fum_given_free(struct fum_given *given);

#endif
