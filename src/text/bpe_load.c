// SPDX-License-Identifier: MIT
// Vocabularies from the texts that carry them.
#include "text/bpe.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "text/unicode.h"

#include <string.h>

enum { CLIP_MERGES = 49152 - 256 - 2 };

// One line of a text without its end (\n or \r\n); false after the last.
struct line_reader {
    const char *at, *end;
};

static bool next_line(struct line_reader *reader, const char **line, size_t *bytes) {
    if (reader->at == reader->end) return false;
    const char *stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    *line = reader->at;
    *bytes = (size_t)((stop ? stop : reader->end) - reader->at);
    reader->at = stop ? stop + 1 : reader->end;
    if (*bytes && (*line)[*bytes - 1] == '\r') --*bytes;
    return true;
}

static bool is_version(const char *line, size_t bytes) {
    return bytes >= 8 && !memcmp(line, "#version", 8);
}

// One merge, "left right".
static enum fum_result add_pair(struct fum_bpe *bpe, const char *line, size_t bytes, int32_t rank,
                                const char *where, struct fum_error *err) {
    const char *space = memchr(line, ' ', bytes);
    if (!space || memchr(space + 1, ' ', bytes - (size_t)(space + 1 - line)))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: merge %d is '%s', not two pieces with a space between them",
                             where, rank + 1, fum_text_show_bytes(line, bytes).text);
    size_t left = (size_t)(space - line);
    return fum_bpe_add_merge(bpe, line, left, space + 1, bytes - left - 1, rank, where, err);
}

static size_t count_lines(const char *text, size_t bytes) {
    size_t lines = 1;
    for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    return lines;
}

static enum fum_result add_vocabulary(struct fum_bpe *bpe, const cJSON *vocab, const char *where,
                                      struct fum_error *err) {
    enum fum_result result = FUM_OK;
    const cJSON *item;
    cJSON_ArrayForEach(item, vocab) {
        if (!cJSON_IsNumber(item))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: the id of piece '%s' is not a number",
                                 where, fum_text_show(item->string).text);
        result = fum_bpe_add_piece(bpe, item->string, strlen(item->string), item->valuedouble,
                                   where, err);
        if (result) return result;
    }
    fum_bpe_index_bytes(bpe);
    return FUM_OK;
}

static enum fum_result check_vocabulary(const cJSON *vocab, const char *where,
                                        struct fum_error *err) {
    if (cJSON_IsObject(vocab) && vocab->child) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: a vocabulary is one JSON object {\"piece\": id, …}", where);
}

enum fum_result fum_bpe_parse(struct fum_bpe **bpe, const char *vocab, size_t vocab_bytes,
                              const char *vocab_where, const char *merges, size_t merges_bytes,
                              const char *merges_where, struct fum_error *err) {
    cJSON *json = NULL;
    *bpe = NULL;
    enum fum_result result = fum_json_parse(&json, vocab, vocab_bytes, vocab_where, err);
    if (!result) result = check_vocabulary(json, vocab_where, err);
    if (!result)
        result = fum_bpe_begin(bpe, (size_t)cJSON_GetArraySize(json),
                               count_lines(merges, merges_bytes), err);
    if (!result) result = add_vocabulary(*bpe, json, vocab_where, err);
    cJSON_Delete(json);

    struct line_reader reader = {merges + fum_utf8_mark(merges, merges_bytes),
                                 merges + merges_bytes};
    const char *line;
    size_t bytes;
    for (int32_t rank = 0; !result && next_line(&reader, &line, &bytes);) {
        if (!bytes || is_version(line, bytes)) continue;
        result = add_pair(*bpe, line, bytes, rank++, merges_where, err);
    }
    if (result) fum_bpe_destroy(bpe);
    return result;
}

