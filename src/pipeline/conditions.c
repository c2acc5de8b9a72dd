// SPDX-License-Identifier: MIT
// Reads the prompts of a request: the texts that are encoded, and which of them each step reads.
#include "pipeline/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "text/tokenizer.h"

#include <string.h>

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the prompts");
}

// ---- texts ----

static bool same_style(const struct fum_text_style *a, const struct fum_text_style *b) {
    return a->skip == b->skip && a->plain == b->plain && a->zero == b->zero &&
           a->emphasis == b->emphasis;
}

// Returns the index of a text, which is added if it is new; -1 when memory is out.
static int32_t add_text(struct fum_conditions *c, const char *text,
                        const struct fum_text_style *style) {
    for (size_t i = 0; i < c->num_texts; i++)
        if (same_style(&c->texts[i].style, style) && !strcmp(c->texts[i].text, text))
            return (int32_t)i;
    if (!fum_grow((void **)&c->texts, &c->texts_capacity, c->num_texts, sizeof *c->texts))
        return -1;
    c->texts[c->num_texts] = (struct fum_condition){.text = fum_strdup(text), .style = *style};
    return c->texts[c->num_texts].text ? (int32_t)c->num_texts++ : -1;
}

// Reads a text as one chunk, and warns about what did not fit.
static enum fum_result read_plain(const fum_pipeline *pipe, int encoder, struct fum_condition *c,
                                  struct fum_error *err) {
    const struct fum_model_text *text = &pipe->view->text[encoder];
    struct fum_prompt_chunks *chunks = &c->chunks[encoder];
    struct fum_token_fit fit = {0};
    *chunks = (struct fum_prompt_chunks){.length = text->tokens, .count = 1};
    chunks->ids = fum_calloc((size_t)text->tokens, sizeof *chunks->ids);
    if (!chunks->ids) return no_memory(err);
    enum fum_result result = fum_tokenizer_encode_prompt(
        text->tokenizer, &(struct fum_padded_text){c->text, strlen(c->text), text->tokens},
        chunks->ids, &fit, err);
    if (!result && fit.cut && encoder == 0)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "the prompt has %zu tokens, the model reads %d: \"%s\" was cut off", fit.count,
                text->tokens, fit.cut);
    fum_token_fit_free(&fit);
    return result;
}

static enum fum_result check_ids(const struct fum_model_text *text,
                                 const struct fum_prompt_chunks *chunks, struct fum_error *err) {
    for (size_t i = 0; i < chunks->count * (size_t)chunks->length; i++)
        if (chunks->ids[i] < 0 || chunks->ids[i] >= text->config.vocab)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: the tokenizer gives id %d, the encoder knows %d",
                                 text->component, (int)chunks->ids[i], text->config.vocab);
    return FUM_OK;
}

// Divides a text into chunks, as many for each encoder.
static enum fum_result read_chunks(const fum_pipeline *pipe, struct fum_condition *c,
                                   struct fum_error *err) {
    const struct fum_model_view *view = pipe->view;
    enum fum_result result = FUM_OK;
    size_t most = 1;
    for (int i = 0; i < view->num_text && !result; i++) {
        const struct fum_model_text *text = &view->text[i];
        const struct fum_prompt_text source = {
            .text = c->text,
            .length = text->tokens,
            .ignores_signs = c->style.emphasis == FUM_EMPHASIS_NONE,
        };
        result = c->style.plain ? read_plain(pipe, i, c, err)
                                : fum_prompt_chunk(&c->chunks[i], text->tokenizer, &source, err);
        if (!result) result = check_ids(text, &c->chunks[i], err);
        if (!result && c->chunks[i].count > most) most = c->chunks[i].count;
    }
    for (int i = 0; i < view->num_text && !result; i++)
        result = fum_prompt_chunks_extend(&c->chunks[i], view->text[i].tokenizer, most, err);
    return result;
}

// ---- rows ----

// The ranges of one copy, with the texts that they became.
struct copy {
    const struct fum_prompt_range *ranges;
    const int32_t *texts;
    size_t count, at; // at: the range of the last step
};

// The prompt or the negative prompt.
struct side {
    struct fum_prompt_ranges ranges;
    int32_t *texts;
};

static void free_side(struct side *side) {
    fum_prompt_ranges_free(&side->ranges);
    fum_free(side->texts);
}

// True if the model was trained on this very text, so that its brackets mean nothing else.
static bool is_known_prompt(const fum_model *model, const char *text) {
    const char *known;
    for (int i = 0; (known = fum_model_prompt(model, i)); i++)
        if (strcmp(known, text) == 0) return true;
    return false;
}

