// SPDX-License-Identifier: MIT
// The configuration of a UNet, and what one evaluation takes.
#ifndef FUM_MODEL_UNET_CONFIG_H
#define FUM_MODEL_UNET_CONFIG_H

#include <fumarole/graph.h>

#include "model/config.h"

enum { FUM_UNET_MAX_BLOCKS = 10, FUM_UNET_MAX_LAYERS = 8 };

// What follows each residual block.
enum fum_unet_attention {
    FUM_UNET_NO_ATTENTION = 0,
    FUM_UNET_TRANSFORMER, // CrossAttn…Block2D
    FUM_UNET_PIXELS,      // Attn…Block2D: attention over the pixels
};

// One of down_blocks or up_blocks.
struct fum_unet_block {
    enum fum_unet_attention attention;
    bool only_cross;
    bool skip;            // Skip…Block2D: the picture itself is halved and added, see unet_skip.c
    bool resnet_resample; // a residual block halves or doubles the picture, not a convolution
    int channels, layers; // layers: residual blocks
    int heads, context_channels;    // of its transformers; with k_levels the channels of a head
    int inner;                      // channels of all heads of its attention over pixels
    int depth[FUM_UNET_MAX_LAYERS]; // transformer blocks of each transformer
};

enum fum_unet_mid {
    FUM_UNET_MID_NONE = 0,
    FUM_UNET_MID_RESNET,
    FUM_UNET_MID_ATTENTION, // two residual blocks with a transformer between them
    FUM_UNET_MID_PAIR,      // two residual blocks
    FUM_UNET_MID_PIXELS,    // with attention over the pixels between them
};

// What is added to the time embedding for a label of the whole picture (class_embed_type).
enum fum_unet_class {
    FUM_UNET_CLASS_NONE = 0,
    FUM_UNET_CLASS_TABLE,      // labels i32 [1, batch] choose rows of a table (num_class_embeds)
    FUM_UNET_CLASS_TIMESTEP,   // labels f32 [batch] are treated as the timestep is
    FUM_UNET_CLASS_PROJECTION, // labels [batch, class_channels] through an MLP
    FUM_UNET_CLASS_LINEAR,     // … through one layer ("simple_projection")
    FUM_UNET_CLASS_IDENTITY,   // labels [batch, time_channels] as they are
};

struct fum_unet_config {
    int in_channels, out_channels;
    int sample_width, sample_height; // latent pixels of the training pictures; 0: unknown
    int conv_in_kernel, conv_out_kernel;
    int downsample_pad;
    // of norms; of the last one alone if blocks are `skip` or k_levels is set, then 0 is none
    int groups;
    double eps;
    bool center_input;      // x ← 2 x - 1
    bool scale_shift;       // resnet_time_scale_shift
    const char *activation; // op of the residual blocks; NULL: silu
    double mid_scale;       // mid_block_scale_factor
    // Fourier features of ln t instead of sinusoids of t; the result is divided by t.
    bool fourier;
    bool k_levels;               // K…Block2D: k-diffusion's levels, see unet_k.c
    const char *time_activation; // op after the time embedding of k_levels; NULL: none
    bool flip_sin_to_cos;
    double freq_shift;
    int time_channels;      // of the time embedding
    int time_cond_channels; // of timestep_cond (LCM's guidance embedding); 0: takes none
    enum fum_unet_class class_embed;
    int class_count, class_channels;
    // addition_embed_type: pooled text and time ids; with k_levels pooled text and a level of noise
    bool text_time;
    int text_time_channels; // sinusoid of one time id
    int text_time_in;       // pooled text + all sinusoids
    // encoder_hid_dim: channels of the text before a projection; 0: no projection
    int context_proj;
    int context_channels; // of the context input; 0: takes none
    enum fum_unet_mid mid;
    int mid_depth, mid_groups; // mid_groups: of the norm of attention over pixels; 0: none
    int mid_resnet_groups;     // of the middle's residual blocks
    int num_blocks;
    // each in its own order
    struct fum_unet_block down[FUM_UNET_MAX_BLOCKS], up[FUM_UNET_MAX_BLOCKS];
};

// Reads the configuration. `where` names the file in errors. Settings of other architectures are
// refused with FUM_ERR_UNSUPPORTED, key and value.
enum fum_result fum_unet_config_parse(struct fum_unet_config *config, const cJSON *json,
                                      const char *where, struct fum_error *err);
// Reads the configuration of a UNet2DModel.
enum fum_result fum_unet2d_config_parse(struct fum_unet_config *config, const cJSON *json,
                                        const char *where, struct fum_error *err);

// What one evaluation takes. batch is that of x: with guidance the unconditional pictures, then the
// conditional ones.
struct fum_unet_params {
    const char *prefix; // before all weight names; NULL: none
    fum_tensor *x;      // [batch, height, width, in_channels], any stage
    // x of one copy, where x holds equal copies that differ in their contexts alone; NULL: unknown.
    // What comes before the first cross-attention is computed once for all copies.
    fum_tensor *one_copy;
    // i32 [1]: the step, a row of `timesteps`; NULL: each picture has a timestep of its own
    fum_tensor *counter;
    fum_tensor *timesteps; // f32 [steps], or f32 or i32 [batch] without a counter
    fum_tensor *context;   // [batch, tokens, context_channels]; NULL: with none
    // i32 [steps, 1]: the context of each step, of those that follow each other in `context`,
    // [contexts · batch, …]; NULL: there is one
    fum_tensor *context_rows;
    fum_tensor *text_embeds; // [batch, pooled channels]; with config.text_time
    fum_tensor *time_ids;    // f32 [batch · ids per picture]; with config.text_time
    // see enum fum_unet_class; NULL: without, as diffusers does for a table
    fum_tensor *class_labels;
    fum_tensor *timestep_cond; // [1 or steps, time_cond_channels]; NULL: without
    const float *freeu;        // FreeU's factors b1, b2, s1, s2; NULL: without
    // Added behind conv_in, [1 or batch, height, width, channels]; NULL: nothing is.
    fum_tensor *hint;
    // Added to each skip on the way up, in the order of their making, and to the middle's result;
    // NULL: nothing is. One for each.
    fum_tensor *const *residuals;
    int num_residuals;
    // Added to the levels of the way down, the first ones, and one more to the middle
    // (T2I-adapter); NULL: nothing is.
    fum_tensor *const *features;
    int num_features;
};

// The groups of a norm over so many channels in Skip blocks, and of their attention's norm.
enum { FUM_UNET_SKIP_GROUPS = 32 };
static inline int fum_unet_skip_groups(int channels) {
    int quarter = channels / 4 > 1 ? channels / 4 : 1;
    return quarter < FUM_UNET_SKIP_GROUPS ? quarter : FUM_UNET_SKIP_GROUPS;
}

// Reads the keys that both kinds of UNet have with the same defaults: sizes, kernels, norms, time
// features.
void fum_unet_config_shared(struct fum_config *c, struct fum_unet_config *config);

#endif