enum fum_result fum_bpe_from_json(struct fum_bpe **bpe, const cJSON *vocab, const cJSON *merges,
                                  const char *where, struct fum_error *err) {
    *bpe = NULL;
    enum fum_result result = check_vocabulary(vocab, where, err);
    if (!result && !cJSON_IsArray(merges))
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: model.merges is not a list", where);
    if (!result)
        result = fum_bpe_begin(bpe, (size_t)cJSON_GetArraySize(vocab),
                               (size_t)cJSON_GetArraySize(merges), err);
    if (!result) result = add_vocabulary(*bpe, vocab, where, err);

    int32_t rank = 0;
    const cJSON *item = merges ? merges->child : NULL;
    for (; !result && item; item = item->next, rank++) {
        const cJSON *left = item->child, *right = left ? left->next : NULL;
        if (cJSON_IsString(item))
            result = add_pair(*bpe, item->valuestring, strlen(item->valuestring), rank, where, err);
        else if (cJSON_IsArray(item) && cJSON_IsString(left) && cJSON_IsString(right) &&
                 !right->next)
            result =
                fum_bpe_add_merge(*bpe, left->valuestring, strlen(left->valuestring),
                                  right->valuestring, strlen(right->valuestring), rank, where, err);
        else
            result = fum_error_set(err, FUM_ERR_FORMAT, "%s: merge %d is not a pair of pieces",
                                   where, rank + 1);
    }
    if (result) fum_bpe_destroy(bpe);
    return result;
}

// The 512 single-byte pieces, in the order of the vocabulary that OpenAI published: printable bytes
// first.
static enum fum_result add_clip_bytes(struct fum_bpe *bpe, const char *where,
                                      struct fum_error *err) {
    enum fum_result result = FUM_OK;
    int32_t id = 0;
    for (int pass = 0; pass < 4 && !result; pass++) {
        for (int byte = 0; byte < 256 && !result; byte++) {
            uint32_t code = fum_bpe_byte_to_char((uint8_t)byte);
            bool is_printable = code < 256, ends_word = pass >= 2;
            if (is_printable != (pass % 2 == 0)) continue;
            char piece[8 + sizeof(FUM_BPE_WORD_END)];
            size_t bytes = fum_utf8_put(piece, code);
            memcpy(piece + bytes, FUM_BPE_WORD_END, sizeof(FUM_BPE_WORD_END));
            result =
                fum_bpe_add_piece(bpe, piece, ends_word ? strlen(piece) : bytes, id++, where, err);
        }
    }
    return result;
}

// The piece that a merge makes is its two halves written together.
static enum fum_result add_clip_piece(struct fum_bpe *bpe, const char *line, size_t bytes,
                                      int32_t id, const char *where, struct fum_error *err) {
    char piece[256];
    size_t length = 0;
    if (bytes > sizeof(piece))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: a line of %zu bytes; this is not CLIP's list of merges", where,
                             bytes);
    for (size_t i = 0; i < bytes; i++)
        if (line[i] != ' ') piece[length++] = line[i];
    return fum_bpe_add_piece(bpe, piece, length, id, where, err);
}

enum fum_result fum_bpe_parse_clip(struct fum_bpe **bpe, const char *text, size_t bytes,
                                   const char *where, struct fum_error *err) {
    static const char *const specials[2] = {"<|startoftext|>", "<|endoftext|>"};
    struct line_reader reader = {text, text + bytes};
    const char *line;
    size_t length;
    *bpe = NULL;
    enum fum_result result = fum_bpe_begin(bpe, 512 + CLIP_MERGES + 2, CLIP_MERGES, err);
    if (!result) result = add_clip_bytes(*bpe, where, err);
    if (!result && !next_line(&reader, &line, &length)) // the first line is a title
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: empty", where);
    struct line_reader first = reader;
    for (int32_t i = 0; i < CLIP_MERGES && !result; i++) {
        if (!next_line(&reader, &line, &length))
            result = fum_error_set(
                err, FUM_ERR_FORMAT,
                "%s: ends after %d of %d merges; fetch it again with fumarole-clip-vocab", where, i,
                CLIP_MERGES);
        else
            result = add_clip_piece(*bpe, line, length, 512 + i, where, err);
    }
    for (int i = 0; i < 2 && !result; i++)
        result = fum_bpe_add_piece(*bpe, specials[i], strlen(specials[i]), 512 + CLIP_MERGES + i,
                                   where, err);
    if (!result) fum_bpe_index_bytes(*bpe);
    for (int32_t i = 0; i < CLIP_MERGES && !result && next_line(&first, &line, &length); i++)
        result = add_pair(*bpe, line, length, i, where, err);
    if (result) fum_bpe_destroy(bpe);
    return result;
}
