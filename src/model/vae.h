// SPDX-License-Identifier: MIT
// AutoencoderKL: pictures to latents and back. Weight names are diffusers':
// "decoder.up_blocks.0.resnets.0.conv1.weight", "quant_conv.weight".
#ifndef FUM_MODEL_VAE_H
#define FUM_MODEL_VAE_H

#include <fumarole/graph.h>

#include <cjson/cJSON.h>

enum { FUM_VAE_MAX_BLOCKS = 8, FUM_VAE_MAX_LATENT = 64 };

struct fum_config;
struct fum_vae_config;
struct fum_vae_moments;

// A kind of autoencoder of latents: what distinguishes it beside its settings.
struct fum_vae_kind {
    const char *class_name; // in config.json; the first kind stands for all others
    void (*parse)(struct fum_vae_config *v, struct fum_config *config);
    fum_tensor *(*decode)(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                          fum_tensor *z);
    void (*encode)(fum_graph *graph, const struct fum_vae_config *v, const char *prefix,
                   fum_tensor *pixels, struct fum_vae_moments *moments);
    bool posterior; // its latents are drawn from a distribution
    bool banded;    // can work in bands, see vae_passes.h
    bool fits_f16;  // never overflows f16, whatever the family's VAE does
};
extern const struct fum_vae_kind fum_vae_kl, fum_vae_tiny;

struct fum_vae_config {
    const struct fum_vae_kind *kind;
    int in_channels, out_channels, latent_channels;
    int code_channels; // that quant_conv gives: mean and log-variance, or a vector of the codebook
    int num_blocks, channels[FUM_VAE_MAX_BLOCKS];
    int layers; // residual blocks of an encoder block; decoder blocks have one more
    int groups;
    bool mid_attention, quant_conv, post_quant_conv;
    // z_model = (z - shift) · scale, per channel when there are statistics: (z - mean) · scale /
    // std.
    double scale, shift;
    bool has_stats;
    // Blocks of each level of the small kind, in the order of the layers.
    int encoder_blocks[FUM_VAE_MAX_BLOCKS], decoder_blocks[FUM_VAE_MAX_BLOCKS];
    bool decoder_only; // it has no encoder
    bool pooled;       // it has norms in the blocks of the lowest resolution
    float mean[FUM_VAE_MAX_LATENT], std[FUM_VAE_MAX_LATENT];
};

// Reads the configuration. `where` names the file in errors.
enum fum_result fum_vae_config_parse(struct fum_vae_config *config, const cJSON *json,
                                     const char *where, struct fum_error *err);
// Pixels of the picture per latent pixel: 8 for the usual four blocks.
int fum_vae_factor(const struct fum_vae_config *config);

// Adds the decoder. It takes latents [batch, height, width, latent_channels], divided by the scale
// (see fum_vae_unscale). It gives pixels [batch, height · factor, width · factor, out_channels] in
// about [-1, 1]. `prefix` comes before all weight names; NULL: none. Nodes are named by module:
// "decoder.mid_block.resnets.0".
fum_tensor *fum_vae_decode(fum_graph *graph, const struct fum_vae_config *config,
                           const char *prefix, fum_tensor *z);

// Adds the encoder with quant_conv: [batch, height, width, code_channels].
fum_tensor *fum_vae_encode_codes(fum_graph *graph, const struct fum_vae_config *config,
                                 const char *prefix, fum_tensor *pixels, int encoder_channels);
// Adds the encoder: pixels in [-1, 1] to the latents' distribution, each [batch, height, width,
// latent_channels]; height and width multiples of the factor. Latents are mean + exp(logvar / 2) ·
// noise, before fum_vae_scale.
struct fum_vae_moments {
    fum_tensor *mean, *logvar; // logvar within [-30, 20]
};
void fum_vae_encode(fum_graph *graph, const struct fum_vae_config *config, const char *prefix,
                    fum_tensor *pixels, struct fum_vae_moments *moments);

// Converts the VAE's latents to the model's, (z - shift) · scale, or back, z / scale + shift. Both
// may be per channel.
fum_tensor *fum_vae_scale(fum_graph *graph, const struct fum_vae_config *config, fum_tensor *z);
fum_tensor *fum_vae_unscale(fum_graph *graph, const struct fum_vae_config *config, fum_tensor *z);

#endif
