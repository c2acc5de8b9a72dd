// SPDX-License-Identifier: MIT
// VQModel: pictures to vectors of a codebook and back. Weight names are diffusers':
// "encoder.conv_in.weight", "quantize.embedding.weight".
#ifndef FUM_MODEL_VQ_H
#define FUM_MODEL_VQ_H

#include "model/vae.h"

struct fum_vq_config {
    struct fum_vae_config vae; // code_channels is the length of a vector (vq_embed_dim)
    int codes;                 // number of vectors (num_vq_embeddings)
};

// Reads the configuration. `where` names the file in errors.
enum fum_result fum_vq_config_parse(struct fum_vq_config *config, const cJSON *json,
                                    const char *where, struct fum_error *err);

// Adds the encoder: pixels in [-1, 1] to z_e, [batch, height, width, code_channels].
fum_tensor *fum_vq_encode(fum_graph *graph, const struct fum_vq_config *config, const char *prefix,
                          fum_tensor *pixels);
// Adds the codebook, a weight [codes, code_channels].
fum_tensor *fum_vq_codebook(fum_graph *graph, const struct fum_vq_config *config,
                            const char *prefix);
// Adds the decoder: vectors of the codebook to pixels in about [-1, 1].
fum_tensor *fum_vq_decode(fum_graph *graph, const struct fum_vq_config *config, const char *prefix,
                          fum_tensor *vectors);

#endif
