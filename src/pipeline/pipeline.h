// SPDX-License-Identifier: MIT
// Declares the insides of the pipeline: encoding the prompt, denoising, decoding. Each component
// keeps its compiled graph until another shape is needed.
#ifndef FUM_PIPELINE_PIPELINE_H
#define FUM_PIPELINE_PIPELINE_H

#include <fumarole/pipeline.h>

#include "adapter/adapter.h"
#include "model/classifier.h"
#include "model/model.h"
#include "model/model_hash.h"
#include "pipeline/changes.h"
#include "pipeline/component.h"
#include "pipeline/control.h"
#include "pipeline/given.h"
#include "pipeline/prompts.h"
#include "pipeline/task.h"
#include "text/prompt_tags.h"

enum {
    FUM_MAX_BATCH = 64,
    FUM_MAX_PICTURES = 100000,
    FUM_MAX_COMPONENTS = FUM_MODEL_MAX_TEXT + 3,
    FUM_MAX_ADAPTERS = 1000,
};

// One text encoder, for one text at a time.
struct fum_encoder {
    int skip; // layers left out at the end
    fum_tensor *ids, *ends, *hidden, *pooled;
};

// A classifier that guides a run, and the inputs that it adds to the recorded step.
struct fum_guide {
    // NULL: none. A pointer to the pipeline's.
    const struct fum_classifier *classifier;
    bool mean;                    // moves the mean of a step, by way of its noise
    fum_tensor *labels, *factors; // i32 [batch]; f32 [evals, 1], factors of the loss's gradient
};

// Inputs that tasks with given pictures add to the recorded step.
struct fum_given_inputs {
    fum_tensor *mask, *image, *noise, *levels; // of sampler_blend
    // Channels that the UNet reads beside the latents, [copies · batch, height, width, channels].
    fum_tensor *beside;
    fum_tensor *scales; // f32 [2]: guidance by the prompt, and by the picture
};

// The recorded step for one shape.
struct fum_denoiser {
    int copies, batch, height, width, tokens; // latent pixels
    int guided;             // copies that the sampler's update takes: 1 after a merging task
    struct fum_tasks tasks; // that are part of the step
    struct fum_given_inputs given;
    int contexts, parts; // that steps choose from; of the prompt, joined by AND
    int evals, history, noise_rows;
    bool learned;  // the model gives the variance of each step's noise
    bool corrects; // some steps have a size that is found from norms
    size_t coef_stride;
    fum_tensor *state, *counter, *flag, *coefs, *noise, *spread;
    fum_tensor *weights;              // f32 [parts, 1, 1, 1], of a prompt's parts; NULL: one part
    fum_tensor *corrections, *shares; // shares: of each picture in means over the batch
    struct fum_unet_params unet;
    bool variance_direct;                  // it gives the variance itself, not a place in its range
    double threshold_ratio, threshold_max; // as in struct fum_sample_program
    struct fum_changes changes;
    fum_tensor *cache; // what short steps take from an earlier one; NULL: there are none
    struct fum_guide guide;
    struct fum_control_inputs control;
    uint32_t gated; // controls that some evaluations spare, bit by place in the request
    struct fum_guidance_params guidance;
    int prompted; // as in struct fum_run
    enum fum_preview preview_kind;
    fum_tensor *preview;                  // of each step; NULL: none
    fum_tensor *guidance_rows;            // of methods of guidance; NULL: none
    fum_tensor *momentum, *momentum_next; // of APG; NULL: none
};

enum fum_decoder_way { FUM_DECODE_WHOLE, FUM_DECODE_BANDS, FUM_DECODE_TILES };

struct fum_decoder {
    enum fum_decoder_way way;
    uint64_t room;     // for bands
    int height, width; // latent pixels of the picture
    enum fum_seamless seamless;
    // of what is compiled: less where the whole is too large for the device
    int tile_height, tile_width;
    fum_tensor *latents, *flag, *pixels;
};

struct fum_image_encoder {
    int height, width;           // latent pixels of the picture
    int tile_height, tile_width; // of what is compiled: less where the whole is too large
    bool bands;                  // encodes in bands: nothing is compiled
    uint64_t room;               // bytes that bands may take
    fum_tensor *pixels, *mean, *logvar;
};

// What latents of a picture look like. In memory they are [height, width, channels].
struct fum_latent_form {
    // A chain's latents that were encoded are z_1. Those that are drawn are z_T and the noise of
    // z_{T-1} to z_1, one after the other.
    bool encoded;
    int channels, height, width;
    int picture_width, picture_height;
    enum fum_seamless seamless;
};

