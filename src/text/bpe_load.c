// SPDX-License-Identifier: MIT
// Loads vocabularies from the texts that carry them.
#include "text/bpe.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "text/unicode.h"

#include <string.h>

enum { CLIP_MERGES = 49152 - 256 - 2 };

struct line_reader {
    const char *at, *end;
};

// Reads one line without its end (\n or \r\n). Returns false after the last line.
static bool next_line(struct line_reader *reader, struct fum_bpe_text *line) {
    if (reader->at == reader->end) return false;
    const char *stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    *line = (struct fum_bpe_text){reader->at, (size_t)((stop ? stop : reader->end) - reader->at)};
    reader->at = stop ? stop + 1 : reader->end;
    if (line->bytes && line->at[line->bytes - 1] == '\r') line->bytes--;
    return true;
}

static bool is_version(struct fum_bpe_text line) {
    return line.bytes >= 8 && !memcmp(line.at, "#version", 8);
}

static struct fum_bpe_text whole_text(const char *text) {
    return (struct fum_bpe_text){text, strlen(text)};
}

// Adds one merge, "left right".
static enum fum_result add_pair(struct fum_bpe *bpe, struct fum_bpe_text line, int32_t rank,
                                const char *where, struct fum_error *err) {
    const char *space = memchr(line.at, ' ', line.bytes);
    size_t left = space ? (size_t)(space - line.at) : 0;
    if (!space || memchr(space + 1, ' ', line.bytes - left - 1))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: merge %d is '%s', not two pieces with a space between them",
                             where, rank + 1, fum_text_show_bytes(line.at, line.bytes).text);
    struct fum_bpe_pair pair = {{line.at, left}, {space + 1, line.bytes - left - 1}, rank};
    return fum_bpe_add_merge(bpe, &pair, where, err);
}

static size_t count_lines(struct fum_bpe_text text) {
    size_t lines = 1;
    for (size_t i = 0; i < text.bytes; i++) lines += text.at[i] == '\n';
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
        result = fum_bpe_add_piece(bpe, whole_text(item->string), item->valuedouble, where, err);
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

enum fum_result fum_bpe_parse(struct fum_bpe **bpe, const struct fum_bpe_source *vocab,
                              const struct fum_bpe_source *merges, struct fum_error *err) {
    struct fum_bpe_text pairs = merges->text, line;
    cJSON *json = NULL;
    *bpe = NULL;
    enum fum_result result =
        fum_json_parse(&json, vocab->text.at, vocab->text.bytes, vocab->where, err);
    if (!result) result = check_vocabulary(json, vocab->where, err);
    if (!result)
        result = fum_bpe_begin(bpe, (size_t)cJSON_GetArraySize(json), count_lines(pairs), err);
    if (!result) result = add_vocabulary(*bpe, json, vocab->where, err);
    cJSON_Delete(json);

    struct line_reader reader = {pairs.at + fum_utf8_mark(pairs.at, pairs.bytes),
                                 pairs.at + pairs.bytes};
    for (int32_t rank = 0; !result && next_line(&reader, &line);) {
        if (!line.bytes || is_version(line)) continue;
        result = add_pair(*bpe, line, rank++, merges->where, err);
    }
    if (result) fum_bpe_destroy(bpe);
    return result;
}

// Adds one entry of a tokenizer.json's merges: "left right" or ["left", "right"].
static enum fum_result add_json_merge(struct fum_bpe *bpe, const cJSON *item, int32_t rank,
                                      const char *where, struct fum_error *err) {
    const cJSON *left = item->child, *right = left ? left->next : NULL;
    if (cJSON_IsString(item)) return add_pair(bpe, whole_text(item->valuestring), rank, where, err);
    if (cJSON_IsArray(item) && cJSON_IsString(left) && cJSON_IsString(right) && !right->next) {
        struct fum_bpe_pair pair = {whole_text(left->valuestring), whole_text(right->valuestring),
                                    rank};
        return fum_bpe_add_merge(bpe, &pair, where, err);
    }
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: merge %d is not a pair of pieces", where,
                         rank + 1);
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
    for (const cJSON *item = merges ? merges->child : NULL; !result && item; item = item->next)
        result = add_json_merge(*bpe, item, rank++, where, err);
    if (result) fum_bpe_destroy(bpe);
    return result;
}

// Adds the 512 single-byte pieces, in the order of the vocabulary that OpenAI published: printable
// bytes first.
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
            if (ends_word) bytes = strlen(piece);
            result = fum_bpe_add_piece(bpe, (struct fum_bpe_text){piece, bytes}, id++, where, err);
        }
    }
    return result;
}

// Adds the piece that a merge makes, its two halves written together.
static enum fum_result add_clip_piece(struct fum_bpe *bpe, struct fum_bpe_text line, int32_t id,
                                      const char *where, struct fum_error *err) {
    char piece[256];
    size_t length = 0;
    if (line.bytes > sizeof(piece))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: a line of %zu bytes; this is not CLIP's list of merges", where,
                             line.bytes);
    for (size_t i = 0; i < line.bytes; i++)
        if (line.at[i] != ' ') piece[length++] = line.at[i];
    return fum_bpe_add_piece(bpe, (struct fum_bpe_text){piece, length}, id, where, err);
}

// Adds all pieces of CLIP's text, from whose second line `reader` starts.
static enum fum_result add_clip_pieces(struct fum_bpe *bpe, struct line_reader reader,
                                       const char *where, struct fum_error *err) {
    static const char *const specials[2] = {"<|startoftext|>", "<|endoftext|>"};
    struct fum_bpe_text line;
    enum fum_result result = FUM_OK;
    for (int32_t i = 0; i < CLIP_MERGES && !result; i++) {
        if (!next_line(&reader, &line))
            result = fum_error_set(
                err, FUM_ERR_FORMAT,
                "%s: ends after %d of %d merges; fetch it again with fumarole-clip-vocab", where, i,
                CLIP_MERGES);
        else
            result = add_clip_piece(bpe, line, 512 + i, where, err);
    }
    for (int i = 0; i < 2 && !result; i++)
        result = fum_bpe_add_piece(bpe, whole_text(specials[i]), 512 + CLIP_MERGES + i, where, err);
    return result;
}

enum fum_result fum_bpe_parse_clip(struct fum_bpe **bpe, const struct fum_bpe_source *source,
                                   struct fum_error *err) {
    struct line_reader reader = {source->text.at, source->text.at + source->text.bytes};
    const char *where = source->where;
    struct fum_bpe_text line;
    *bpe = NULL;
    enum fum_result result = fum_bpe_begin(bpe, 512 + CLIP_MERGES + 2, CLIP_MERGES, err);
    if (!result) result = add_clip_bytes(*bpe, where, err);
    if (!result && !next_line(&reader, &line)) // the first line is a title
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: empty", where);
    if (!result) result = add_clip_pieces(*bpe, reader, where, err);
    if (!result) fum_bpe_index_bytes(*bpe);
    for (int32_t i = 0; i < CLIP_MERGES && !result && next_line(&reader, &line); i++)
        result = add_pair(*bpe, line, i, where, err);
    if (result) fum_bpe_destroy(bpe);
    return result;
}
