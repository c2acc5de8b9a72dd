// SPDX-License-Identifier: MIT
// Finds pieces and special tokens of a tokenizer, and normalises text as its tokens are.
#include "text/tokenizer.h"

#include <string.h>

bool fum_tokenizer_normalize(struct fum_code_points *out, const uint32_t *text, size_t count) {
    struct fum_code_points composed = {0};
    bool is_fine = fum_text_nfc(&composed, text, count), after_space = false;
    for (size_t i = 0; i < composed.count && is_fine; i++) {
        bool is_space = fum_char_class(composed.at[i]) == FUM_CHAR_SPACE;
        uint32_t lower[2] = {' ', 0};
        size_t n = is_space ? !after_space : fum_char_lower(composed.at[i], lower);
        for (size_t j = 0; j < n && is_fine; j++) is_fine = fum_code_points_add(out, lower[j]);
        after_space = is_space;
    }
    fum_free(composed.at);
    return is_fine;
}

struct fum_special *fum_tokenizer_find_special(const fum_tokenizer *tokenizer, const char *text) {
    for (size_t i = 0; i < tokenizer->special_count; i++)
        if (!strcmp(tokenizer->specials[i].text, text)) return &tokenizer->specials[i];
    return NULL;
}

const char *fum_tokenizer_piece(const fum_tokenizer *tokenizer, int32_t id) {
    if (id >= 0 && id < tokenizer->bpe->id_limit && tokenizer->bpe->pieces[id])
        return tokenizer->bpe->pieces[id];
    for (size_t i = 0; i < tokenizer->special_count; i++)
        if (tokenizer->specials[i].id == id) return tokenizer->specials[i].text;
    return NULL;
}

int32_t fum_tokenizer_find(const fum_tokenizer *tokenizer, const char *piece) {
    if (!piece) return -1;
    for (size_t i = 0; i < tokenizer->special_count; i++)
        if (!strcmp(tokenizer->specials[i].text, piece)) return tokenizer->specials[i].id;
    return fum_bpe_find(tokenizer->bpe, piece, strlen(piece));
}

int32_t fum_tokenizer_vocab_size(const fum_tokenizer *tokenizer) {
    return tokenizer->id_limit;
}

int32_t fum_tokenizer_start_id(const fum_tokenizer *tokenizer) {
    return tokenizer->start;
}

int32_t fum_tokenizer_end_id(const fum_tokenizer *tokenizer) {
    return tokenizer->end;
}

int32_t fum_tokenizer_pad_id(const fum_tokenizer *tokenizer) {
    return tokenizer->pad;
}

int fum_tokenizer_max_length(const fum_tokenizer *tokenizer) {
    return tokenizer->max_length;
}