// The networks of an autoencoder (autoencoder.h), one picture at a time.
struct fum_autoencoding {
    struct fum_latent_form form; // of what is compiled
    fum_tensor *latents, *pixels;
    fum_tensor *picture, *mean;
};

// Seconds that the parts of the last run took, and the number of kernels that it compiled.
struct fum_run_times {
    double step, decode, prompt, compile, load; // step: the median
    int kernels;
};

// The classifier that guided last.
struct fum_guide_model {
    char *path; // NULL: none has
    struct fum_classifier classifier;
    struct fum_weight_source source; // of its weights and the UNet's
};

struct fum_pipeline {
    fum_device *device;
    const fum_model *model;
    const struct fum_model_view *view;
    struct fum_pipeline_params params;
    int num_components; // the view's text encoders, then the others
    struct fum_component components[FUM_MAX_COMPONENTS];
    // Some of these. A model of pictures has no VAE, an autoencoder without a prior no UNet.
    struct fum_component *unet, *vae, *vae_encoder;
    const struct fum_picture_kind *kind;
    fum_adapters *adapters; // that weights load with; NULL: none
    struct fum_encoder encoders[FUM_MODEL_MAX_TEXT];
    struct fum_embeddings embeddings;
    struct fum_denoiser denoiser;
    struct fum_guide_model guide;
    struct fum_control_set *controls; // opened last; NULL: none
    struct fum_decoder decoder;
    struct fum_image_encoder image_encoder;
    struct fum_autoencoding autoencoding;
    uint64_t budget; // bytes of device memory; 0: no limit
    struct fum_run_times times;
    struct fum_cache_track cache_track; // of the batch that is drawn
    enum fum_stage cache_stage;         // of the last evaluation
    enum fum_seamless seamless;         // of the last request
    const struct fum_run *run;   // run whose picture is being decoded; NULL: nothing is reported
    int image;                   // index of that picture
    struct fum_model_hash *hash; // begun with the first picture; NULL for models without files
};

// The ends of an interpolation.
struct fum_ends {
    uint64_t seed[2];
    float *noise[2]; // [channels, height, width] that pictures come from; NULL: that of the seeds
};

// What a run of the sampler needs; the request with all defaults filled in.
struct fum_run {
    const struct fum_generate_params *params;
    struct fum_prompt_tags tags; // of the prompt, and the text without them
    struct fum_conditions conditions;
    struct fum_sample_program *program;
    int width, height, latent_width, latent_height, latent_channels; // pixels; latent pixels
    int count, batch, copies, clip_skip;
    int begin;    // index of the first picture that is handed over
    int prompted; // of the copies, the last ones: they have the prompt
    float guidance;
    double tolerance;                        // of an adaptive program
    float class_label;                       // used by models with classes
    bool labelled;                           // a task has set it
    struct fum_changes changes;              // of the networks
    struct fum_tasks tasks;                  // that the request calls for
    struct fum_given given;                  // its pictures
    double strength;                         // share of the steps that run; 0: from pure noise
    bool latents_only;                       // pictures are handed over without pixels
    const struct fum_hires_params *hires;    // this is the second pass of such a request
    int steps_before;                        // of the first pass
    bool invert;                             // from a picture to its noise: nothing is decoded
    const struct fum_ends *ends;             // of an interpolation; NULL: none
    const struct fum_classifier *classifier; // guides; NULL: none
    float classifier_scale;
};

