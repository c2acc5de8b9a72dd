// SPDX-License-Identifier: MIT
// Splits a prompt at AND, and finds the weight at the end of each part.
#include "text/prompt.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"

#include <string.h>

static const char joint[] = "AND";

// Returns where a number without an exponent begins that ends at `end`, or `end`.
static size_t find_number(const char *text, size_t begin, size_t end) {
    size_t at = end, digits = 0, points = 0;
    for (; at > begin && strchr("0123456789.", text[at - 1]); at--) {
        digits += text[at - 1] != '.';
        points += text[at - 1] == '.';
    }
    if (!digits || points > 1) return end;
    return at > begin && strchr("+-", text[at - 1]) ? at - 1 : at;
}

// Takes ":1.5" off the end of text[begin…end) and sets the weight.
static size_t take_weight(const char *text, size_t begin, size_t end, double *weight) {
    size_t last = fum_prompt_trim(text, begin, end), number = find_number(text, begin, last);
    size_t colon = fum_prompt_trim(text, begin, number);
    char digits[64];
    if (number == last || colon == begin || text[colon - 1] != ':') return last;
    if (last - number >= sizeof digits) return last;
    memcpy(digits, text + number, last - number);
    digits[last - number] = 0;
    // A number may start with "+" here.
    if (!fum_number_parse(digits + (*digits == '+'), weight)) return last;
    return fum_prompt_trim(text, begin, colon - 1);
}

// Takes the weight off a part, text[begin…end), and adds its ranges.
static enum fum_result add_part(struct fum_prompt_ranges *ranges,
                                const struct fum_prompt_source *source, size_t begin, size_t end,
                                struct fum_error *err) {
    struct fum_prompt_source one = *source;
    struct fum_prompt_range part = {.part = ranges->parts++, .weight = 1};
    if (ranges->parts > FUM_PROMPT_MAX_PARTS)
        return fum_error_set(err, FUM_ERR_ARG, "AND joins more than %d parts of the prompt",
                             FUM_PROMPT_MAX_PARTS);
    bool alone = !begin && !source->text[end];
    if (!alone) end = take_weight(source->text, begin, end, &part.weight);
    char *text = fum_alloc(end - begin + 1, 1);
    if (!text) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a prompt");
    memcpy(text, source->text + begin, end - begin);
    text[end - begin] = 0;
    one.text = text;
    enum fum_result result = fum_prompt_schedule(ranges, &one, &part, err);
    fum_free(text);
    return result;
}

enum fum_result fum_prompt_split(struct fum_prompt_ranges *ranges,
                                 const struct fum_prompt_source *source, struct fum_error *err) {
    const char *text = source->text;
    size_t length = strlen(text);
    *ranges = (struct fum_prompt_ranges){0};
    if (source->steps < 1 || source->steps > FUM_PROMPT_MAX_STEPS ||
        length > FUM_TOKENIZER_MAX_BYTES)
        return fum_error_set(err, FUM_ERR_ARG,
                             "a prompt needs 1 to %d steps and at most %d bytes, not %d and %zu",
                             FUM_PROMPT_MAX_STEPS, FUM_TOKENIZER_MAX_BYTES, source->steps, length);
    for (size_t begin = 0, end; begin <= length; begin = end + strlen(joint)) {
        const struct fum_prompt_stretch rest = {0, begin, length};
        end = source->joins ? fum_prompt_find_word(text, &rest, joint) : length;
        enum fum_result result = add_part(ranges, source, begin, end, err);
        if (result) return result;
    }
    return FUM_OK;
}

void fum_prompt_ranges_free(struct fum_prompt_ranges *ranges) {
    for (size_t i = 0; i < ranges->count; i++) fum_free(ranges->at[i].text);
    fum_free(ranges->at);
    *ranges = (struct fum_prompt_ranges){0};
}
