// SPDX-License-Identifier: MIT
// Encodes as the CLIP tokenizer of transformers 5 does, in four steps:
// - special tokens are taken out of the raw text;
// - the text between them is normalised (NFC, white space, lower case);
// - special tokens marked "normalized" are taken out of the normalised text;
// - the text between them is split into words, and each word into pieces.
//
// Easy to get wrong: "normalized" decides whether <|ENDOFTEXT|> counts. Numbers are split into
// single digits. A contraction is cut off only where a word can start.
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/require.h"

#include <stdio.h>
#include <string.h>

// The working memory of encoding one text.
struct encoder {
    const fum_tokenizer *tokenizer;
    struct fum_code_points raw, normal;
    struct fum_bpe_scratch scratch;
    uint8_t *word;
    size_t word_capacity;
    struct fum_id_list ids;
    const char *refusal; // of a word in the text; NULL: none
};

static void encoder_free(struct encoder *encoder) {
    fum_free(encoder->raw.at);
    fum_free(encoder->normal.at);
    fum_free(encoder->word);
    fum_bpe_scratch_free(&encoder->scratch);
    fum_free(encoder->ids.at);
}

static bool starts_with(const uint32_t *text, size_t count, const char *ascii) {
    size_t length = strlen(ascii);
    if (count < length) return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] != (uint8_t)ascii[i]) return false;
    return true;
}

static bool emit_word(struct encoder *encoder, const uint32_t *word, size_t count) {
    size_t bytes = 0;
    if (!fum_grow((void **)&encoder->word, &encoder->word_capacity, 4 * count, 1)) return false;
    for (size_t i = 0; i < count; i++)
        bytes += fum_utf8_put((char *)encoder->word + bytes, word[i]);
    return fum_bpe_encode_word(encoder->tokenizer->bpe, &encoder->scratch, encoder->word, bytes,
                               &encoder->ids);
}

// Returns the length of the word at text[0], which is no space. CLIP's expression is
// 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
static size_t word_length(const uint32_t *text, size_t count) {
    static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    if (text[0] == '\'')
        for (size_t i = 0; i < sizeof(contractions) / sizeof(contractions[0]); i++)
            if (starts_with(text, count, contractions[i])) return strlen(contractions[i]);
    enum fum_char_class class = fum_char_class(text[0]);
    if (class == FUM_CHAR_NUMBER) return 1;
    size_t length = 1;
    while (length < count && fum_char_class(text[length]) == class) length++;
    return length;
}

// Encodes the words of normalised text without special tokens. The expression also names CLIP's two
// special tokens. If they were not taken out before, they end a run of punctuation and are then
// split like any other text.
static bool emit_words(struct encoder *encoder, const uint32_t *text, size_t count) {
    static const char *const specials[] = {"<|startoftext|>", "<|endoftext|>"};
    for (size_t i = 0; i < count;) {
        if (fum_char_class(text[i]) == FUM_CHAR_SPACE) {
            i++;
            continue;
        }
        size_t length = 0;
        for (int j = 0; j < 2 && !length && text[i] == '<'; j++)
            if (starts_with(text + i, count - i, specials[j])) length = strlen(specials[j]);
        if (length) {
            if (!emit_word(encoder, text + i, 2) || !emit_word(encoder, text + i + 2, length - 4) ||
                !emit_word(encoder, text + i + length - 2, 2))
                return false;
        } else {
            length = word_length(text + i, count - i);
            if (!emit_word(encoder, text + i, length)) return false;
        }
        i += length;
    }
    return true;
}

// True if the two characters are of one word: letters, or digits.
static bool continues_word(uint32_t a, uint32_t b) {
    enum fum_char_class class = fum_char_class(a);
    return (class == FUM_CHAR_LETTER || class == FUM_CHAR_NUMBER) && fum_char_class(b) == class;
}

// True if text[at…at + length) is whole words of text[0…count).
static bool is_whole(const uint32_t *text, size_t count, size_t at, size_t length) {
    size_t end = at + length;
    return !(at && continues_word(text[at - 1], text[at])) &&
           !(end < count && continues_word(text[end - 1], text[end]));
}

// Returns the longest special token of this kind at text[at], or NULL.
static const struct fum_special *special_at(const fum_tokenizer *tokenizer, const uint32_t *text,
                                            size_t count, size_t at, bool is_normalized) {
    size_t left = count - at;
    const struct fum_special *best = NULL;
    for (size_t i = 0; i < tokenizer->special_count; i++) {
        const struct fum_special *special = &tokenizer->specials[i];
        const struct fum_code_points *points = &special->points;
        if (special->is_normalized != is_normalized || !points->count || points->count > left)
            continue;
        if (memcmp(points->at, text + at, points->count * sizeof(*text))) continue;
        if (special->is_word && !is_whole(text, count, at, points->count)) continue;
        if (!best || points->count > best->points.count) best = special;
    }
    return best;
}

