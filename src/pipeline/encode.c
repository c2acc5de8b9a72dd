// SPDX-License-Identifier: MIT
// Encodes texts to parts of the UNet's context, chunk by chunk, and keeps the last ones.
#include "base/error.h"
#include "pipeline/compile.h"
#include "pipeline/finite.h"
#include "pipeline/pipeline.h"

#include <string.h>

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to encode the prompt");
}

// The encoder of one component, with the model's side of it.
struct text_encoder {
    fum_pipeline *pipe;
    struct fum_component *component;
    const struct fum_model_text *text;
    struct fum_encoder *state;
    int index;
};

static struct text_encoder encoder_at(fum_pipeline *pipe, int index) {
    return (struct text_encoder){.pipe = pipe,
                                 .component = &pipe->components[index],
                                 .text = &pipe->view->text[index],
                                 .state = &pipe->encoders[index],
                                 .index = index};
}

// Builds the graph for one text at a time, `skip` layers left out.
static enum fum_result build_encoder(const struct text_encoder *e, int skip,
                                     struct fum_encoder *state, fum_graph **out,
                                     struct fum_error *err) {
    const struct fum_model_text *text = e->text;
    const struct fum_model_view *view = e->pipe->view;
    *state = (struct fum_encoder){.skip = skip};
    enum fum_result result = fum_graph_create(out, e->component->storage, err);
    if (result) return result;
    fum_graph *graph = *out;
    fum_pipeline_choose_types(e->pipe, graph, e->component->source);
    fum_component_adapt(e->component, graph);
    state->ids = fum_graph_input(graph, "ids", (struct fum_shape){2, {1, text->tokens}}, FUM_I32,
                                 FUM_STAGE_PROMPT);
    state->ends =
        fum_graph_input(graph, "ends", (struct fum_shape){2, {1, 1}}, FUM_I32, FUM_STAGE_PROMPT);
    struct fum_clip_outputs out_tensors = {0};
    bool pooled = fum_model_text_pooled(view, e->index) > 0;
    fum_clip_build(graph, &text->config,
                   &(struct fum_clip_params){.ids = state->ids,
                                             .ends = pooled ? state->ends : NULL,
                                             .skip = skip,
                                             .skip_norm = view->traits.skip_norm},
                   &out_tensors);
    state->hidden = out_tensors.hidden;
    state->pooled = out_tensors.pooled;
    fum_graph_output(graph, state->hidden, "hidden");
    if (state->pooled) fum_graph_output(graph, state->pooled, "pooled");
    return fum_component_check_graph(e->component, graph, err);
}

enum fum_result fum_encoder_build(struct fum_component *component, const struct fum_run *run,
                                  fum_graph **graph, struct fum_error *err) {
    fum_pipeline *pipe = component->pipe;
    struct text_encoder e = encoder_at(pipe, (int)(component - pipe->components));
    struct fum_encoder state;
    return build_encoder(&e, fum_model_skipped_layers(pipe->view, run->clip_skip), &state, graph,
                         err);
}

static enum fum_result compile_encoder(const struct text_encoder *e, int skip,
                                       struct fum_error *err) {
    struct fum_component *c = e->component;
    if (c->compiled.exe && e->state->skip == skip) return FUM_OK;
    fum_compiled_clear(&c->compiled);
    enum fum_result result = build_encoder(e, skip, e->state, &c->compiled.graph, err);
    return result ? result : fum_component_compile(c, &c->compiled, err);
}

// A chunk of a text, and the embedding that it becomes part of.
struct chunk {
    const int32_t *ids;
    const double *weights; // NULL: all are 1
    struct fum_embedding *embedding;
    int index, column; // column: of the context's channels that the encoder gives
};

// Runs the compiled encoder and reads its hidden states.
static enum fum_result run_text(const struct text_encoder *e, const int32_t *ids, float *hidden,
                                struct fum_error *err) {
    fum_executable *exe = e->component->compiled.exe;
    size_t tokens = (size_t)e->text->tokens, channels = (size_t)e->text->config.channels;
    enum fum_result result = fum_executable_write_i32(exe, e->state->ids, ids, tokens, err);
    if (!result && e->state->pooled) {
        int32_t end = fum_clip_end(&e->text->config, ids, (int)tokens);
        result = fum_executable_write_i32(exe, e->state->ends, &end, 1, err);
    }
    if (!result) result = fum_executable_run(exe, FUM_STAGE_PROMPT, err);
    if (!result)
        result = fum_executable_read(exe, e->state->hidden, hidden, tokens * channels, err);
    return result;
}

static double mean_of(const float *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i];
    return sum / (double)count;
}

// Weighs the states of each token. As A1111 does, the mean is restored unless emphasis is
// "no-norm".
static void weigh_states(const struct text_encoder *e, const struct chunk *chunk, float *hidden) {
    size_t tokens = (size_t)e->text->tokens, channels = (size_t)e->text->config.channels;
    double before = mean_of(hidden, tokens * channels);
    for (size_t i = 0; i < tokens * channels; i++) hidden[i] *= (float)chunk->weights[i / channels];
    double after = mean_of(hidden, tokens * channels);
    if (chunk->embedding->style.emphasis != FUM_EMPHASIS_ORIGINAL || after == 0) return;
    for (size_t i = 0; i < tokens * channels; i++) hidden[i] *= (float)(before / after);
}

