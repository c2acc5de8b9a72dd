// SPDX-License-Identifier: MIT
// Prompts to the UNet's context: once per pair of texts.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "text/tokenizer.h"

#include <math.h>
#include <string.h>

// Ids of one text, cut to the encoder's length with a warning that shows what was lost.
static enum fum_result tokenize(const fum_pipeline *pipe, const struct fum_model_text *text,
                                const char *prompt, int32_t *ids, bool warn,
                                struct fum_error *err) {
    struct fum_token_fit fit = {0};
    enum fum_result result = fum_tokenizer_encode_prompt(
        text->tokenizer, &(struct fum_padded_text){prompt, strlen(prompt), text->tokens}, ids, &fit,
        err);
    if (!result && fit.cut && warn)
        fum_log(pipe->params.log, FUM_LOG_WARN,
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

// The encoder's graph for one text at a time, `skip` layers left out.
static enum fum_result encoder_build(fum_pipeline *pipe, struct fum_encoder *e, int which, int skip,
                                     struct fum_error *err) {
    const struct fum_model_text *text = &pipe->view->text[which];
    *e = (struct fum_encoder){.skip = skip};
    enum fum_result result = fum_graph_create(&e->g.graph, pipe->text_storage, err);
    if (result) return result;
    fum_graph *graph = e->g.graph;
    if (pipe->params.weights == FUM_WEIGHTS_Q8_0) fum_graph_quantise(graph);
    e->ids = fum_graph_input(graph, "ids", (struct fum_shape){2, {1, text->tokens}}, FUM_I32,
                             FUM_STAGE_PROMPT);
    e->ends =
        fum_graph_input(graph, "ends", (struct fum_shape){2, {1, 1}}, FUM_I32, FUM_STAGE_PROMPT);
    struct fum_clip_outputs out = {0};
    bool pooled = pipe->view->unet.text_time && text->config.projection > 0;
    fum_clip_build(graph, &text->config,
                   &(struct fum_clip_params){.ids = e->ids,
                                             .ends = pooled ? e->ends : NULL,
                                             .skip = skip,
                                             .skip_norm = pipe->view->traits.skip_norm},
                   &out);
    e->hidden = out.hidden;
    e->pooled = out.pooled;
    fum_graph_output(graph, e->hidden, "hidden");
    if (e->pooled) fum_graph_output(graph, e->pooled, "pooled");
    return fum_pipeline_check_graph(graph, text->component, err);
}

static enum fum_result encoder_make(fum_pipeline *pipe, int which, int skip,
                                    struct fum_error *err) {
    struct fum_encoder *e = &pipe->encoders[which];
    const struct fum_model_text *text = &pipe->view->text[which];
    if (e->g.exe && e->skip == skip) return FUM_OK;
    fum_stage_graph_clear(&e->g);
    enum fum_result result = encoder_build(pipe, e, which, skip, err);
    return result ? result
                  : fum_pipeline_compile(pipe, &e->g, text->component, &text->weights,
                                         &pipe->text_weights[which], err);
}

enum fum_result fum_encode_probe(fum_pipeline *pipe, int which, int skip, struct fum_error *err) {
    struct fum_encoder e;
    const struct fum_model_text *text = &pipe->view->text[which];
    enum fum_result result = encoder_build(pipe, &e, which, skip, err);
    if (!result) result = fum_pipeline_probe(pipe, &e.g, text->component, &text->weights, err);
    fum_stage_graph_clear(&e.g);
    return result;
}

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

// Runs one encoder over a text; its hidden states go to columns [column, …) of row `row` of the
// context. *finite: whether every value is.
static enum fum_result encoder_run(fum_pipeline *pipe, int which, const char *prompt,
                                   struct fum_context *c, int row, int column, bool *finite,
                                   struct fum_error *err) {
    struct fum_encoder *e = &pipe->encoders[which];
    const struct fum_model_text *text = &pipe->view->text[which];
    size_t tokens = (size_t)text->tokens, channels = (size_t)text->config.channels;
    int32_t *ids = fum_calloc(tokens, sizeof *ids);
    float *hidden = fum_calloc(tokens * channels, sizeof *hidden);
    enum fum_result result = FUM_OK;
    if (!ids || !hidden)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to encode the prompt");
    if (!result) result = tokenize(pipe, text, prompt, ids, which == 0, err);
    if (!result) result = fum_executable_write_i32(e->g.exe, e->ids, ids, tokens, err);
    if (!result && e->pooled) {
        int32_t end = fum_clip_end(&text->config, ids, (int)tokens);
        result = fum_executable_write_i32(e->g.exe, e->ends, &end, 1, err);
    }
    if (!result) result = fum_executable_run(e->g.exe, FUM_STAGE_PROMPT, err);
    if (!result) result = fum_executable_read(e->g.exe, e->hidden, hidden, tokens * channels, err);
    float *to = c->hidden + (size_t)row * tokens * (size_t)c->channels + column;
    for (size_t t = 0; t < tokens && !result; t++)
        memcpy(to + t * (size_t)c->channels, hidden + t * channels, channels * sizeof *hidden);
    *finite = !result && all_finite(hidden, tokens * channels);
    // The last encoder with a projection gives the pooled embedding.
    if (!result && e->pooled) {
        float *pooled = c->pooled + (size_t)row * (size_t)c->pooled_channels;
        result = fum_executable_read(e->g.exe, e->pooled, pooled, (size_t)c->pooled_channels, err);
        *finite = *finite && !result && all_finite(pooled, (size_t)c->pooled_channels);
    }
    fum_free(ids);
    fum_free(hidden);
    return result;
}

// After values that are not finite: makes the text encoders f32, or fails when they are.
static enum fum_result widen(fum_pipeline *pipe, int which, struct fum_error *err) {
    const char *node = NULL, *part = pipe->view->text[which].component;
    enum fum_result result =
        fum_executable_first_nonfinite(pipe->encoders[which].g.exe, FUM_STAGE_PROMPT, &node, err);
    if (result) return result;
    if (!node) node = "the encoder";
    if (pipe->text_storage == FUM_F32)
        return fum_error_set(
            err, FUM_ERR_FORMAT,
            "%s: %s gives values that are not finite, in f32 too: the weights may be damaged", part,
            node);
    fum_log(pipe->params.log, FUM_LOG_WARN, "%s: %s overflows %s; encoding in f32", part, node,
            fum_dtype_name(pipe->text_storage));
    for (int i = 0; i < FUM_MODEL_MAX_TEXT; i++) {
        fum_stage_graph_clear(&pipe->encoders[i].g);
        fum_weights_destroy(&pipe->text_weights[i]);
    }
    pipe->text_storage = FUM_F32;
    return FUM_OK;
}

// encoder_run, in f32 when a narrower type overflows somewhere.
static enum fum_result encode_text(fum_pipeline *pipe, int which, int skip, const char *prompt,
                                   struct fum_context *c, int row, int column,
                                   struct fum_error *err) {
    for (;;) {
        bool finite = false;
        enum fum_result result = encoder_make(pipe, which, skip, err);
        if (!result) result = encoder_run(pipe, which, prompt, c, row, column, &finite, err);
        if (!result && !finite) result = widen(pipe, which, err);
        if (result || finite) return result;
    }
}

static bool same_text(const char *a, const char *b) {
    return a && b ? !strcmp(a, b) : a == b;
}

static enum fum_result context_make(fum_pipeline *pipe, struct fum_context *c,
                                    struct fum_error *err) {
    const struct fum_model_view *view = pipe->view;
    c->tokens = view->text[0].tokens;
    for (int i = 0; i < view->num_text; i++) c->channels += view->text[i].config.channels;
    c->pooled_channels = fum_model_pooled(pipe->view);
    c->hidden =
        fum_calloc((size_t)c->rows * (size_t)c->tokens, (size_t)c->channels * sizeof *c->hidden);
    if (c->pooled_channels)
        c->pooled = fum_calloc((size_t)c->rows, (size_t)c->pooled_channels * sizeof *c->pooled);
    if (!c->hidden || (c->pooled_channels && !c->pooled))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to encode the prompt");

    // Row 0 of two is the negative prompt, which a diffusers pipeline encodes without the user's
    // clip skip.
    int base = fum_model_get_info(pipe->model)->clip_skip - 1 + view->traits.skip_base;
    // One encoder after the other: a memory budget may not hold two.
    for (int i = 0, column = 0; i < view->num_text; column += view->text[i++].config.channels) {
        for (int row = 0; row < c->rows; row++) {
            bool negative = c->rows == 2 && row == 0;
            const char *prompt = !negative ? c->prompt : c->negative ? c->negative : "";
            int skip = negative && !view->traits.skip_negative ? base : c->skip;
            enum fum_result result = encode_text(pipe, i, skip, prompt, c, row, column, err);
            if (result) return result;
        }
    }
    if (c->rows == 2 && !c->negative && view->traits.zero_negative) {
        memset(c->hidden, 0, (size_t)c->tokens * (size_t)c->channels * sizeof *c->hidden);
        if (c->pooled) memset(c->pooled, 0, (size_t)c->pooled_channels * sizeof *c->pooled);
    }
    return FUM_OK;
}

enum fum_result fum_encode(fum_pipeline *pipe, const char *prompt, const char *negative,
                           bool guided, int clip_skip, struct fum_error *err) {
    struct fum_context *old = &pipe->context;
    struct fum_context c = {.rows = guided ? 2 : 1,
                            .skip = clip_skip - 1 + pipe->view->traits.skip_base};
    if (old->hidden && old->rows == c.rows && old->skip == c.skip &&
        same_text(old->prompt, prompt) && (!guided || same_text(old->negative, negative)))
        return FUM_OK;
    enum fum_result result = FUM_OK;
    c.prompt = fum_strdup(prompt);
    if (negative) c.negative = fum_strdup(negative);
    if (!c.prompt || (negative && !c.negative))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the prompt");
    if (!result) result = context_make(pipe, &c, err);
    struct fum_context *drop = result ? &c : old;
    fum_free(drop->prompt);
    fum_free(drop->negative);
    fum_free(drop->hidden);
    fum_free(drop->pooled);
    if (!result) *old = c;
    return result;
}
