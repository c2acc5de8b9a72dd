// SPDX-License-Identifier: MIT
// CLIP text encoders (transformers' CLIPTextModel and CLIPTextModelWithProjection; OpenCLIP's are
// the same with GELU). Weight names are transformers 4's:
// "text_model.encoder.layers.0.self_attn.q_proj.weight", "text_projection.weight".
#ifndef FUM_MODEL_CLIP_H
#define FUM_MODEL_CLIP_H

#include <fumarole/graph.h>

#include <cjson/cJSON.h>

struct fum_clip_config {
    int vocab, positions; // positions: tokens of one chunk, 77 for the real ones
    int channels, ff_channels;
    int layers, heads;
    double eps;
    const char *activation; // the op's name
    int eos;        // id of the end token; 2: "the largest id", as old configurations mean it
    int projection; // channels of the pooled text embedding; 0: the model has no projection
};

// Reads the configuration. `projected`: the class is CLIPTextModelWithProjection. `where` names the
// file in errors.
enum fum_result fum_clip_config_parse(struct fum_clip_config *config, const cJSON *json,
                                      bool projected, const char *where, struct fum_error *err);

struct fum_clip_params {
    const char *prefix; // before all weight names; NULL: none
    fum_tensor *ids;    // i32 [batch, tokens], tokens ≤ positions
    // [batch, tokens, channels]: the ids' rows of the token table; NULL: looked up
    fum_tensor *embedded;
    // i32 [1, batch]: fum_clip_end of each row + row · tokens; NULL: no pooled value is needed
    fum_tensor *ends;
    int skip;       // layers left out at the end for `hidden`; 0: none. At most layers
    bool skip_norm; // `hidden` without the final layer norm, as SDXL takes it
};

struct fum_clip_outputs {
    fum_tensor *hidden; // [batch, tokens, channels]
    fum_tensor
        // [batch, projection or channels]: of the last layer whatever `skip` is; NULL without
        // `ends`
        *pooled;
};

// Adds the encoder. Layers that no result depends on are not built, so their weights need not
// exist. Nodes are named by module: "text_model.encoder.layers.0", "text_model.final_layer_norm".
void fum_clip_build(fum_graph *graph, const struct fum_clip_config *config,
                    const struct fum_clip_params *params, struct fum_clip_outputs *outputs);

// Returns the index of the token whose state is the pooled one, by transformers' rule.
int fum_clip_end(const struct fum_clip_config *config, const int32_t *ids, int count);

#endif
