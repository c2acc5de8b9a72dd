// SPDX-License-Identifier: MIT
// Declares the networks of autoencoders (see struct fum_model_view) as the pipeline runs them: one
// picture at a time.
#ifndef FUM_PIPELINE_AUTOENCODER_H
#define FUM_PIPELINE_AUTOENCODER_H

#include "pipeline/pipeline.h"

// Returns the form for pictures of that size.
struct fum_latent_form fum_latent_form_of(const fum_pipeline *pipe, bool encoded, int width,
                                          int height);
size_t fum_latent_count(const struct fum_latent_form *form);
// Makes the decoder ready for latents of this form, and the encoder if they are encoded.
enum fum_result fum_autoencoder_prepare(fum_pipeline *pipe, const struct fum_latent_form *form,
                                        struct fum_error *err);
// Returns the channels of the model's pictures.
int fum_autoencoder_channels(const fum_pipeline *pipe);

// Refuses a picture of a size that the model does not take. VQModel and AutoencoderKL take
// multiples of their factor, the others one size.
enum fum_result fum_autoencoder_check_size(const fum_pipeline *pipe, const char *path, int width,
                                           int height, struct fum_error *err);
// Encodes a file of the form's size to the mean of its latents.
enum fum_result fum_autoencoder_encode_file(fum_pipeline *pipe, const char *path,
                                            const struct fum_latent_form *form, float *z,
                                            struct fum_error *err);
// Encodes a picture of [channels, height, width] in 0..1.
enum fum_result fum_autoencoder_encode_planes(fum_pipeline *pipe,
                                              const struct fum_latent_form *form,
                                              const float *planes, float *z, struct fum_error *err);
// Encodes a picture in the order and range that the network takes.
enum fum_result fum_autoencoder_encode_values(fum_pipeline *pipe,
                                              const struct fum_latent_form *form,
                                              const float *values, float *z, struct fum_error *err);
// Decodes latents to pixels, [height, width, channels].
enum fum_result fum_autoencoder_draw(fum_pipeline *pipe, const struct fum_latent_form *form,
                                     const float *z, uint8_t *pixels, struct fum_error *err);

// Encodes a picture of [channels, height, width] in 0..1 to a form of encoded latents, and decodes
// these to pixels.
enum fum_result fum_autoencoder_reconstruct(fum_pipeline *pipe, const struct fum_latent_form *form,
                                            const float *planes, uint8_t *pixels,
                                            struct fum_error *err);

#endif