enum { FUM_DRAW_NONE = -1 }; // in place of an index: the request is checked, and nothing is drawn
// Runs a request. The caller has set params, and may have set `begin`, `invert` or `ends`. An
// inversion starts from the latents that params->noise holds.
enum fum_result fum_run_request(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
enum { FUM_HIRES_SCALE = 2 }; // unless the request has another
// Draws the pictures of a request from index `begin` on in two passes (params->hires).
enum fum_result fum_hires_generate(fum_pipeline *pipe, const struct fum_generate_params *params,
                                   int begin, struct fum_error *err);
// Draws params->count pictures, from index `begin` on, from the noises between both ends of
// params->interpolate.
enum fum_result fum_interpolate(fum_pipeline *pipe, const struct fum_generate_params *params,
                                int begin, struct fum_error *err);
// Returns true if an end of an interpolation is a number, a seed; else it names a picture.
bool fum_end_is_seed(const char *text);
// Returns where a picture lies on the way from the first end, 0, to the last, 1.
double fum_run_share(const struct fum_run *run, int image);

// ---- adapters ----

// Makes the weights those of the adapters of the request and of its prompt's tags.
enum fum_result fum_pipeline_adapt(fum_pipeline *pipe, const struct fum_run *run,
                                   struct fum_error *err);

// Returns the text of a picture with this seed, freed with fum_free; NULL when memory is out.
char *fum_parameters_text(const fum_pipeline *pipe, const struct fum_run *run, uint64_t seed);

// ---- text encoders ----

enum fum_result fum_encoder_build(struct fum_component *component, const struct fum_run *run,
                                  fum_graph **graph, struct fum_error *err);

// ---- UNet ----

enum fum_result fum_denoiser_build(struct fum_component *component, const struct fum_run *run,
                                   fum_graph **graph, struct fum_error *err);
// Adds the factor by which the model widens this step's noise, from the channels after its
// prediction. They hold the variance itself, or its place in a range (Nichol and Dhariwal 2021,
// equation 15).
fum_tensor *fum_variance_factor(fum_graph *graph, const struct fum_denoiser *denoiser,
                                fum_tensor *prediction, int64_t channels);
// Adds this step's row of the noise, [batch, height, width, channels].
fum_tensor *fum_variance_noise(fum_graph *graph, const struct fum_denoiser *denoiser,
                               int64_t channels);
// Joins the predictions of a prompt's parts to that of one, as guidance reads it. Adds the input
// `weights`. Returns the prediction itself for one part.
fum_tensor *fum_parts_join(fum_graph *graph, struct fum_denoiser *denoiser, fum_tensor *prediction);
// Drops the channels of the variance, if the model has some.
fum_tensor *fum_variance_drop(fum_graph *graph, fum_tensor *prediction, int64_t channels);
// Numbers of an evaluation that a correction reads: whether it is none, the factors of the weights
// of prediction and noise.
enum { FUM_CORRECTION_ROW = 3 };
void fum_correction_row(const struct fum_sample_eval *eval, float row[FUM_CORRECTION_ROW]);
// Replaces prediction and noise by those of this step, weighed by the size of a correction. Adds
// the denoiser's inputs `corrections` and `shares`.
void fum_correction_scale(fum_graph *graph, struct fum_denoiser *denoiser, fum_tensor **prediction,
                          fum_tensor **noise);
// Runs an adaptive program on the state of the recorded step. A non-finite value ends it.
enum fum_result fum_flow_run(fum_pipeline *pipe, const struct fum_run *run, int first,
                             struct fum_error *err);
// Makes the recorded step for this shape ready: tables, context. Nothing of it depends on seeds.
enum fum_result fum_denoise_prepare(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err);

// What one batch starts from: history[0] of every picture, and the noise rows.
struct fum_start {
    float *state, *rows, *draw;  // rows NULL: none are used; draw: room for two noises of a picture
    float shares[FUM_MAX_BATCH]; // of each picture in means over the batch; past the last: 0
    float *noise;                // first of every picture, before it is scaled
    // Latents of every picture, drawn from those of run->given. NULL: none are given.
    float *image, *masked;
    float *small;      // the small picture of each, from run->given.small; NULL: there is none
    size_t one, batch; // values of a picture; pictures
};
// Draws the noise of a picture, the batch's b-th, from its own generator. As torch draws them, the
// start comes first, then the rows in order.
void fum_noise_draw(const struct fum_run *run, struct fum_start *start, size_t b, int image);
// Draws what the pictures from `first` on start from. Those past the last one repeat it. The caller
// releases it, also after an error.
enum fum_result fum_start_draw(const struct fum_run *run, const struct fum_denoiser *denoiser,
                               int first, struct fum_start *start, struct fum_error *err);
void fum_start_release(struct fum_start *start);
// Returns the seed of a picture.
uint64_t fum_run_seed(const struct fum_run *run, int image);
// Varies the first noise of a picture by that of a seed, as the request says. `room` holds one more
// noise.
void fum_noise_vary(const struct fum_run *run, uint64_t seed, float *noise, float *room);
// Mixes `share` of b into a along a great circle (Shoemake 1985): normal noise stays normal.
void fum_noise_mix(float *a, const float *b, size_t count, double share);

// One batch of pictures.
struct fum_batch {
    int first;      // picture
    float *latents; // gets [batch, height, width, channels]
    bool finite;    // set: every prediction was
};
// Runs the sampler for the pictures [first, first + batch). Those at or past `count` repeat the
// last one.
enum fum_result fum_denoise(fum_pipeline *pipe, const struct fum_run *run, struct fum_batch *batch,
                            struct fum_error *err);
// Repeats the run. *node: the first node with a non-finite result.
enum fum_result fum_denoise_diagnose(fum_pipeline *pipe, const struct fum_run *run, int first,
                                     const char **node, struct fum_error *err);

// Adds the prediction of a step without its noise, f32 [batch, height, width, channels], before it
// is clamped.
fum_tensor *fum_denoised_add(fum_graph *graph, const struct fum_denoiser *denoiser,
                             fum_tensor *prediction);
// Adds the bounds of dynamic thresholding, f32 [batch], for the model's output. NULL without any.
fum_tensor *fum_threshold_add(fum_graph *graph, const struct fum_denoiser *denoiser,
                              fum_tensor *prediction);

// ---- scales of guidance (guidance_scale.c) ----

// True if the request guides as CFG++, which needs both branches whatever the scale.
bool fum_guidance_plus(const struct fum_generate_params *params);
// True if both build the same graph.
bool fum_guidance_same(const struct fum_guidance_params *a, const struct fum_guidance_params *b);
// Checks the guided steps, and the sampler for CFG++.
enum fum_result fum_guidance_check(const struct fum_run *run, struct fum_error *err);
// Returns 1 for an evaluation that the prompt guides, else 0.
float fum_guidance_on(const struct fum_run *run, int eval);
// Returns the scale of an evaluation.
float fum_guidance_at(const struct fum_run *run, int eval);

// ---- classifier guidance (guide.c) ----

// Opens the classifier of the request, unless it is open, and checks that it can guide the run.
enum fum_result fum_guide_open(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
// Checks that the sampler can be guided, once the program is made.
enum fum_result fum_guide_check(const struct fum_run *run, struct fum_error *err);
void fum_guide_close(struct fum_guide_model *guide);
// Adds the classifier and its share of the step, f32 [batch, height, width, channels]. That is the
// gradient of -log p(y | x_t) of each picture, times the factor of this evaluation.
fum_tensor *fum_guide_add(fum_graph *graph, struct fum_denoiser *denoiser);
// Adds that share to the model's output, for every copy of the pictures.
fum_tensor *fum_guide_output(fum_graph *graph, const struct fum_denoiser *denoiser,
                             fum_tensor *prediction, fum_tensor *share);
// Writes the labels and factors of a run.
enum fum_result fum_guide_write(fum_pipeline *pipe, const struct fum_run *run,
                                struct fum_error *err);

// ---- VAE ----

// Latents of one picture, [height, width, channels].
struct fum_latents {
    const float *values;
    int height, width;
};

enum fum_result fum_decoder_build(struct fum_component *component, const struct fum_run *run,
                                  fum_graph **graph, struct fum_error *err);
enum fum_result fum_decoder_measure(struct fum_component *component, const struct fum_run *run,
                                    struct fum_executable_size *size, struct fum_error *err);
// Makes the decoder of latents of this size ready, as fum_decode_values would.
enum fum_result fum_decode_prepare(fum_pipeline *pipe, int height, int width,
                                   struct fum_error *err);
// Decodes one picture's latents to 8-bit RGB. Retries in f32 when a narrower type overflows. Uses
// bands (bands.h) if the whole does not fit the device or the budget. Uses overlapping tiles
// (tiles.h) if the device's limits refuse bands too. Each is logged. fum_decode_values gives [3 ·
// height · width · factor²] values of about [-1, 1], before they are rounded.
enum fum_result fum_decode_values(fum_pipeline *pipe, const struct fum_latents *latents,
                                  float *values, struct fum_error *err);
enum fum_result fum_decode(fum_pipeline *pipe, const struct fum_latents *latents, uint8_t *pixels,
                           struct fum_error *err);

// Values of one picture in [-1, 1], [height, width, channels].
struct fum_pixels {
    const float *values;
    int height, width;
};

// Gives a component's graph the types of weights that the pipeline has. Unless they are chosen,
// the blocks that the source has are kept.
void fum_pipeline_choose_types(const fum_pipeline *pipe, fum_graph *graph,
                               const struct fum_weight_source *source);
// Returns how the UNet's values are stored now.
enum fum_dtype fum_pipeline_storage(const fum_pipeline *pipe);

// Makes the encoder of pictures of this size ready.
enum fum_result fum_encode_image_prepare(fum_pipeline *pipe, int height, int width,
                                         struct fum_error *err);
// Measures what encoding takes in the smallest tiles; nothing if the run encodes no picture. A hook
// of struct fum_component.
enum fum_result fum_image_encoder_measure(struct fum_component *component,
                                          const struct fum_run *run,
                                          struct fum_executable_size *size, struct fum_error *err);
// Returns the floating-point operations of encoding a picture of that size.
double fum_pipeline_encode_flops(const fum_pipeline *pipe);
// Encodes a picture to the distribution of its latents, both [height, width, channels] of latent
// pixels, scaled as the UNet takes them. `deviation` may be NULL. Uses overlapping tiles (tiles.h)
// if the whole does not fit the device or the budget. Retries in f32 when a narrower type
// overflows.
enum fum_result fum_encode_posterior(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                     float *mean, float *deviation, struct fum_error *err);
// Encodes a picture to the mean of its latents.
enum fum_result fum_encode_image(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                 float *latents, struct fum_error *err);

// ---- VQModel ----

// Makes the decoder of vectors of this size ready.
enum fum_result fum_vectors_prepare(fum_pipeline *pipe, int height, int width,
                                    struct fum_error *err);
// Decodes one picture's vectors, each replaced by the nearest one of the codebook.
enum fum_result fum_vectors_decode(fum_pipeline *pipe, const struct fum_latents *vectors,
                                   uint8_t *pixels, struct fum_error *err);
// Encodes a picture to vectors before they are rounded, scaled as the UNet takes them.
enum fum_result fum_vectors_encode(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                   float *vectors, struct fum_error *err);

// ---- kinds of pictures ----

// How what the sampler leaves becomes a picture.
struct fum_picture_kind {
    void (*add_components)(fum_pipeline *pipe, enum fum_dtype storage);
    // Makes ready what follows the sampler. NULL: nothing does.
    enum fum_result (*prepare)(fum_pipeline *pipe, int height, int width, struct fum_error *err);
    // Writes one picture's pixels, [height, width, channels].
    enum fum_result (*make)(fum_pipeline *pipe, const struct fum_latents *latents, uint8_t *pixels,
                            struct fum_error *err);
    // Draws the pictures of a request from index `begin` on if `serves` is true. NULL, or false: a
    // sampler and a UNet do.
    bool (*serves)(const fum_pipeline *pipe, const struct fum_generate_params *params);
    enum fum_result (*generate)(fum_pipeline *pipe, const struct fum_generate_params *params,
                                int begin, struct fum_error *err);
    // Writes the latents of one picture, as the sampler takes them.
    enum fum_result (*encode)(fum_pipeline *pipe, const struct fum_pixels *pixels, float *latents,
                              struct fum_error *err);
    // Writes the distribution of the latents. NULL: they have none.
    enum fum_result (*encode_posterior)(fum_pipeline *pipe, const struct fum_pixels *pixels,
                                        float *mean, float *deviation, struct fum_error *err);
};
// Pictures by a VAE, those by an autoencoder without a distribution, pictures that the UNet draws
// itself, and those of an autoencoder alone. The last ones are those that a VQModel makes of the
// vectors of its prior.
extern const struct fum_picture_kind fum_pictures_of_vae, fum_pictures_of_tiny,
    fum_pictures_of_pixels, fum_pictures_of_autoencoder, fum_pictures_of_vectors;
// True if the request needs no sampler: the model has none, or pictures are encoded.
bool fum_autoencoder_serves(const fum_pipeline *pipe, const struct fum_generate_params *params);
// Builds the decoder of a run's pictures, a hook of struct fum_component.
enum fum_result fum_autoencoder_build(struct fum_component *component, const struct fum_run *run,
                                      fum_graph **graph, struct fum_error *err);
// Draws the pictures of an autoencoder from index `begin` on, without a sampler.
enum fum_result fum_autoencoder_generate(fum_pipeline *pipe,
                                         const struct fum_generate_params *params, int begin,
                                         struct fum_error *err);
// Adds a component to the pipeline's.
struct fum_component *fum_pipeline_add(fum_pipeline *pipe, const struct fum_component *component);
// Converts [-1, 1] to 0…255, rounded to nearest, half to even, as NumPy rounds.
void fum_pixels_to_bytes(const float *values, uint8_t *pixels, size_t count);
// Converts [0, 1] to bytes in the same way.
void fum_unit_pixels_to_bytes(const float *values, uint8_t *pixels, size_t count);
// Reorders values of [pixels, channels] to [channels, pixels], and back.
void fum_pixels_to_planes(const float *values, float *planes, size_t pixels, size_t channels);
void fum_planes_to_pixels(const float *planes, float *values, size_t pixels, size_t channels);

#endif
