// SPDX-License-Identifier: MIT
// Turns a prompt into pictures.
#ifndef FUMAROLE_PIPELINE_H
#define FUMAROLE_PIPELINE_H

#include <fumarole/adapter.h>
#include <fumarole/core.h>
#include <fumarole/device.h>
#include <fumarole/file.h>
#include <fumarole/graph.h>
#include <fumarole/guidance.h>
#include <fumarole/model.h>
#include <fumarole/sampler.h>

#ifdef __cplusplus
extern "C" {
#endif

// A model on a device: weights, compiled graphs, the last texts that were encoded. One thread at a
// time. Later pictures of the same shape reuse everything that earlier ones made.
typedef struct fum_pipeline fum_pipeline;

enum fum_precision {
    FUM_PRECISION_AUTO = 0, // f16 where the device stores it, f32 on CPU devices and elsewhere
    FUM_PRECISION_F32,
    FUM_PRECISION_F16,
    FUM_PRECISION_BF16,
};

#define FUM_MEMORY_AUTO UINT64_MAX

struct fum_pipeline_params {
    // Limit of device memory in bytes; 0: none; FUM_MEMORY_AUTO: the memory that the driver reports
    // as free now. Components leave the device while they are unused, and weights that do not fit
    // are streamed at every step. A VAE that does not fit decodes in bands. Only the decoding may
    // then differ, since its sums have another order.
    uint64_t memory_budget;
    bool vae_tiling;              // decode in bands even if the whole fits
    enum fum_precision precision; // storage of weights and activations; sums are f32
    // Quantised type of the weights of products and convolutions in the UNet and the text encoders,
    // see fum_quantised_name: "q8_0" takes 9 bits a weight. NULL: the storage type of `precision`,
    // but at FUM_PRECISION_AUTO the blocks that a GGUF file has are kept as they are.
    const char *weights;
    // threads that prepare weights in memory shared with the device; 0: one per processor, at most
    // 8
    int threads;
    const struct fum_log *log; // kept; may be NULL
    // Reports the progress of loading in bytes, up to done == total. `component` is "unet" and the
    // like. Loading starts at the bytes that are loaded already. Returning false cancels. May be
    // NULL.
    bool (*on_load)(void *user, const char *component, uint64_t done, uint64_t total);
    // Reports the progress of compiling a component's kernels, from 0 to done == total. A component
    // without new kernels has no report. If weights load at the same time, they are reported first.
    // Returning false cancels. May be NULL.
    bool (*on_compile)(void *user, const char *component, int done, int total);
    // Receives the graphs as text and Graphviz after each pass (`component` as above). May be NULL.
    void (*on_graph)(void *user, const char *component, const char *pass, const char *text,
                     const char *dot);
    void *user;
};

// Creates a pipeline. Weights are loaded when they are first needed. `params` may be NULL. The
// device and the model must outlive it. Errors: FUM_ERR_UNSUPPORTED (see fum_model_info.unusable),
// FUM_ERR_NOMEM.
FUM_API enum fum_result fum_pipeline_create(fum_pipeline **pipeline, fum_device *device,
                                            const fum_model *model,
                                            const struct fum_pipeline_params *params,
                                            struct fum_error *err);
FUM_API void fum_pipeline_destroy(fum_pipeline **pipeline);

// A finished picture. Pointers are valid during the callback.
struct fum_image {
    int index;     // of the requested pictures, from 0
    uint64_t seed; // its own
    int width, height;
    const uint8_t *pixels; // rows from the top, channels · width · height
    const float *latents;  // [channels, height, width], the sampler's result
    int latent_channels, latent_width, latent_height;
    const char *parameters; // as in a PNG's "parameters" text
    size_t parameters_bytes;
    // UTF-8 that the file carries beside them, from which a program draws it again; NULL: none. The
    // library leaves it to the program.
    const char *request;
    int channels; // of a pixel: 3 for RGB, 1 for grey
};

// A picture that is given to a request, the content of a PNG, JPEG, WebP or BMP file. What is
// transparent counts as white. All zero: none.
struct fum_image_source {
    const char *path; // NULL: the content is in memory, if any is given
    const void *data;
    size_t bytes;
};

// How a picture fills a size of another shape, scaled by Lanczos's filter.
enum fum_resize_mode {
    FUM_RESIZE_STRETCH = 0, // both sides are scaled
    FUM_RESIZE_CROP,        // what reaches past the size is cut off, around the middle
    FUM_RESIZE_PAD,         // the pixels of the edges are repeated around it
};

// What the part of a picture that a mask lets change is at first.
enum fum_inpaint_fill {
    FUM_INPAINT_ORIGINAL = 0, // what the picture shows there
    FUM_INPAINT_FILL,         // the colours around it, blurred
    FUM_INPAINT_NOISE,        // noise in place of latents
    FUM_INPAINT_ZERO,         // latents of 0
};

// Directions in which pictures continue on their other side, so that they can be laid side by side.
// The convolutions of the UNet and of the VAE's decoder then wrap around.
enum fum_seamless {
    FUM_SEAMLESS_NONE = 0,
    FUM_SEAMLESS_X = 1,
    FUM_SEAMLESS_Y = 2,
    FUM_SEAMLESS_XY = 3,
};

// A ControlNet or T2I-adapter that steers a request by a picture.
struct fum_control {
    const char *path;              // a folder of diffusers or of the Hugging Face cache, or a file
    struct fum_image_source image; // scaled as `resize_mode` says
    const char *preprocess;        // of the picture: "canny", "canny:100:200"; NULL: "none"
    float strength;                // factor of what it adds; 0: 0.9; below 0: none
    float start, end;              // share of the steps at which it works; end 0: 1
};

enum { FUM_FREEU_FACTORS = 4 };

// A step cache spares evaluations of the UNet: some steps take a value from an earlier one.
// Pictures differ from those without it.
struct fum_cache_params {
    const char *mode; // see fum_step_cache_name; NULL or "none": none
    // deepcache: every interval-th evaluation is whole (0: 3). The others run the layers around
    // skip connection `branch` alone, counted from the input.
    int interval, branch;
    // easycache and ucache: the estimated change of the output up to which the UNet is spared. 0:
    // 0.2 and 1. It may be from the share `start` of the steps to `end`. 0: 0.15 and 0.95; a start
    // below 0 is 0. They decide for the pictures of a batch together.
    double threshold, start, end;
};
// Returns the name of the index-th step cache, "none" first. NULL past the last.
FUM_API const char *fum_step_cache_name(size_t index);

enum fum_work { FUM_WORK_STEP, FUM_WORK_DECODE };

// What a step predicts without its noise, shown while a picture is drawn.
enum fum_preview {
    FUM_PREVIEW_NONE = 0,
    FUM_PREVIEW_COLOURS, // a pixel for each of the latents, by a linear map on the device
    FUM_PREVIEW_TINY,    // decoded by the tiny autoencoder that takes the VAE's place
    FUM_PREVIEW_VAE,     // decoded as the picture is
};

enum fum_prompt_style {
    FUM_PROMPT_A1111 = 0,
    FUM_PROMPT_PLAIN, // only tags are read; what is over the encoder's length is cut off
};

// How weights such as those of "(x:1.3)" act on the text encoders' states.
enum fum_emphasis {
    FUM_EMPHASIS_ORIGINAL = 0, // they multiply; each chunk's mean over all values is restored
    FUM_EMPHASIS_NO_NORM,      // they multiply
    FUM_EMPHASIS_NONE,         // signs of weights, and BREAK, are text
};

// A second pass at a larger size, A1111's "hires fix".
struct fum_hires_params {
    double scale;      // of the sides; 0: 2
    int width, height; // in place of the scale; 0: by it
    int steps;         // as for a run from a picture; 0: those of the first pass
    double strength;   // 0: 0.7
    // "latent", "latent-bicubic", "nearest", "lanczos", or the file of a network (upscale.h). NULL:
    // latent
    const char *upscaler;
    int tile; // of the network, see struct fum_upscaler_params
};

struct fum_generate_params {
    // UTF-8, in the grammar of tokenizer.h, with tags such as <lora:NAME:0.8>. Each part and range
    // of steps is encoded once, in chunks. NULL for models that take no prompt
    // (fum_model_info.takes_prompt)
    const char *prompt;
    const char *negative; // NULL: none. AND is text here
    enum fum_prompt_style prompt_style;
    enum fum_emphasis emphasis;
    // pixels; 0: those of a picture that is given, rounded down to what the model can draw, else
    // the model's own size
    int width, height;
    int steps;            // 0: the model's usual count
    const char *sampler;  // NULL: the model's choice
    const char *schedule; // NULL: the model's choice
    // Noise levels to visit in place of a schedule's and a number of steps, falling; a step leads
    // from each to the next. NULL: none.
    const double *sigmas;
    int num_sigmas;
    const char *timestep_spacing; // "leading", "linspace", "trailing"; NULL: the model's choice
    // 0: the model's value; 1: none. Models that read it as an input use no negative prompt
    float guidance;
    struct fum_guidance_params guidance_method; // beside the scale
    // Required by models with classes and with a classifier: a whole number from 0, or any number
    // if the model embeds it like a time. Upscalers have a level of noise in its place, by default
    // 20.
    bool has_class;
    float class_label;
    // The folder of a classifier of noisy pictures that fumarole train wrote. Its gradient guides
    // the pictures of a model without a VAE to the class. NULL: none.
    const char *classifier;
    bool has_classifier_scale;
    float classifier_scale; // factor of the gradient; 1 without has_classifier_scale
    // share of the noise that is added back, at most FUM_MAX_ETA; 0: the default; below 0: none
    float eta;
    // Error that a step of the sampler ode may have, relative and absolute; 0: 1e-5
    double tolerance;
    uint64_t seed;
    // Mixes the first noise of this seed into that of `seed` by so much, up to 1, as A1111 does.
    // Pictures have subseeds subseed, subseed + 1, … and all the same seed then.
    uint64_t subseed;
    double subseed_strength; // 0: none
    int count;               // pictures, with seeds seed, seed + 1, …; 0: 1
    // pictures per evaluation; 0: 1. Changes results by rounding at most. The samplers pc and
    // ode draw up to 16 at a time by default, since those share the size of corrections and steps.
    int batch;
    int clip_skip; // 1: the last layer of the text encoder; 0: the model's choice
    enum fum_rng_kind rng;
    enum fum_seamless seamless;
    // FreeU's factors b1, b2, s1, s2 (Si et al. 2023): of what comes from the deeper levels and of
    // the low frequencies that skip them, at the two deepest levels. All 0: those that are usual
    // with the model's family. Only UNets of Stable Diffusion have it.
    bool has_freeu;
    float freeu[FUM_FREEU_FACTORS];
    struct fum_cache_params cache;
    // Replaces the first draw: [noise_count, channels, height, width] of the latents, unit
    // variance. Picture i takes the i-th. NULL: draw it.
    const float *noise;
    int noise_shape[4];
    // Replaces the draws of stochastic steps: [steps, n, channels, height, width], unit variance,
    // in the order in which the sampler takes them. pc takes those of a step's corrections first.
    // NULL: draw them.
    const float *step_noise;
    int step_noise_shape[5];

    // A picture to start from. Its latents are drawn from their distribution, before the noise from
    // the same seed, unless the noise is given.
    struct fum_image_source init_image;
    // Share of the steps that are run, the last ones, in (0, 1]; 0: 0.75; below 0: none
    double strength;
    enum fum_resize_mode resize_mode;
    // Where the picture changes: at white, from half on. Black is kept. It is scaled to the
    // picture. A strength of 1 starts from noise alone then.
    struct fum_image_source mask;
    bool mask_invert; // black changes
    double mask_blur; // deviation of a Gaussian, in pixels of the mask, up to 1000; 0: none
    enum fum_inpaint_fill inpaint_fill;
    // Draws the part around the mask alone, scaled to the size of the run, and puts it back.
    bool only_masked;
    int masked_padding;     // pixels around that part; 0: 32; below 0: none
    bool no_mask_composite; // leaves what was decoded where the mask keeps the picture
    int outpaint[4];      // pixels to add left, above, right and below, which the mask lets change
    float image_guidance; // of models that follow instructions: towards the picture; 0: 1.5
    int max_pixels;       // of a picture that is given, before it is scaled; 0: FUM_MAX_PIXELS

    // Adapters of the weights, added up in this order. Another set than in the request before
    // loads the weights that differ again, and compiles nothing. The files stay open until then.
    const struct fum_adapter *adapters;
    int num_adapters;
    const char *adapter_dir; // folder of adapters that are given by name; NULL: none
    // Results are equal within rounding. Another set beside the weights builds the graph again.
    enum fum_adapter_mode adapter_mode;

    // Draws each picture again, larger, from what the first pass drew. The steps of both passes are
    // reported one after the other, for every picture of the first before those of the second.
    // NULL: one pass.
    const struct fum_hires_params *hires;

    // ControlNets, whose results add up. Another set than in the request before builds the graph
    // again.
    const struct fum_control *controls;
    int num_controls;

    // Autoencoders draw from their prior without a sampler, if both of these are NULL. The first is
    // the file of a picture to encode and decode again.
    const char *reconstruct;
    // The ends between which `count` pictures lie: files of pictures, or seeds in digits. An
    // autoencoder takes a line between latents. A sampler takes the great circle between noises.
    // Pictures are inverted by DDIM for it, with a guidance of 1 unless one is given.
    const char *interpolate[2];

    // Called after every step. Steps count from 1. Returning false cancels. May be NULL.
    bool (*on_step)(void *user, int image, int step, int steps);
    // Called after every preview_interval-th step (0: each) with the first picture of those that
    // are drawn together. Returning false cancels. May be NULL without a preview.
    enum fum_preview preview;
    int preview_interval;
    bool (*on_preview)(void *user, const struct fum_image *image, int step);
    // Reports `done` of `total` pieces of a step or a decoding. Slow devices get them in several
    // pieces. A decoding reports its start and end in any case. Returning false cancels. May be
    // NULL.
    bool (*on_work)(void *user, enum fum_work work, int image, int done, int total);
    // Receives the picture of each ControlNet as it is read, with its place as the index, before
    // the first step. Returning false cancels. May be NULL.
    bool (*on_control)(void *user, const struct fum_image *image);
    // Called for every finished picture. Returning false stops before the next one. Required.
    bool (*on_image)(void *user, const struct fum_image *image);
    void *user;
};

// Draws the pictures on the calling thread, which also runs the callbacks. Pictures handed to
// on_image are complete whatever happens afterwards. Errors: FUM_ERR_ARG, FUM_ERR_UNSUPPORTED,
// FUM_ERR_FORMAT (damaged weights), FUM_ERR_NOMEM (memory or budget), FUM_ERR_DEVICE,
// FUM_ERR_CANCELLED.
FUM_API enum fum_result fum_generate(fum_pipeline *pipeline,
                                     const struct fum_generate_params *params,
                                     struct fum_error *err);

// Draws the pictures from index `begin` on, with the bits that they have in a run of all. A batch
// with one of them is drawn whole. Errors: as fum_generate.
FUM_API enum fum_result fum_generate_from(fum_pipeline *pipeline,
                                          const struct fum_generate_params *params, int begin,
                                          struct fum_error *err);

// Checks a request as fum_generate does before its first work on the device, and draws nothing. So
// a planning-only device serves, too. LoRAs and ControlNets are opened; their names may be those of
// the request before. Interpolations are checked as they are drawn. Callbacks are not called, but
// must be there. Errors: as fum_generate.
FUM_API enum fum_result fum_generate_check(fum_pipeline *pipeline,
                                           const struct fum_generate_params *params,
                                           struct fum_error *err);

// Finds the noise that DDIM draws the picture of a file from, which is of a size that the model can
// draw. The picture is encoded to the mean of its latents. Count, sampler and noise of `params` are
// not used. A guidance of 0 is none, and a prompt of NULL the empty one. on_image gets the noise in
// place of latents, and no pixels.
FUM_API enum fum_result fum_invert(fum_pipeline *pipeline, const struct fum_generate_params *params,
                                   const char *path, struct fum_error *err);

// Writes the picture with its parameters inside, whole or not at all (see file.h). The ending of
// the name chooses the format: .jpg, .jpeg, .webp, else PNG. JPEG and WebP have the parameters as
// the UserComment of EXIF, a JPEG those of less than 64 KB.
FUM_API enum fum_result fum_image_save(const struct fum_image *image, const char *path,
                                       struct fum_error *err);

// Makes the file that fum_image_save would write under that name, in memory. Equal pictures and
// texts give equal bytes. Errors: FUM_ERR_ARG (size, channels), FUM_ERR_UNSUPPORTED (this build
// writes no such files), FUM_ERR_NOMEM.
FUM_API enum fum_result fum_image_encode(const struct fum_image *image, const char *name,
                                         struct fum_bytes *bytes, struct fum_error *err);

// Checks that this build can write pictures of that name: .png, .jpg, .jpeg or .webp.
FUM_API enum fum_result fum_image_check_name(const char *path, struct fum_error *err);

// Reads tensor "noise" ([n, channels, height, width]) of a safetensors file. *noise belongs to the
// caller. Free it with fum_noise_free.
FUM_API enum fum_result fum_noise_read(const char *path, float **noise, int shape[4],
                                       struct fum_error *err);
// Reads tensor "noise" ([steps, n, channels, height, width]) in the same way.
FUM_API enum fum_result fum_step_noise_read(const char *path, float **noise, int shape[5],
                                            struct fum_error *err);
FUM_API void fum_noise_free(float **noise);
// Writes tensor "noise" of that shape, as fum_noise_read reads it.
FUM_API enum fum_result fum_noise_save(const char *path, const float *noise, const int shape[4],
                                       struct fum_error *err);
// Writes tensor "latents" of that shape, f32, as safetensors, whole or not at all. A model without
// latents leaves x there, before it is clamped to a picture.
FUM_API enum fum_result fum_latents_save(const char *path, const float *latents, const int shape[4],
                                         struct fum_error *err);

// A training timestep, from 0, and what it makes of a picture: x_t = √alpha_bar · x_0 +
// √(1 − alpha_bar) · noise.
struct fum_noise_level {
    int t;
    double beta, alpha_bar, snr; // snr: alpha_bar / (1 − alpha_bar)
};

// The forward process q(x_t | x_0) on the picture of a file.
struct fum_diffuse_params {
    const char *path;
    const char *beta_schedule;   // see fum_beta_schedule_name; NULL: linear
    double beta_start, beta_end; // 0: 0.0001 and 0.02
    int train_timesteps;         // 0: 1000
    const int *times;            // timesteps to show
    int num_times;
    uint64_t seed; // of the noise, the same at every timestep
    enum fum_rng_kind rng;
    // Called for every timestep in order. The image has only its size, channels (1 or 3) and
    // pixels. Returning false stops. Required.
    bool (*on_picture)(void *user, const struct fum_noise_level *level,
                       const struct fum_image *image);
    void *user;
};
// Shows a picture at several timesteps of the forward process. Errors: FUM_ERR_ARG (a timestep or
// a schedule), FUM_ERR_IO, FUM_ERR_FORMAT, FUM_ERR_NOMEM, FUM_ERR_CANCELLED.
FUM_API enum fum_result fum_diffuse(const struct fum_diffuse_params *params, struct fum_error *err);

// The cost of the last fum_generate, or its cost so far if read in a callback. All zero before the
// first.
struct fum_pipeline_stats {
    struct fum_executable_stats unet, vae; // of one evaluation
    uint64_t memory_peak;                  // device memory in bytes, including the transfers' share
    double step_seconds; // median of the steps; loading and compiling are not in it
    // of one picture, without loading and compiling; an estimate until one was decoded
    double decode_seconds;
    int kernels;            // compiled
    double compile_seconds; // spent waiting for the compiler
    double load_seconds;    // spent loading weights
    double prompt_seconds;  // encoding the prompts, without loading and compiling
};
// Returns the hash of the model (see fum_model_open_hash) after a picture was drawn. NULL: it is
// not known. It belongs to the pipeline.
FUM_API const char *fum_pipeline_model_hash(const fum_pipeline *pipeline);
FUM_API void fum_pipeline_get_stats(const fum_pipeline *pipeline, struct fum_pipeline_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
