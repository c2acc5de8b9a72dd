// SPDX-License-Identifier: MIT
// Declares the pictures that a request gives, and what they are encoded to.
#ifndef FUM_PIPELINE_GIVEN_H
#define FUM_PIPELINE_GIVEN_H

#include <fumarole/pipeline.h>

#include "io/resize.h"

// A value of a mask from which on a picture changes.
enum { FUM_MASK_CHANGES = 128 };

struct fum_run;
struct fum_start;

// Latents of a picture that is given, each [height, width, channels] of latent pixels.
struct fum_given_latents {
    int channels;     // 0: those of the model's latents
    int shorter;      // times that their sides are shorter than those of the run's; 0: 1
    bool drawn;       // the picture's generator has a draw for them, at their place in its order
    float *mean;      // NULL: the draw is dropped
    float *deviation; // of their distribution; NULL: the mean is taken
};

// Where a picture changes.
struct fum_mask {
    struct fum_bitmap whole;    // of the size of given.original, one channel
    struct fum_bitmap soft;     // of the size of the run
    float *latents;             // 1 or 0 for every latent pixel
    struct fum_bitmap_box area; // part of the original that is drawn
};

struct fum_given {
    struct fum_bitmap original; // as it was read, with as many channels as the VAE takes
    struct fum_bitmap picture;  // at the size of the run
    struct fum_mask mask;       // where it changes; no `soft`: everywhere
    double strength;            // as requested, or the default
    // The small picture that is enlarged, drawn first.
    struct fum_given_latents small;
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
// Scales a picture to a size, as the request says.
enum fum_result fum_given_fit_to(const struct fum_run *run, const struct fum_bitmap *from,
                                 struct fum_bitmap_box size, struct fum_bitmap *to,
                                 struct fum_error *err);
// Scales it to the size of the run.
enum fum_result fum_given_fit(const struct fum_run *run, const struct fum_bitmap *from,
                              struct fum_bitmap *to, struct fum_error *err);
// Sets the picture at the size of the run and the strength.
enum fum_result fum_given_prepare(struct fum_run *run, struct fum_error *err);
// Encodes the picture at the size of the run. The deviation is found, too, if latents->drawn is
// set. Pixels that the mask `without` lets change are 0, mid-grey. NULL: none are.
enum fum_result fum_given_encode(fum_pipeline *pipe, const struct fum_run *run,
                                 const struct fum_bitmap *without,
                                 struct fum_given_latents *latents, struct fum_error *err);

// ---- larger canvases (canvas.c) ----

// True if the request adds to the picture.
bool fum_canvas_grows(const struct fum_generate_params *params);
// Returns what the request makes of a picture of that size: left and top are below 0 where it
// grows.
struct fum_bitmap_box fum_canvas_box(const struct fum_generate_params *params, int width,
                                     int height);
// Grows the original by what the request adds.
enum fum_result fum_canvas_grow(struct fum_run *run, struct fum_error *err);

// ---- masks (mask.c) ----

// True if the request has a mask, or adds to the picture.
bool fum_mask_given(const struct fum_generate_params *params);
// Reads the mask, and scales the picture and the mask to the size of the run.
enum fum_result fum_mask_open(const fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
// Encodes the picture to start from, filled where it changes as the request says.
enum fum_result fum_mask_encode(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
// Puts a decoded picture into the original, a hook of struct fum_task.
enum fum_result fum_mask_finish(const fum_pipeline *pipe, const struct fum_run *run,
                                struct fum_bitmap *picture, struct fum_error *err);
void fum_given_free(struct fum_given *given);

#endif
