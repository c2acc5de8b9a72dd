// SPDX-License-Identifier: MIT
// The pipeline's insides: encoding the prompt, denoising, decoding. Each stage keeps its compiled
// graph until another shape is asked for.
#ifndef FUM_PIPELINE_PIPELINE_H
#define FUM_PIPELINE_PIPELINE_H

#include <fumarole/pipeline.h>

#include "exec/executable.h"
#include "model/model.h"
#include "model/model_hash.h"

enum { FUM_MAX_BATCH = 64 };

// A graph with what it compiled to.
struct fum_stage_graph {
    fum_graph *graph;
    fum_executable *exe;
};

// One text encoder, for one text at a time.
struct fum_encoder {
    struct fum_stage_graph g;
    int skip; // layers left out at the end
    fum_tensor *ids, *ends, *hidden, *pooled;
};

// What prompts were encoded to: kept while the texts stay the same.
struct fum_context {
    char *prompt, *negative; // negative NULL: none was given
    int rows, skip;          // rows: 1, or 2 with guidance (negative first)
    int tokens, channels, pooled_channels;
    float *hidden; // [rows, tokens, channels]
    float *pooled; // [rows, pooled_channels]; NULL: the model takes none
};

// The recorded step for one shape.
struct fum_denoiser {
    struct fum_stage_graph g;
    int copies, batch, height, width, tokens; // latent pixels
    int evals, history, noise_rows;
    size_t coef_stride;
    fum_tensor *state, *counter, *flag, *coefs, *noise;
    struct fum_unet_params unet;
};

enum fum_decoder_way { FUM_DECODE_WHOLE, FUM_DECODE_BANDS, FUM_DECODE_TILES };

struct fum_decoder {
    struct fum_stage_graph g; // not of bands
    enum fum_decoder_way way;
    uint64_t room;     // for bands
    int height, width; // latent pixels of the picture
    // of what is compiled: less where the whole is too large for the device
    int tile_height, tile_width;
    fum_tensor *latents, *flag, *pixels;
};

// Seconds that the parts of the last run took, and the number of kernels that it compiled.
struct fum_run_times {
    double step, decode, prompt, compile, load; // step: the median
    int kernels;
};

struct fum_run;
struct fum_pipeline {
    fum_device *device;
    const fum_model *model;
    const struct fum_model_view *view;
    struct fum_pipeline_params params;
    enum fum_dtype text_storage, unet_storage, vae_storage;
    fum_weights *text_weights[FUM_MODEL_MAX_TEXT], *unet_weights, *vae_weights;
    struct fum_encoder encoders[FUM_MODEL_MAX_TEXT];
    struct fum_context context;
    struct fum_denoiser denoiser;
    struct fum_decoder decoder;
    const char *loading; // part that weights are being loaded for
    uint64_t budget;     // bytes of device memory; 0: no limit
    uint64_t least;      // the most that one part needs at the least, of those asked about so far
    bool probing;        // only asking that: nothing is loaded
    bool keep_unet;      // the decoder does beside it; what cannot evicts it all the same
    // of the last ones; they may have left the device since
    struct fum_executable_stats unet_stats, vae_stats;
    struct fum_run_times times;
    const struct fum_run *run;   // run whose picture is being decoded; NULL: nothing is reported
    int image;                   // index of that picture
    struct fum_model_hash *hash; // begun with the first picture; NULL for models without files
};

// Checks a graph that was built for `part`. What a sound model cannot build at this size is
// FUM_ERR_UNSUPPORTED, not a wrong argument of the caller.
enum fum_result fum_pipeline_check_graph(const fum_graph *graph, const char *part,
                                         struct fum_error *err);
// Reports to the run that is being decoded. False if it cancels, true if it has no callback.
bool fum_pipeline_report_decode(const fum_pipeline *pipe, int done, int total);

// Compiles `g->graph` with the part's weights, creating their store on first use.
enum fum_result fum_pipeline_compile(fum_pipeline *pipe, struct fum_stage_graph *g,
                                     const char *part, const struct fum_weight_source *source,
                                     fum_weights **weights, struct fum_error *err);
// Plans it as fum_pipeline_compile would, for pipe->least, and clears it.
enum fum_result fum_pipeline_probe(fum_pipeline *pipe, struct fum_stage_graph *g, const char *part,
                                   const struct fum_weight_source *source, struct fum_error *err);
void fum_stage_graph_clear(struct fum_stage_graph *g);

// Encodes prompt and negative (unless the same are in pipe->context). `guided`: with the
// unconditional row.
enum fum_result fum_encode(fum_pipeline *pipe, const char *prompt, const char *negative,
                           bool guided, int clip_skip, struct fum_error *err);

// What a run of the sampler needs; the request with all defaults filled in.
struct fum_run {
    const struct fum_generate_params *params;
    struct fum_sample_program *program;
    int width, height, latent_width, latent_height, latent_channels; // pixels; latent pixels
    int count, batch, copies, clip_skip;
    float guidance;
    float class_label; // used by models with classes
};

// Returns the text of a picture with this seed, freed with fum_free; NULL when memory is out.
char *fum_parameters_text(const fum_pipeline *pipe, const struct fum_run *run, uint64_t seed);

// With a budget: plans a part without loading it, so that pipe->least takes part in what it needs.
enum fum_result fum_encode_probe(fum_pipeline *pipe, int which, int skip, struct fum_error *err);
enum fum_result fum_denoise_probe(fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err);
enum fum_result fum_decode_probe(fum_pipeline *pipe, int height, int width, struct fum_error *err);

// Makes the recorded step for this shape ready: tables, context. Nothing of it depends on seeds.
enum fum_result fum_denoise_prepare(fum_pipeline *pipe, const struct fum_run *run,
                                    struct fum_error *err);
// Runs the sampler for pictures [first, first + batch); latents [batch, height, width, channels]
// get the result. Pictures at or past `count` repeat the last one. *finite: whether every value is.
enum fum_result fum_denoise(fum_pipeline *pipe, const struct fum_run *run, int first,
                            float *latents, bool *finite, struct fum_error *err);
// The name of the first node whose result is not finite when the run is repeated; NULL when none is
// found.
enum fum_result fum_denoise_diagnose(fum_pipeline *pipe, const struct fum_run *run, int first,
                                     const char **node, struct fum_error *err);

// Makes the decoder of latents of this size ready, as fum_decode_values would.
enum fum_result fum_decode_prepare(fum_pipeline *pipe, int height, int width,
                                   struct fum_error *err);
// Decodes one picture's latents [height, width, channels] to 8-bit RGB. Retries in f32 when a
// narrower type overflows, and goes by bands (bands.h) when the whole does not fit the device or
// the budget, or by overlapping tiles (tiles.h) when the device's limits refuse those too; each is
// said in the log. fum_decode_values gives [3 · height · width · factor²] values of about [-1, 1],
// before they are rounded.
enum fum_result fum_decode_values(fum_pipeline *pipe, const float *latents, int height, int width,
                                  float *values, struct fum_error *err);
enum fum_result fum_decode(fum_pipeline *pipe, const float *latents, int height, int width,
                           uint8_t *pixels, struct fum_error *err);

#endif
