// SPDX-License-Identifier: MIT
// Divides the tokens of a prompt into chunks as A1111 does. A chunk that is full is cut at its last
// comma, if that is near, and BREAK closes one. The vectors of an embedding stay in one chunk.
#include "text/prompt.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "text/tokenizer.h"

#include <string.h>

enum {
    COMMA_TOKENS = 20, // how far back a comma may be
    CLIP_LENGTH = 77,  // some tokenizers have none, or more than an encoder reads
};

struct chunker {
    const fum_tokenizer *tokenizer;
    struct fum_prompt_chunks *chunks;
    size_t capacity; // of the chunks
    int32_t comma;   // its id; -1: none
    int room;        // tokens of a chunk
    int count;       // tokens of the open chunk
    int last_comma;  // its place in the open chunk; -1: none
    int32_t *ids;    // [room] of the open chunk
    double *weights;
};

// Makes room for `count` chunks.
static bool reserve_chunks(struct fum_prompt_chunks *chunks, size_t count) {
    size_t ids = count * (size_t)chunks->length;
    int32_t *more = fum_realloc(chunks->ids, ids, sizeof *more);
    if (!more) return false;
    chunks->ids = more;
    double *weights = fum_realloc(chunks->weights, ids, sizeof *weights);
    if (weights) chunks->weights = weights;
    return weights != NULL;
}

// Writes start, tokens and end. A pad id of its own stands for everything after the first end.
static void write_chunk(const fum_tokenizer *t, const struct chunker *c, int32_t *ids,
                        double *weights) {
    int length = c->room + 2;
    bool ended = false;
    for (int i = 0; i < length; i++) {
        bool inside = i > 0 && i <= c->count;
        int32_t id = inside ? c->ids[i - 1] : t->end;
        ids[i] = ended ? t->pad : id;
        ended |= i > 0 && id == t->end && t->pad != t->end;
        weights[i] = inside ? c->weights[i - 1] : 1;
    }
    ids[0] = t->start;
}

static bool close_chunk(struct chunker *c) {
    struct fum_prompt_chunks *chunks = c->chunks;
    size_t at = chunks->count * (size_t)chunks->length;
    if (chunks->count == c->capacity) {
        c->capacity = 2 * c->capacity + 1;
        if (!reserve_chunks(chunks, c->capacity)) return false;
    }
    write_chunk(c->tokenizer, c, chunks->ids + at, chunks->weights + at);
    chunks->count++;
    c->count = 0;
    c->last_comma = -1;
    return true;
}

// Closes the chunk after its last comma, and opens the next with what follows that.
static bool close_at_comma(struct chunker *c) {
    int kept = c->last_comma + 1, moved = c->count - kept;
    c->count = kept;
    if (!close_chunk(c)) return false;
    memmove(c->ids, c->ids + kept, (size_t)moved * sizeof *c->ids);
    memmove(c->weights, c->weights + kept, (size_t)moved * sizeof *c->weights);
    c->count = moved;
    return true;
}

// Adds ids that belong together.
static bool add_group(struct chunker *c, const int32_t *ids, int count, double weight) {
    if (ids[0] == c->comma)
        c->last_comma = c->count;
    else if (c->count == c->room && c->last_comma >= 0 &&
             c->count - c->last_comma <= COMMA_TOKENS && !close_at_comma(c))
        return false;
    if (c->count + count > c->room && !close_chunk(c)) return false;
    c->chunks->weighted |= weight != 1;
    for (int i = 0; i < count; i++) {
        c->ids[c->count] = ids[i];
        c->weights[c->count++] = weight;
    }
    return true;
}

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the chunks of a prompt");
}

static enum fum_result add_text(struct chunker *c, const char *text, size_t bytes, double weight,
                                struct fum_error *err) {
    struct fum_token_ids ids = {0};
    enum fum_result result = fum_tokenizer_encode_words(c->tokenizer, text, bytes, &ids, err);
    for (size_t at = 0; at < ids.count && !result;) {
        size_t count = fum_tokenizer_group(c->tokenizer, ids.ids + at, ids.count - at);
        if (count > (size_t)c->room) count = 1;
        if (!add_group(c, ids.ids + at, (int)count, weight)) result = no_memory(err);
        at += count;
    }
    fum_token_ids_free(&ids);
    return result;
}

static enum fum_result add_pieces(struct chunker *c, const char *text, struct fum_error *err) {
    struct fum_prompt_pieces pieces = {0};
    enum fum_result result = fum_prompt_weigh(&pieces, text, err);
    for (size_t i = 0; i < pieces.count && !result; i++) {
        const struct fum_prompt_piece *p = &pieces.at[i];
        if (!p->breaks)
            result = add_text(c, pieces.text + p->start, p->bytes, p->weight, err);
        else if (!close_chunk(c))
            result = no_memory(err);
    }
    fum_prompt_pieces_free(&pieces);
    return result;
}

enum fum_result fum_prompt_chunk(struct fum_prompt_chunks *chunks, const fum_tokenizer *tokenizer,
                                 const struct fum_prompt_text *text, struct fum_error *err) {
    int own = tokenizer->max_length ? FUM_MIN(tokenizer->max_length, CLIP_LENGTH) : CLIP_LENGTH;
    *chunks = (struct fum_prompt_chunks){.length = text->length ? text->length : own};
    if (chunks->length < FUM_PROMPT_LEAST)
        return fum_error_set(err, FUM_ERR_ARG, "a chunk of %d ids has no room for a word",
                             chunks->length);
    struct chunker c = {.tokenizer = tokenizer,
                        .chunks = chunks,
                        .comma = fum_tokenizer_find(tokenizer, ",</w>"),
                        .room = chunks->length - 2,
                        .last_comma = -1};
    c.ids = fum_alloc((size_t)c.room, sizeof *c.ids);
    c.weights = fum_alloc((size_t)c.room, sizeof *c.weights);
    enum fum_result result = c.ids && c.weights ? FUM_OK : no_memory(err);
    if (!result && text->ignores_signs)
        result = add_text(&c, text->text, strlen(text->text), 1, err);
    else if (!result)
        result = add_pieces(&c, text->text, err);
    if (!result && (c.count || !chunks->count) && !close_chunk(&c)) result = no_memory(err);
    fum_free(c.ids);
    fum_free(c.weights);
    if (result) fum_prompt_chunks_free(chunks);
    return result;
}

enum fum_result fum_prompt_chunks_extend(struct fum_prompt_chunks *chunks,
                                         const fum_tokenizer *tokenizer, size_t count,
                                         struct fum_error *err) {
    const struct chunker empty = {.room = chunks->length - 2};
    if (chunks->count >= count) return FUM_OK;
    if (!reserve_chunks(chunks, count)) return no_memory(err);
    for (; chunks->count < count; chunks->count++) {
        size_t at = chunks->count * (size_t)chunks->length;
        write_chunk(tokenizer, &empty, chunks->ids + at, chunks->weights + at);
    }
    return FUM_OK;
}

void fum_prompt_chunks_free(struct fum_prompt_chunks *chunks) {
    fum_free(chunks->ids);
    fum_free(chunks->weights);
    *chunks = (struct fum_prompt_chunks){.length = chunks->length};
}
