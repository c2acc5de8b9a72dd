// SPDX-License-Identifier: MIT
// Builds VQModel. Its encoder and decoder are the VAE's; the encoder gives one vector, not moments.
#include "model/vq.h"

#include "model/config.h"
#include "nn/nn.h"

enum fum_result fum_vq_config_parse(struct fum_vq_config *config, const cJSON *json,
                                    const char *where, struct fum_error *err) {
    struct fum_config c = {.json = json, .where = where, .err = err};
    enum fum_result result = fum_vae_config_parse(&config->vae, json, where, err);
    if (result) return result;
    struct fum_vae_config *vae = &config->vae;
    fum_config_only(&c, "norm_type", 0, "group");
    fum_config_only(&c, "lookup_from_codebook", 0, "");
    // The default of diffusers' VQModel, where an AutoencoderKL has four.
    vae->latent_channels = fum_config_int(&c, "latent_channels", 3, 1, FUM_VAE_MAX_LATENT);
    vae->code_channels =
        fum_config_int(&c, "vq_embed_dim", vae->latent_channels, 1, FUM_VAE_MAX_LATENT);
    vae->quant_conv = vae->post_quant_conv = true;
    config->codes = fum_config_int(&c, "num_vq_embeddings", 256, 1, 1 << 24);
    return c.result;
}

fum_tensor *fum_vq_encode(fum_graph *graph, const struct fum_vq_config *config, const char *prefix,
                          fum_tensor *pixels) {
    return fum_vae_encode_codes(graph, &config->vae, prefix, pixels, config->vae.latent_channels);
}

fum_tensor *fum_vq_codebook(fum_graph *graph, const struct fum_vq_config *config,
                            const char *prefix) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, prefix);
    struct fum_shape shape = {2, {config->codes, config->vae.code_channels}};
    return fum_nn_weight(&nn, "quantize.embedding", "weight", shape, FUM_PACK_NONE);
}

fum_tensor *fum_vq_decode(fum_graph *graph, const struct fum_vq_config *config, const char *prefix,
                          fum_tensor *vectors) {
    return fum_vae_decode(graph, &config->vae, prefix, vectors);
}
