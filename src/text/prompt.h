// SPDX-License-Identifier: MIT
// Reads prompts by the grammar of A1111's web UI. AND splits a prompt, schedules and alternation
// give it a text for each step, emphasis weighs pieces of a text, and chunks hold its tokens.
#ifndef FUM_TEXT_PROMPT_H
#define FUM_TEXT_PROMPT_H

#include <fumarole/tokenizer.h>

enum {
    FUM_PROMPT_MAX_PARTS = 32,  // joined by AND
    FUM_PROMPT_MAX_DEPTH = 128, // of brackets; deeper ones are text
    FUM_PROMPT_MAX_STEPS = 200000,
};

struct fum_prompt_source {
    const char *text;
    int steps;  // of the sampler, 1 to FUM_PROMPT_MAX_STEPS
    bool joins; // AND splits the prompt
    // Steps of a first pass, which a second one counts on from; shares then begin at 1. 0: this is
    // the only pass, or the first one.
    int before;
};

// What a part of a prompt is during a range of steps.
struct fum_prompt_range {
    int part;      // from 0
    double weight; // of the part
    int until;     // last step of the range; steps count from 1
    char *text;
};
// The ranges of the first part in order, then those of the next.
struct fum_prompt_ranges {
    struct fum_prompt_range *at;
    size_t count, capacity;
    int parts;
};

// Splits a prompt at AND and each part into ranges of steps. Free the result with
// fum_prompt_ranges_free, also after a failure. Errors: FUM_ERR_ARG (too many parts or texts),
// FUM_ERR_NOMEM.
enum fum_result fum_prompt_split(struct fum_prompt_ranges *ranges,
                                 const struct fum_prompt_source *source, struct fum_error *err);
void fum_prompt_ranges_free(struct fum_prompt_ranges *ranges);
// Adds the ranges of one part, whose members `part` and `weight` are copied.
enum fum_result fum_prompt_schedule(struct fum_prompt_ranges *ranges,
                                    const struct fum_prompt_source *source,
                                    const struct fum_prompt_range *part, struct fum_error *err);

// A piece of a text, or a break between chunks.
struct fum_prompt_piece {
    size_t start, bytes; // in the pieces' text
    double weight;
    bool breaks;
};
struct fum_prompt_pieces {
    char *text; // without the signs
    size_t bytes;
    struct fum_prompt_piece *at;
    size_t count, capacity;
};

// Reads emphasis and BREAK. Neighbours of equal weight are joined. Free the result with
// fum_prompt_pieces_free, also after a failure. Errors: FUM_ERR_NOMEM.
enum fum_result fum_prompt_weigh(struct fum_prompt_pieces *pieces, const char *text,
                                 struct fum_error *err);
void fum_prompt_pieces_free(struct fum_prompt_pieces *pieces);

enum { FUM_PROMPT_LEAST = 3 }; // ids of a chunk: the start, a word and the end

// The ids of a text, chunk by chunk, each with start, end and padding.
struct fum_prompt_chunks {
    int length; // ids of a chunk
    size_t count;
    int32_t *ids;    // [count, length]
    double *weights; // [count, length]
    bool weighted;   // some weight is not 1
};
struct fum_prompt_text {
    const char *text;
    // ids of a chunk, FUM_PROMPT_LEAST or more; 0: the tokenizer's max_length, at most 77
    int length;
    bool ignores_signs; // emphasis and BREAK are text
};
// Divides a text into chunks. There is at least one. Free the result with fum_prompt_chunks_free.
// Errors: FUM_ERR_ARG (too long), FUM_ERR_NOMEM.
enum fum_result fum_prompt_chunk(struct fum_prompt_chunks *chunks, const fum_tokenizer *tokenizer,
                                 const struct fum_prompt_text *text, struct fum_error *err);
void fum_prompt_chunks_free(struct fum_prompt_chunks *chunks);
// Adds chunks without words up to `count`.
enum fum_result fum_prompt_chunks_extend(struct fum_prompt_chunks *chunks,
                                         const fum_tokenizer *tokenizer, size_t count,
                                         struct fum_error *err);

// ---- words of the grammar ----

// Returns the length of the white space character at text[at], or 0. The text ends at `end`.
size_t fum_prompt_space(const char *text, size_t at, size_t end);
// Returns `end` without the white space before it, down to `begin`.
size_t fum_prompt_trim(const char *text, size_t begin, size_t end);
// Returns the first byte of text[at…end) that is no white space.
size_t fum_prompt_skip(const char *text, size_t at, size_t end);
// Returns where `word` stands alone in text[at…end), or `end`. Text before `at` counts as a part of
// another word from `begin` on.
struct fum_prompt_stretch {
    size_t begin, at, end;
};
size_t fum_prompt_find_word(const char *text, const struct fum_prompt_stretch *stretch,
                            const char *word);

#endif
