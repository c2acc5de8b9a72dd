// SPDX-License-Identifier: MIT
// Lists how pictures are made. A VAE or a VQModel decodes the sampler's result, or that is the
// picture, or an autoencoder draws without a sampler.
#include "pipeline/pipeline.h"

static void add_vae(fum_pipeline *pipe, enum fum_dtype storage) {
    const struct fum_model_view *view = pipe->view;
    bool overflows = storage == FUM_F16 && view->traits.vae_overflows_f16;
    enum fum_dtype vae_storage = overflows ? FUM_F32 : storage;
    pipe->vae = fum_pipeline_add(pipe, &(struct fum_component){.name = "vae",
                                                               .source = &view->vae_weights,
                                                               .storage = vae_storage,
                                                               .build = fum_decoder_build,
                                                               .measure = fum_decoder_measure,
                                                               .keep_rank = 1});
    pipe->vae_encoder =
        fum_pipeline_add(pipe, &(struct fum_component){.name = "vae_encoder",
                                                       .source = &view->vae_weights,
                                                       .storage = vae_storage,
                                                       .measure = fum_image_encoder_measure,
                                                       .keep_rank = 0});
}

const struct fum_picture_kind fum_pictures_of_vae = {.add_components = add_vae,
                                                     .prepare = fum_decode_prepare,
                                                     .make = fum_decode,
                                                     .encode = fum_encode_image,
                                                     .encode_posterior = fum_encode_posterior};

const struct fum_picture_kind fum_pictures_of_tiny = {.add_components = add_vae,
                                                      .prepare = fum_decode_prepare,
                                                      .make = fum_decode,
                                                      .encode = fum_encode_image};

static enum fum_result round_pixels(fum_pipeline *pipe, const struct fum_latents *x,
                                    uint8_t *pixels, struct fum_error *err) {
    (void)err;
    size_t channels = (size_t)pipe->view->vae.latent_channels,
           count = (size_t)x->height * (size_t)x->width * channels;
    if (pipe->view->traits.unit_pixels)
        fum_unit_pixels_to_bytes(x->values, pixels, count);
    else
        fum_pixels_to_bytes(x->values, pixels, count);
    return FUM_OK;
}

static enum fum_result take_pixels(fum_pipeline *pipe, const struct fum_pixels *pixels, float *x,
                                   struct fum_error *err) {
    (void)err;
    size_t channels = (size_t)pipe->view->vae.in_channels,
           count = (size_t)pixels->height * (size_t)pixels->width * channels;
    bool unit = pipe->view->traits.unit_pixels;
    for (size_t i = 0; i < count; i++)
        x[i] = unit ? pixels->values[i] / 2 + 0.5f : pixels->values[i];
    return FUM_OK;
}

const struct fum_picture_kind fum_pictures_of_pixels = {.make = round_pixels,
                                                        .encode = take_pixels};

// Adds both networks. They are small and f32 costs little, so a narrower type is used on request
// only.
static void add_autoencoder(fum_pipeline *pipe, enum fum_dtype storage) {
    if (pipe->params.precision == FUM_PRECISION_AUTO) storage = FUM_F32;
    struct fum_component component = {.name = "decoder",
                                      .source = &pipe->view->vae_weights,
                                      .storage = storage,
                                      .build = fum_autoencoder_build,
                                      .keep_rank = 1};
    pipe->vae = fum_pipeline_add(pipe, &component);
    component.name = "encoder";
    component.build = NULL;
    pipe->vae_encoder = fum_pipeline_add(pipe, &component);
}

const struct fum_picture_kind fum_pictures_of_autoencoder = {.add_components = add_autoencoder,
                                                             .serves = fum_autoencoder_serves,
                                                             .generate = fum_autoencoder_generate};

const struct fum_picture_kind fum_pictures_of_vectors = {.add_components = add_autoencoder,
                                                         .prepare = fum_vectors_prepare,
                                                         .make = fum_vectors_decode,
                                                         .serves = fum_autoencoder_serves,
                                                         .generate = fum_autoencoder_generate,
                                                         .encode = fum_vectors_encode};