// Encodes a chunk. *finite: whether every value is.
static enum fum_result run_encoder(const struct text_encoder *e, const struct chunk *chunk,
                                   bool *finite, struct fum_error *err) {
    const struct fum_model_view *view = e->pipe->view;
    size_t tokens = (size_t)e->text->tokens, channels = (size_t)e->text->config.channels,
           all = (size_t)fum_model_text_channels(view);
    float *hidden = fum_calloc(tokens * channels, sizeof *hidden);
    enum fum_result result = hidden ? run_text(e, chunk->ids, hidden, err) : no_memory(err);
    *finite = !result && fum_finite_values(hidden, tokens * channels);
    if (*finite && chunk->weights) {
        weigh_states(e, chunk, hidden);
        if (!fum_finite_values(hidden, tokens * channels))
            result = fum_error_set(err, FUM_ERR_ARG,
                                   "the prompt's weights are too large for its states");
    }
    float *row = chunk->embedding->hidden + (size_t)chunk->index * tokens * all + chunk->column;
    for (size_t t = 0; t < tokens && !result; t++)
        memcpy(row + t * all, hidden + t * channels, channels * sizeof *hidden);
    // The last encoder with a projection gives the pooled embedding.
    if (!result && e->state->pooled && !chunk->index) {
        size_t count = (size_t)fum_model_pooled(view);
        float *pooled = chunk->embedding->pooled;
        result =
            fum_executable_read(e->component->compiled.exe, e->state->pooled, pooled, count, err);
        *finite = *finite && !result && fum_finite_values(pooled, count);
    }
    fum_free(hidden);
    return result;
}

// Makes the text encoders f32 after non-finite values, or fails when they are.
static enum fum_result widen_encoders(const struct text_encoder *e, struct fum_error *err) {
    const char *node = NULL;
    fum_pipeline *pipe = e->pipe;
    enum fum_result result =
        fum_executable_first_nonfinite(e->component->compiled.exe, FUM_STAGE_PROMPT, &node, err);
    if (!result)
        result = fum_component_widen(e->component, node ? node : "the encoder", "encoding", err);
    for (int i = 0; i < pipe->view->num_text && !result; i++) {
        fum_component_release(&pipe->components[i]);
        pipe->components[i].storage = FUM_F32;
    }
    return result;
}

// Encodes a chunk, in f32 when a narrower type overflows somewhere.
static enum fum_result encode_chunk(const struct text_encoder *e, const struct chunk *chunk,
                                    struct fum_error *err) {
    for (;;) {
        bool finite = false;
        enum fum_result result = compile_encoder(e, chunk->embedding->style.skip, err);
        if (!result) result = run_encoder(e, chunk, &finite, err);
        if (!result && !finite) result = widen_encoders(e, err);
        if (result || finite) return result;
    }
}

// Encodes all chunks of a text with one encoder.
static enum fum_result encode_text(const struct text_encoder *e, const struct fum_condition *text,
                                   struct fum_embedding *embedding, int column,
                                   struct fum_error *err) {
    const struct fum_prompt_chunks *chunks = &text->chunks[e->index];
    enum fum_result result = FUM_OK;
    for (int i = 0; i < embedding->chunks && !result; i++) {
        size_t at = (size_t)i * (size_t)chunks->length;
        const struct chunk chunk = {.ids = chunks->ids + at,
                                    .weights = chunks->weighted ? chunks->weights + at : NULL,
                                    .embedding = embedding,
                                    .index = i,
                                    .column = column};
        result = encode_chunk(e, &chunk, err);
    }
    return result;
}

// Encodes the texts of the run that are marked as new, one encoder after the other: a memory budget
// may not hold two.
static enum fum_result encode_new(fum_pipeline *pipe, struct fum_conditions *c, const bool *is_new,
                                  struct fum_error *err) {
    const struct fum_model_view *view = pipe->view;
    enum fum_result result = FUM_OK;
    for (int i = 0, column = 0; i < view->num_text && !result; i++) {
        struct text_encoder e = encoder_at(pipe, i);
        for (size_t t = 0; t < c->num_texts && !result; t++)
            if (is_new[t] && !c->texts[t].style.zero)
                result =
                    encode_text(&e, &c->texts[t],
                                fum_embedding_find(&pipe->embeddings, &c->texts[t]), column, err);
        column += view->text[i].config.channels;
    }
    return result;
}

enum fum_result fum_encode(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    struct fum_embeddings *all = &pipe->embeddings;
    struct fum_conditions *c = &run->conditions;
    size_t kept = all->count;
    bool *is_new = fum_calloc(c->num_texts, sizeof *is_new);
    enum fum_result result = is_new ? FUM_OK : no_memory(err);
    all->run++;
    for (size_t i = 0; i < c->num_texts && !result; i++) {
        struct fum_embedding *e = fum_embedding_find(all, &c->texts[i]);
        is_new[i] = !e;
        if (!e && !(e = fum_embedding_add(pipe, &c->texts[i]))) result = no_memory(err);
        if (!result) e->used = all->run;
        c->texts[i].embedding = e;
    }
    if (!result) result = encode_new(pipe, c, is_new, err);
    // What was encoded in part must not be found.
    fum_embeddings_drop(all, result ? kept : all->count);
    fum_free(is_new);
    return result;
}