// Makes one range of a text that has no grammar.
static enum fum_result take_whole(struct fum_prompt_ranges *ranges, const char *text, int steps,
                                  struct fum_error *err) {
    *ranges = (struct fum_prompt_ranges){.parts = 1};
    if (!fum_grow((void **)&ranges->at, &ranges->capacity, 0, sizeof *ranges->at))
        return no_memory(err);
    ranges->at[0] =
        (struct fum_prompt_range){.weight = 1, .until = steps, .text = fum_strdup(text)};
    ranges->count = 1;
    return ranges->at[0].text ? FUM_OK : no_memory(err);
}

// What a side is read with.
struct reading {
    const fum_pipeline *pipe;
    const struct fum_run *run;
    bool negative;
};

// Returns how the texts of a side are encoded. A diffusers pipeline encodes the negative prompt
// without the user's clip skip.
static struct fum_text_style choose_style(const struct reading *r, const char *text) {
    const struct fum_generate_params *params = r->run->params;
    const struct fum_model_view *view = r->pipe->view;
    int own = fum_model_get_info(r->pipe->model)->clip_skip;
    bool skips = !r->negative || view->traits.skip_negative;
    const char *given = text ? text : "";
    return (struct fum_text_style){
        .skip = fum_model_skipped_layers(view, skips ? r->run->clip_skip : own),
        .plain = params->prompt_style == FUM_PROMPT_PLAIN || is_known_prompt(r->pipe->model, given),
        .zero = r->negative && !text && view->traits.zero_negative,
        .emphasis = params->emphasis,
    };
}

// Reads the ranges of one side, and adds their texts.
static enum fum_result read_side(struct fum_conditions *c, const struct reading *r,
                                 const char *text, struct side *side, struct fum_error *err) {
    const struct fum_text_style style = choose_style(r, text);
    // As A1111 counts them, the steps of a second pass are those of a whole run.
    int steps = r->run->hires ? r->run->params->steps : r->run->program->steps;
    const struct fum_prompt_source source = {.text = text ? text : "",
                                             .steps = FUM_MAX(steps, 1),
                                             .joins = !r->negative,
                                             .before = r->run->steps_before};
    enum fum_result result = style.plain ? take_whole(&side->ranges, source.text, source.steps, err)
                                         : fum_prompt_split(&side->ranges, &source, err);
    if (result) return result;
    side->texts = fum_alloc(side->ranges.count, sizeof *side->texts);
    if (!side->texts) return no_memory(err);
    for (size_t i = 0; i < side->ranges.count; i++)
        if ((side->texts[i] = add_text(c, side->ranges.at[i].text, &style)) < 0)
            return no_memory(err);
    if (side->ranges.count > (size_t)side->ranges.parts && r->run->program->adaptive)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "sampler %s chooses its own steps, so that prompts cannot change with "
                             "them",
                             r->run->program->sampler);
    return FUM_OK;
}

// Adds the copies of a side's parts. Returns their number.
static int list_copies(const struct side *side, struct copy *copies) {
    int count = 0;
    for (size_t i = 0; i < side->ranges.count; i++) {
        if (!i || side->ranges.at[i].part != side->ranges.at[i - 1].part)
            copies[count++] =
                (struct copy){.ranges = side->ranges.at + i, .texts = side->texts + i};
        copies[count - 1].count++;
    }
    return count;
}

// Returns the text of a copy at a step. Steps mostly grow from call to call.
static int32_t find_text(struct copy *copy, int step) {
    if (copy->at && copy->ranges[copy->at - 1].until >= step) copy->at = 0;
    while (copy->at + 1 < copy->count && copy->ranges[copy->at].until < step) copy->at++;
    return copy->texts[copy->at];
}

// Returns the index of a row, which is added if it is new. `room` counts the rows that fit.
static int32_t add_row(struct fum_conditions *c, const int32_t *row) {
    size_t bytes = (size_t)c->copies * sizeof *row;
    for (int i = c->num_rows - 1; i >= 0; i--)
        if (!memcmp(c->rows + i * c->copies, row, bytes)) return i;
    if (c->num_rows == FUM_MAX_CONTEXTS) return -1;
    memcpy(c->rows + c->num_rows * c->copies, row, bytes);
    return c->num_rows++;
}

