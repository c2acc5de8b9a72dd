// SPDX-License-Identifier: MIT
// Makes pictures of the vectors that a sampler leaves, by the VQModel whose prior drew them, as
// diffusers' LDMPipeline does.
#include "base/error.h"
#include "pipeline/autoencoder.h"

// Returns the form of vectors of this size.
static struct fum_latent_form find_form(const fum_pipeline *pipe, bool encoded, int height,
                                        int width) {
    int factor = fum_vae_factor(&pipe->view->vae);
    return fum_latent_form_of(pipe, encoded, width * factor, height * factor);
}

enum fum_result fum_vectors_prepare(fum_pipeline *pipe, int height, int width,
                                    struct fum_error *err) {
    const struct fum_latent_form form = find_form(pipe, false, height, width);
    return fum_autoencoder_prepare(pipe, &form, err);
}

enum fum_result fum_vectors_decode(fum_pipeline *pipe, const struct fum_latents *vectors,
                                   uint8_t *pixels, struct fum_error *err) {
    const struct fum_latent_form form = find_form(pipe, false, vectors->height, vectors->width);
    size_t count = fum_latent_count(&form);
    float scale = (float)pipe->view->vae.scale, *z = fum_alloc(count, sizeof *z);
    if (!z) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the vectors of a picture");
    for (size_t i = 0; i < count; i++) z[i] = vectors->values[i] / scale;
    enum fum_result result = fum_autoencoder_prepare(pipe, &form, err);
    double start = fum_time_now();
    if (!result) result = fum_autoencoder_draw(pipe, &form, z, pixels, err);
    if (!result) pipe->times.decode = fum_time_now() - start;
    fum_free(z);
    return result;
}

enum fum_result fum_vectors_encode(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                   float *vectors, struct fum_error *err) {
    int factor = fum_vae_factor(&pipe->view->vae);
    const struct fum_latent_form form =
        find_form(pipe, true, pixels->height / factor, pixels->width / factor);
    float scale = (float)pipe->view->vae.scale;
    enum fum_result result =
        fum_autoencoder_encode_values(pipe, &form, pixels->values, vectors, err);
    for (size_t i = 0; i < fum_latent_count(&form) && !result; i++) vectors[i] *= scale;
    return result;
}
