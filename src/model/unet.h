// SPDX-License-Identifier: MIT
// UNet2DConditionModel of Stable Diffusion 1.x, 2.x, XL (base, refiner, turbo) and their small
// variants. Weight names are diffusers': "down_blocks.0.resnets.0.conv1.weight".
#ifndef FUM_MODEL_UNET_H
#define FUM_MODEL_UNET_H

#include <fumarole/graph.h>

#include <cjson/cJSON.h>

enum { FUM_UNET_MAX_BLOCKS = 8, FUM_UNET_MAX_LAYERS = 8 };

// One of down_blocks or up_blocks.
struct fum_unet_block {
    bool attention; // CrossAttn…Block2D: a transformer after each residual block
    bool only_cross;
    int channels, layers;           // layers: residual blocks
    int heads, context_channels;    // of its transformers
    int depth[FUM_UNET_MAX_LAYERS]; // transformer blocks of each transformer
};

enum fum_unet_mid { FUM_UNET_MID_NONE = 0, FUM_UNET_MID_RESNET, FUM_UNET_MID_ATTENTION };

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
    int groups;
    double eps;
    bool center_input; // x ← 2 x - 1
    bool scale_shift;  // resnet_time_scale_shift
    double mid_scale;  // mid_block_scale_factor
    bool flip_sin_to_cos;
    double freq_shift;
    int time_channels;      // of the time embedding
    int time_cond_channels; // of timestep_cond (LCM's guidance embedding); 0: takes none
    enum fum_unet_class class_embed;
    int class_count, class_channels;
    bool text_time;         // addition_embed_type: pooled text and time ids
    int text_time_channels; // sinusoid of one time id
    int text_time_in;       // pooled text + all sinusoids
    // encoder_hid_dim: channels of the text before a projection; 0: no projection
    int context_proj;
    int context_channels; // of the context input
    enum fum_unet_mid mid;
    int mid_depth;
    int num_blocks;
    // each in its own order
    struct fum_unet_block down[FUM_UNET_MAX_BLOCKS], up[FUM_UNET_MAX_BLOCKS];
};

// Reads the configuration. `where` names the file in errors. Settings of other architectures are
// refused with FUM_ERR_UNSUPPORTED, key and value.
enum fum_result fum_unet_config_parse(struct fum_unet_config *config, const cJSON *json,
                                      const char *where, struct fum_error *err);

// What one evaluation takes. batch is that of x: with guidance the unconditional pictures, then the
// conditional ones.
struct fum_unet_params {
    const char *prefix; // before all weight names; NULL: none
    fum_tensor *x;      // [batch, height, width, in_channels], any stage
    // i32 [1]: the step, a row of `timesteps`; NULL: each picture has a timestep of its own
    fum_tensor *counter;
    fum_tensor *timesteps;   // f32 [steps], or f32 or i32 [batch] without a counter
    fum_tensor *context;     // [batch, tokens, context_channels]
    fum_tensor *text_embeds; // [batch, pooled channels]; with config.text_time
    fum_tensor *time_ids;    // f32 [batch · ids per picture]; with config.text_time
    // see enum fum_unet_class; NULL: without, as diffusers does for a table
    fum_tensor *class_labels;
    fum_tensor *timestep_cond; // [1 or steps, time_cond_channels]; NULL: without
};

// Sets the members of `params` that the configuration needs, except x and counter, to new inputs of
// the graph. "timesteps" belongs to stage RUN; "context", "text_embeds", "time_ids", "class_labels"
// and "timestep_cond" belong to stage PROMPT. In training everything changes with the step.
struct fum_unet_sizes {
    int64_t batch, tokens;
    int64_t steps; // 0: training, a timestep for each picture, and all inputs of stage STEP
    int pooled;    // channels of text_embeds; with config.text_time
};
void fum_unet_inputs(fum_graph *graph, const struct fum_unet_config *config,
                     const struct fum_unet_sizes *sizes, struct fum_unet_params *params);
// Returns how many time ids a picture has: 6 for SDXL base, 5 for its refiner; 0 without text_time.
// `pooled`: channels of text_embeds.
int fum_unet_time_ids(const struct fum_unet_config *config, int pooled);

// Adds the model; returns its prediction [batch, height, width, out_channels]. NULL: see
// fum_graph_check; when that finds nothing, params lacks an input that the configuration needs.
// Nodes are named by module: "down_blocks.0.resnets.0", "conv_out".
fum_tensor *fum_unet_build(fum_graph *graph, const struct fum_unet_config *config,
                           const struct fum_unet_params *params);

#endif
