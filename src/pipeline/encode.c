// SPDX-License-Identifier: MIT
// Encodes prompts to the UNet's context, once per pair of texts.
#include "base/error.h"
#include "base/log.h"
#include "pipeline/compile.h"
#include "pipeline/pipeline.h"
#include "text/tokenizer.h"

#include <math.h>
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

// Writes the ids of a text, cut to the encoder's length; the first encoder warns about what was
// lost.
static enum fum_result tokenize(const struct text_encoder *e, const char *prompt, int32_t *ids,
                                struct fum_error *err) {
    const struct fum_model_text *text = e->text;
    struct fum_token_fit fit = {0};
    enum fum_result result = fum_tokenizer_encode_prompt(
        text->tokenizer, &(struct fum_padded_text){prompt, strlen(prompt), text->tokens}, ids, &fit,
        err);
    if (!result && fit.cut && e->index == 0)
        fum_log(e->pipe->params.log, FUM_LOG_WARN,
                "the prompt has %zu tokens, the model reads %d: \"%s\" was cut off", fit.count,
                text->tokens, fit.cut);
    fum_token_fit_free(&fit);
    for (int i = 0; i < text->tokens && !result; i++)
        if (ids[i] < 0 || ids[i] >= text->config.vocab)
            result = fum_error_set(err, FUM_ERR_FORMAT,
                                   "%s: the tokenizer gives id %d, the encoder knows %d",
                                   text->component, (int)ids[i], text->config.vocab);
    return result;
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
    bool pooled = view->unet.text_time && text->config.projection > 0;
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

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

// Where an encoder's results go: row `row` of the context, its hidden states to the columns from
// `column` on.
struct target {
    struct fum_context *context;
    int row, column;
};

// Runs the compiled encoder and reads its hidden states.
static enum fum_result run_text(const struct text_encoder *e, const char *prompt, int32_t *ids,
                                float *hidden, struct fum_error *err) {
    fum_executable *exe = e->component->compiled.exe;
    size_t tokens = (size_t)e->text->tokens, channels = (size_t)e->text->config.channels;
    enum fum_result result = tokenize(e, prompt, ids, err);
    if (!result) result = fum_executable_write_i32(exe, e->state->ids, ids, tokens, err);
    if (!result && e->state->pooled) {
        int32_t end = fum_clip_end(&e->text->config, ids, (int)tokens);
        result = fum_executable_write_i32(exe, e->state->ends, &end, 1, err);
    }
    if (!result) result = fum_executable_run(exe, FUM_STAGE_PROMPT, err);
    if (!result)
        result = fum_executable_read(exe, e->state->hidden, hidden, tokens * channels, err);
    return result;
}

// Encodes a text. *finite: whether every value is.
static enum fum_result run_encoder(const struct text_encoder *e, const char *prompt,
                                   const struct target *to, bool *finite, struct fum_error *err) {
    struct fum_context *c = to->context;
    size_t tokens = (size_t)e->text->tokens, channels = (size_t)e->text->config.channels;
    int32_t *ids = fum_calloc(tokens, sizeof *ids);
    float *hidden = fum_calloc(tokens * channels, sizeof *hidden);
    enum fum_result result = ids && hidden ? run_text(e, prompt, ids, hidden, err) : no_memory(err);
    float *row = c->hidden + (size_t)to->row * tokens * (size_t)c->channels + to->column;
    for (size_t t = 0; t < tokens && !result; t++)
        memcpy(row + t * (size_t)c->channels, hidden + t * channels, channels * sizeof *hidden);
    *finite = !result && all_finite(hidden, tokens * channels);
    // The last encoder with a projection gives the pooled embedding.
    if (!result && e->state->pooled) {
        size_t count = (size_t)c->pooled_channels;
        float *pooled = c->pooled + (size_t)to->row * count;
        result =
            fum_executable_read(e->component->compiled.exe, e->state->pooled, pooled, count, err);
        *finite = *finite && !result && all_finite(pooled, count);
    }
    fum_free(ids);
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

// Encodes a text, in f32 when a narrower type overflows somewhere.
static enum fum_result encode_text(const struct text_encoder *e, int skip, const char *prompt,
                                   const struct target *to, struct fum_error *err) {
    for (;;) {
        bool finite = false;
        enum fum_result result = compile_encoder(e, skip, err);
        if (!result) result = run_encoder(e, prompt, to, &finite, err);
        if (!result && !finite) result = widen_encoders(e, err);
        if (result || finite) return result;
    }
}

static bool same_text(const char *a, const char *b) {
    return a && b ? !strcmp(a, b) : a == b;
}

static enum fum_result alloc_context(const struct fum_model_view *view, struct fum_context *c,
                                     struct fum_error *err) {
    c->tokens = view->text[0].tokens;
    for (int i = 0; i < view->num_text; i++) c->channels += view->text[i].config.channels;
    c->pooled_channels = fum_model_pooled(view);
    c->hidden =
        fum_calloc((size_t)c->rows * (size_t)c->tokens, (size_t)c->channels * sizeof *c->hidden);
    if (c->pooled_channels)
        c->pooled = fum_calloc((size_t)c->rows, (size_t)c->pooled_channels * sizeof *c->pooled);
    return c->hidden && (!c->pooled_channels || c->pooled) ? FUM_OK : no_memory(err);
}

// Encodes the rows of the context with one encoder. Row 0 of two is the negative prompt, which a
// diffusers pipeline encodes without the user's clip skip.
static enum fum_result encode_rows(const struct text_encoder *e, struct fum_context *c, int column,
                                   struct fum_error *err) {
    const struct fum_model_view *view = e->pipe->view;
    int own = fum_model_skipped_layers(view, fum_model_get_info(e->pipe->model)->clip_skip);
    for (int row = 0; row < c->rows; row++) {
        bool negative = c->rows == 2 && row == 0;
        const char *prompt = negative ? c->negative : c->prompt;
        int skip = negative && !view->traits.skip_negative ? own : c->skip;
        enum fum_result result =
            encode_text(e, skip, prompt ? prompt : "", &(struct target){c, row, column}, err);
        if (result) return result;
    }
    return FUM_OK;
}

static enum fum_result make_context(fum_pipeline *pipe, struct fum_context *c,
                                    struct fum_error *err) {
    const struct fum_model_view *view = pipe->view;
    enum fum_result result = alloc_context(view, c, err);
    // One encoder after the other: a memory budget may not hold two.
    for (int i = 0, column = 0; i < view->num_text && !result; i++) {
        struct text_encoder e = encoder_at(pipe, i);
        result = encode_rows(&e, c, column, err);
        column += view->text[i].config.channels;
    }
    if (!result && c->rows == 2 && !c->negative && view->traits.zero_negative) {
        memset(c->hidden, 0, (size_t)c->tokens * (size_t)c->channels * sizeof *c->hidden);
        if (c->pooled) memset(c->pooled, 0, (size_t)c->pooled_channels * sizeof *c->pooled);
    }
    return result;
}

void fum_context_clear(struct fum_context *context) {
    fum_free(context->prompt);
    fum_free(context->negative);
    fum_free(context->hidden);
    fum_free(context->pooled);
    *context = (struct fum_context){0};
}

enum fum_result fum_encode(fum_pipeline *pipe, const struct fum_prompts *p, struct fum_error *err) {
    struct fum_context *old = &pipe->context;
    struct fum_context c = {.rows = p->guided ? 2 : 1,
                            .skip = fum_model_skipped_layers(pipe->view, p->clip_skip)};
    if (old->hidden && old->rows == c.rows && old->skip == c.skip &&
        same_text(old->prompt, p->prompt) && (!p->guided || same_text(old->negative, p->negative)))
        return FUM_OK;
    enum fum_result result = FUM_OK;
    c.prompt = fum_strdup(p->prompt);
    if (p->negative) c.negative = fum_strdup(p->negative);
    if (!c.prompt || (p->negative && !c.negative))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the prompt");
    if (!result) result = make_context(pipe, &c, err);
    if (result) {
        fum_context_clear(&c);
    } else {
        fum_context_clear(old);
        *old = c;
    }
    return result;
}