static bool encode_raw(struct encoder *encoder, const uint32_t *text, size_t count);

// Takes out the special tokens of one kind and encodes the stretches between them.
static bool split_specials(struct encoder *encoder, const uint32_t *text, size_t count,
                           bool is_normalized) {
    size_t begin = 0;
    for (size_t i = 0; i <= count;) {
        const struct fum_special *special =
            i < count ? special_at(encoder->tokenizer, text, count, i, is_normalized) : NULL;
        if (!special && i < count) {
            i++;
            continue;
        }
        bool is_fine = i == begin; // nothing between two special tokens
        if (!is_fine)
            is_fine = is_normalized ? emit_words(encoder, text + begin, i - begin)
                                    : encode_raw(encoder, text + begin, i - begin);
        if (!is_fine) return false;
        if (!special) break;
        encoder->refusal = special->refusal;
        if (encoder->refusal) return false;
        for (int k = 0; k < special->count; k++)
            if (!fum_id_list_add(&encoder->ids, special->id + k)) return false;
        begin = i += special->points.count;
    }
    return true;
}

static bool encode_raw(struct encoder *encoder, const uint32_t *text, size_t count) {
    encoder->normal.count = 0;
    return fum_tokenizer_normalize(&encoder->normal, text, count) &&
           split_specials(encoder, encoder->normal.at, encoder->normal.count, true);
}

enum fum_result fum_tokenizer_encode(const fum_tokenizer *tokenizer, const char *text, size_t bytes,
                                     struct fum_token_ids *ids, struct fum_error *err) {
    *ids = (struct fum_token_ids){0};
    if (bytes && fum_require(text, "a text", err)) return FUM_ERR_ARG;
    if (bytes > FUM_TOKENIZER_MAX_BYTES)
        return fum_error_set(err, FUM_ERR_ARG,
                             "tokenizer: a text of %zu bytes is over the limit of %d; shorten it",
                             bytes, FUM_TOKENIZER_MAX_BYTES);
    struct encoder encoder = {.tokenizer = tokenizer};
    bool is_fine = fum_utf8_decode(&encoder.raw, text, bytes) &&
                   fum_id_list_add(&encoder.ids, tokenizer->start) &&
                   split_specials(&encoder, encoder.raw.at, encoder.raw.count, false) &&
                   fum_id_list_add(&encoder.ids, tokenizer->end);
    if (is_fine) {
        *ids = (struct fum_token_ids){encoder.ids.at, encoder.ids.count};
        encoder.ids.at = NULL;
    }
    encoder_free(&encoder);
    if (encoder.refusal) return fum_error_set(err, FUM_ERR_FORMAT, "%s", encoder.refusal);
    return is_fine ? FUM_OK
                   : fum_error_set(err, FUM_ERR_NOMEM,
                                   "tokenizer: out of memory for a text of %zu bytes", bytes);
}

static enum fum_result check_length(int length, struct fum_error *err) {
    if (length >= 2) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "tokenizer: a length of %d has no room for start and end; use 2 or more",
                         length);
}

// Cuts or pads all ids of a text to `length`.
static void fit_ids(const fum_tokenizer *tokenizer, const struct fum_token_ids *all, int length,
                    int32_t *ids) {
    size_t room = (size_t)length, kept = all->count < room ? all->count : room;
    memcpy(ids, all->ids, kept * sizeof(*ids));
    ids[kept - 1] = tokenizer->end;
    for (size_t i = kept; i < room; i++) ids[i] = tokenizer->pad;
}

// Fills in what of all ids does not fit into `length`.
static enum fum_result report_fit(const fum_tokenizer *tokenizer, const struct fum_token_ids *all,
                                  int length, struct fum_token_fit *fit, struct fum_error *err) {
    size_t room = (size_t)length;
    fit->count = all->count;
    if (all->count <= room) return FUM_OK;
    return fum_tokenizer_decode(tokenizer, all->ids + room - 1, all->count - room, &fit->cut, err);
}

enum fum_result fum_tokenizer_encode_padded(const fum_tokenizer *tokenizer,
                                            const struct fum_padded_text *text, int32_t *ids,
                                            struct fum_token_fit *fit, struct fum_error *err) {
    struct fum_token_ids all = {0};
    if (fit) *fit = (struct fum_token_fit){0};
    int length = text->length ? text->length : tokenizer->max_length;
    enum fum_result result = check_length(length, err);
    if (!result) result = fum_tokenizer_encode(tokenizer, text->text, text->bytes, &all, err);
    if (!result) fit_ids(tokenizer, &all, length, ids);
    if (!result && fit) result = report_fit(tokenizer, &all, length, fit, err);
    fum_token_ids_free(&all);
    return result;
}

