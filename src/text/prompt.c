// SPDX-License-Identifier: MIT
// Reads a whole prompt to ids and weights.
#include "text/prompt.h"

#include "base/alloc.h"
#include "base/error.h"
#include "text/prompt_tags.h"

static enum fum_result read_row(struct fum_prompt_row *row, const fum_tokenizer *tokenizer,
                                const struct fum_prompt_range *range, bool ignores_weights,
                                struct fum_error *err) {
    struct fum_prompt_chunks chunks = {0};
    const struct fum_prompt_text text = {.text = range->text, .ignores_signs = ignores_weights};
    enum fum_result result = fum_prompt_chunk(&chunks, tokenizer, &text, err);
    *row = (struct fum_prompt_row){.part = range->part,
                                   .weight = range->weight,
                                   .until = range->until,
                                   .chunks = (int)chunks.count,
                                   .length = chunks.length,
                                   .ids = chunks.ids,
                                   .weights = chunks.weights};
    return result;
}

enum fum_result fum_tokenizer_read_prompt(const fum_tokenizer *tokenizer,
                                          const struct fum_prompt *prompt,
                                          struct fum_prompt_rows *rows, struct fum_error *err) {
    struct fum_prompt_ranges ranges = {0};
    struct fum_prompt_tags tags;
    *rows = (struct fum_prompt_rows){0};
    enum fum_result result = fum_prompt_tags_take(&tags, prompt->text, err);
    const struct fum_prompt_source source = {
        .text = tags.prompt, .steps = prompt->steps, .joins = true};
    if (!result) result = fum_prompt_split(&ranges, &source, err);
    if (!result && !(rows->rows = fum_calloc(ranges.count, sizeof *rows->rows)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a prompt");
    for (; rows->count < ranges.count && !result; rows->count++)
        result = read_row(&rows->rows[rows->count], tokenizer, &ranges.at[rows->count],
                          prompt->ignores_weights, err);
    fum_prompt_ranges_free(&ranges);
    fum_prompt_tags_free(&tags);
    if (result) fum_prompt_rows_free(rows);
    return result;
}

void fum_prompt_rows_free(struct fum_prompt_rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        fum_free(rows->rows[i].ids);
        fum_free(rows->rows[i].weights);
    }
    fum_free(rows->rows);
    *rows = (struct fum_prompt_rows){0};
}