// Finds the row of each evaluation.
static enum fum_result make_rows(struct fum_conditions *c, const struct fum_sample_program *program,
                                 struct copy *copies, struct fum_error *err) {
    int32_t row[FUM_MAX_COPIES];
    c->rows = fum_alloc((size_t)FUM_MAX_CONTEXTS * (size_t)c->copies, sizeof *c->rows);
    c->row_of_eval = fum_calloc((size_t)program->evals, sizeof *c->row_of_eval);
    if (!c->rows || !c->row_of_eval) return no_memory(err);
    for (int e = 0; e < program->evals; e++) {
        for (int i = 0; i < c->copies; i++)
            row[i] = find_text(&copies[i], program->eval[e].step + 1);
        c->row_of_eval[e] = add_row(c, row);
        if (c->row_of_eval[e] < 0)
            return fum_error_set(err, FUM_ERR_ARG,
                                 "the prompts change more than %d times; use fewer steps",
                                 FUM_MAX_CONTEXTS);
    }
    return FUM_OK;
}

static int common_divisor(int a, int b) {
    return b ? common_divisor(b, a % b) : a;
}

// Finds the least number of chunks that is a multiple of each text's.
static enum fum_result count_chunks(struct fum_conditions *c, struct fum_error *err) {
    c->chunks = 1;
    for (size_t i = 0; i < c->num_texts; i++) {
        size_t count = c->texts[i].chunks[0].count;
        if (count > FUM_MAX_CHUNKS)
            return fum_error_set(err, FUM_ERR_ARG,
                                 "the prompt has %zu chunks of %d tokens; at most %d", count,
                                 c->texts[i].chunks[0].length - 2, FUM_MAX_CHUNKS);
        c->chunks *= (int)count / common_divisor(c->chunks, (int)count);
        if (c->chunks > FUM_MAX_CHUNKS)
            return fum_error_set(err, FUM_ERR_ARG,
                                 "%zu chunks do not go with those of the other texts: all are "
                                 "repeated to a common number, at most %d; add or remove a BREAK",
                                 count, FUM_MAX_CHUNKS);
    }
    return FUM_OK;
}

// Makes the copies of a step from the sides.
static enum fum_result join_sides(struct fum_run *run, const struct side *negative,
                                  const struct side *prompt, struct fum_error *err) {
    struct fum_conditions *c = &run->conditions;
    struct copy copies[FUM_MAX_COPIES];
    int count = list_copies(negative, copies), leads = FUM_MAX(run->copies - run->prompted, count);
    if (prompt->ranges.parts > 1 && fum_tasks_merge(&run->tasks) &&
        (run->copies > 2 || run->prompted > 1))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "AND cannot join prompts where a picture or a perturbed model guides, "
                             "too");
    // A task may have further copies before that of the prompt.
    for (; count < leads; count++) copies[count] = copies[0];
    c->parts = list_copies(prompt, copies + count);
    for (int i = 0; i < c->parts; i++) c->weights[i] = (float)copies[count + i].ranges->weight;
    run->copies = c->copies = count + c->parts + run->prompted - 1;
    for (int i = count + c->parts; i < c->copies; i++) copies[i] = copies[i - 1];
    if (c->parts > 1 && run->program->corrects)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "sampler %s corrects without guidance, which AND needs",
                             run->program->sampler);
    return make_rows(c, run->program, copies, err);
}

enum fum_result fum_conditions_make(fum_pipeline *pipe, struct fum_run *run,
                                    struct fum_error *err) {
    struct fum_conditions *c = &run->conditions;
    struct side prompt = {0}, negative = {0};
    *c = (struct fum_conditions){0};
    if (!run->params->prompt) return FUM_OK;
    enum fum_result result =
        read_side(c, &(struct reading){pipe, run, false}, run->tags.prompt, &prompt, err);
    // Weighted parts are added to the negative prompt's prediction, whatever the guidance is.
    if (!result && (run->copies > run->prompted || prompt.ranges.parts > 1))
        result =
            read_side(c, &(struct reading){pipe, run, true}, run->params->negative, &negative, err);
    if (!result) result = join_sides(run, &negative, &prompt, err);
    for (size_t i = 0; i < c->num_texts && !result; i++)
        result = read_chunks(pipe, &c->texts[i], err);
    if (!result) result = count_chunks(c, err);
    free_side(&prompt);
    free_side(&negative);
    return result;
}

void fum_conditions_free(struct fum_conditions *c) {
    for (size_t i = 0; i < c->num_texts; i++) {
        fum_free(c->texts[i].text);
        for (int k = 0; k < FUM_MODEL_MAX_TEXT; k++) fum_prompt_chunks_free(&c->texts[i].chunks[k]);
    }
    fum_free(c->texts);
    fum_free(c->rows);
    fum_free(c->row_of_eval);
    *c = (struct fum_conditions){0};
}