// Returns the token of vector `index` of the embedding whose first vector is `special`, or NULL if
// there is none.
static const struct fum_special *find_vector(const fum_tokenizer *tokenizer,
                                             const struct fum_special *special, int index) {
    char name[256];
    int n = snprintf(name, sizeof(name), "%s_%d", special->text, index);
    return n > 0 && (size_t)n < sizeof(name) ? fum_tokenizer_find_special(tokenizer, name) : NULL;
}

static const struct fum_special *special_of(const fum_tokenizer *tokenizer, int32_t id) {
    for (size_t i = 0; i < tokenizer->special_count; i++)
        if (tokenizer->specials[i].id == id) return &tokenizer->specials[i];
    return NULL;
}

// Adds the vectors that belong to a token and do not follow it already.
static bool add_vectors(const fum_tokenizer *tokenizer, const struct fum_token_ids *in,
                        struct fum_id_list *out) {
    for (size_t at = 0; at < in->count; at++) {
        const struct fum_special *special = special_of(tokenizer, in->ids[at]), *vector;
        if (!fum_id_list_add(out, in->ids[at])) return false;
        if (special && special->is_word) special = NULL; // has all its ids
        for (int i = 1; special && (vector = find_vector(tokenizer, special, i)); i++) {
            if (!fum_id_list_add(out, vector->id)) return false;
            if (at + 1 < in->count && in->ids[at + 1] == vector->id) at++;
        }
    }
    return true;
}

// Encodes a text with all vectors of its embeddings.
static enum fum_result encode_vectors(const fum_tokenizer *tokenizer, const char *text,
                                      size_t bytes, struct fum_token_ids *ids,
                                      struct fum_error *err) {
    struct fum_token_ids words = {0};
    struct fum_id_list all = {0};
    enum fum_result result = fum_tokenizer_encode(tokenizer, text, bytes, &words, err);
    if (!result && !add_vectors(tokenizer, &words, &all))
        result = fum_error_set(err, FUM_ERR_NOMEM,
                               "tokenizer: out of memory for a text of %zu bytes", bytes);
    fum_token_ids_free(&words);
    if (result) fum_free(all.at);
    *ids = result ? (struct fum_token_ids){0} : (struct fum_token_ids){all.at, all.count};
    return result;
}

enum fum_result fum_tokenizer_encode_words(const fum_tokenizer *tokenizer, const char *text,
                                           size_t bytes, struct fum_token_ids *ids,
                                           struct fum_error *err) {
    enum fum_result result = encode_vectors(tokenizer, text, bytes, ids, err);
    if (result) return result;
    ids->count -= 2; // start and end
    memmove(ids->ids, ids->ids + 1, ids->count * sizeof *ids->ids);
    return FUM_OK;
}

size_t fum_tokenizer_group(const fum_tokenizer *tokenizer, const int32_t *ids, size_t count) {
    const struct fum_special *special =
        ids[0] < tokenizer->bpe->id_limit ? NULL : special_of(tokenizer, ids[0]);
    const struct fum_special *vector;
    size_t length = 1;
    if (!special) return 1;
    if (special->is_word) return (size_t)special->count < count ? (size_t)special->count : count;
    for (; length < count && (vector = find_vector(tokenizer, special, (int)length)); length++)
        if (ids[length] != vector->id) break;
    return length;
}

enum fum_result fum_tokenizer_encode_prompt(const fum_tokenizer *tokenizer,
                                            const struct fum_padded_text *text, int32_t *ids,
                                            struct fum_token_fit *fit, struct fum_error *err) {
    struct fum_token_ids all = {0};
    *fit = (struct fum_token_fit){0};
    enum fum_result result = check_length(text->length, err);
    if (!result) result = encode_vectors(tokenizer, text->text, text->bytes, &all, err);
    if (!result) fit_ids(tokenizer, &all, text->length, ids);
    if (!result) result = report_fit(tokenizer, &all, text->length, fit, err);
    fum_token_ids_free(&all);
    return result;
}

void fum_token_ids_free(struct fum_token_ids *ids) {
    fum_free(ids->ids);
    *ids = (struct fum_token_ids){0};
}

void fum_token_fit_free(struct fum_token_fit *fit) {
    fum_free(fit->cut);
    *fit = (struct fum_token_fit){0};
}

void fum_token_text_free(char **text) {
    fum_free(*text);
    *text = NULL;
}
