// SPDX-License-Identifier: MIT
// From a prompt to pictures.
#ifndef FUMAROLE_PIPELINE_H
#define FUMAROLE_PIPELINE_H

#include <fumarole/core.h>
#include <fumarole/device.h>
#include <fumarole/graph.h>
#include <fumarole/model.h>
#include <fumarole/sampler.h>

#ifdef __cplusplus
extern "C" {
#endif

// A model on a device: weights, compiled graphs, what was encoded last. One thread at a time. Later
// pictures of the same shape reuse everything that earlier ones made.
typedef struct fum_pipeline fum_pipeline;

enum fum_precision {
    FUM_PRECISION_AUTO = 0, // f16 where the device stores it, f32 on CPU devices and elsewhere
    FUM_PRECISION_F32,
    FUM_PRECISION_F16,
    FUM_PRECISION_BF16,
};

enum fum_weight_type {
    FUM_WEIGHTS_AUTO = 0, // as `precision` says
    // those of products and convolutions in the UNet and the text encoders as ggml's q8_0: 9 bits
    // each
    FUM_WEIGHTS_Q8_0,
};

#define FUM_MEMORY_AUTO UINT64_MAX

struct fum_pipeline_params {
    // Device memory that may be used, in bytes: parts of the model leave the device when they are
    // not needed, weights that do not fit are brought in at every step while the device computes,
    // and the picture is decoded in bands. The results are the same bits but for the decoding,
    // whose sums are ordered differently. 0: no limit; FUM_MEMORY_AUTO: what the driver says is
    // free now.
    uint64_t memory_budget;
    bool vae_tiling;              // decode in bands even where the whole fits
    enum fum_precision precision; // how weights and activations are stored; sums are f32
    enum fum_weight_type weights;
    // that prepare weights in memory shared with the device; 0: one per processor, at most 8
    int threads;
    const struct fum_log *log; // kept; may be NULL
    // Progress of loading, in bytes, from the start (done 0, or what was there before) to done ==
    // total; `part` is "unet" and the like. false cancels. May be NULL.
    bool (*on_load)(void *user, const char *part, uint64_t done, uint64_t total);
    // Progress of compiling the kernels of a part, from 0 to done == total; a part that needs no
    // new ones has none. Where weights are loaded at the same time, those are reported first. false
    // cancels. May be NULL.
    bool (*on_compile)(void *user, const char *part, int done, int total);
    // The graphs as text and Graphviz after each pass (`part` as above); may be NULL.
    void (*on_graph)(void *user, const char *part, const char *pass, const char *text,
                     const char *dot);
    void *user;
};

// Weights are loaded when they are first needed. params may be NULL.
FUM_API enum fum_result fum_pipeline_create(fum_pipeline **pipeline, fum_device *device,
                                            const fum_model *model,
                                            const struct fum_pipeline_params *params,
                                            struct fum_error *err);
FUM_API void fum_pipeline_destroy(fum_pipeline **pipeline);

// A finished picture. Pointers are valid during the callback.
struct fum_image {
    int index;     // of the pictures asked for, from 0
    uint64_t seed; // its own
    int width, height;
    const uint8_t *pixels; // RGB, rows from the top, 3 · width · height
    const float *latents;  // [channels, height, width] as the sampler left them
    int latent_channels, latent_width, latent_height;
    const char *parameters; // as in a PNG's "parameters" text
    size_t parameters_bytes;
};

enum fum_work { FUM_WORK_STEP, FUM_WORK_DECODE };

struct fum_generate_params {
    const char
        *prompt; // UTF-8; a warning names grammar such as "(x:1.2)", which is read as plain text
    const char *negative;         // NULL: none
    int width, height;            // pixels; 0: the model's own size
    int steps;                    // 0: the model's usual count
    const char *sampler;          // NULL: the model's choice
    const char *schedule;         // NULL: the model's choice
    const char *timestep_spacing; // "leading", "linspace", "trailing"; NULL: the model's choice
    // 0: the model's value; 1: none. Models that read it as an input use no negative prompt
    float guidance;
    // Models with classes require one: a whole number from 0, or any number where the model embeds
    // it as it does a time.
    bool has_class;
    float class_label;
    // share of the noise that a sampler adds back, at most FUM_MAX_ETA; 0: the sampler's own;
    float eta;
    // below 0: none
    uint64_t seed;
    int count;     // pictures, with seeds seed, seed + 1, …; 0: 1
    int batch;     // pictures per evaluation; 0: 1. Results do not depend on it
    int clip_skip; // 1: the last layer of the text encoder; 0: the model's choice
    enum fum_rng_kind rng;
    // In place of the first draw: [noise_count, channels, height, width] of the latents, unit
    // variance; picture i takes the i-th. NULL: draw it.
    const float *noise;
    int noise_shape[4];

    // After every step; false cancels. Steps count from 1. May be NULL.
    bool (*on_step)(void *user, int image, int step, int steps);
    // Inside a step and a decoding, where a device is slow enough for these to be cut into pieces,
    // and at a decoding's start and end: `done` pieces of `total`. false cancels. May be NULL.
    bool (*on_work)(void *user, enum fum_work work, int image, int done, int total);
    // For every finished picture; false stops before the next. Required.
    bool (*on_image)(void *user, const struct fum_image *image);
    void *user;
};

// Makes the pictures on the calling thread, which also gets the callbacks. Pictures handed to
// on_image are done whatever happens afterwards.
FUM_API enum fum_result fum_generate(fum_pipeline *pipeline,
                                     const struct fum_generate_params *params,
                                     struct fum_error *err);

// Writes the picture as a PNG with its parameters inside, as file.h says: whole, or not at all.
FUM_API enum fum_result fum_image_save(const struct fum_image *image, const char *path,
                                       struct fum_error *err);

// Reads tensor "noise" ([n, channels, height, width]) of a safetensors file; *noise is the
// caller's, freed with fum_noise_free.
FUM_API enum fum_result fum_noise_read(const char *path, float **noise, int shape[4],
                                       struct fum_error *err);
FUM_API void fum_noise_free(float **noise);
// Writes tensor "latents" of that shape, f32, as safetensors, in the same way.
FUM_API enum fum_result fum_latents_save(const char *path, const float *latents, const int shape[4],
                                         struct fum_error *err);

// What the last generate cost, or has cost so far when read in one of its callbacks; all zero
// before the first.
struct fum_pipeline_stats {
    struct fum_executable_stats unet, vae; // of one evaluation
    uint64_t memory_peak;                  // device memory, bytes, with what transfers may take
    double step_seconds; // median of the steps; loading and compiling are not in it
    // of one picture, without loading and compiling; an estimate until one was decoded
    double decode_seconds;
    int kernels;            // compiled
    double compile_seconds; // spent waiting for them
    double load_seconds;    // spent loading weights
    double prompt_seconds;  // encoding the prompts, without loading and compiling
};
FUM_API void fum_pipeline_get_stats(const fum_pipeline *pipeline, struct fum_pipeline_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
