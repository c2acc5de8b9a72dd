// SPDX-License-Identifier: MIT
// Decodes ids to text as transformers' CLIPTokenizer does. The bytes of all pieces are joined and
// read as UTF-8 with replacement characters. "</w>" becomes a space, and white space at either end
// is stripped.
#include "text/tokenizer.h"

#include "base/error.h"

#include <string.h>

struct byte_list {
    char *at;
    size_t count, capacity;
};

static bool add_byte(struct byte_list *bytes, char byte) {
    if (!fum_grow((void **)&bytes->at, &bytes->capacity, bytes->count, 1)) return false;
    bytes->at[bytes->count++] = byte;
    return true;
}

// Appends the bytes that a piece stands for. A piece with a character outside the byte alphabet is
// literal text.
static bool add_piece(struct byte_list *bytes, const char *piece) {
    size_t length = strlen(piece), begin = bytes->count, used;
    for (size_t i = 0; i < length; i += used) {
        int byte = fum_bpe_char_to_byte(fum_utf8_next(piece + i, length - i, &used));
        if (byte < 0) {
            bytes->count = begin;
            for (size_t j = 0; j < length; j++)
                if (!add_byte(bytes, piece[j])) return false;
            return true;
        }
        if (!add_byte(bytes, (char)byte)) return false;
    }
    return true;
}

// Appends well-formed UTF-8 with a space for each "</w>".
static bool add_readable(struct byte_list *out, const struct byte_list *bytes) {
    const size_t mark = sizeof(FUM_BPE_WORD_END) - 1;
    size_t used;
    for (size_t i = 0; i < bytes->count; i += used) {
        char code[4];
        if (bytes->count - i >= mark && !memcmp(bytes->at + i, FUM_BPE_WORD_END, mark)) {
            used = mark;
            if (!add_byte(out, ' ')) return false;
            continue;
        }
        size_t n = fum_utf8_put(code, fum_utf8_next(bytes->at + i, bytes->count - i, &used));
        for (size_t j = 0; j < n; j++)
            if (!add_byte(out, code[j])) return false;
    }
    return true;
}

// True if Python's str.strip strips the character: white space and the separators U+001C to U+001F.
static bool is_strippable(const char *text, size_t bytes) {
    size_t used;
    uint32_t code = fum_utf8_next(text, bytes, &used);
    return fum_char_class(code) == FUM_CHAR_SPACE || (code >= 0x1c && code <= 0x1f);
}

static void strip(struct byte_list *text) {
    size_t begin = 0, end = text->count, used;
    while (begin < end && is_strippable(text->at + begin, end - begin)) {
        fum_utf8_next(text->at + begin, end - begin, &used);
        begin += used;
    }
    while (end > begin) {
        size_t last = end - 1;
        while (last > begin && ((uint8_t)text->at[last] & 0xc0) == 0x80) last--;
        if (!is_strippable(text->at + last, end - last)) break;
        end = last;
    }
    memmove(text->at, text->at + begin, end - begin);
    text->count = end - begin;
}

enum fum_result fum_tokenizer_decode(const fum_tokenizer *tokenizer, const int32_t *ids,
                                     size_t count, char **text, struct fum_error *err) {
    struct byte_list bytes = {0}, out = {0};
    bool is_fine = true;
    *text = NULL;
    for (size_t i = 0; i < count && is_fine; i++) {
        const char *piece = fum_tokenizer_piece(tokenizer, ids[i]);
        if (piece) is_fine = add_piece(&bytes, piece);
    }
    is_fine = is_fine && add_readable(&out, &bytes) && add_byte(&out, 0);
    if (is_fine) {
        out.count--;
        strip(&out);
        out.at[out.count] = 0;
        *text = out.at;
        out.at = NULL;
    }
    fum_free(bytes.at);
    fum_free(out.at);
    return is_fine ? FUM_OK
                   : fum_error_set(err, FUM_ERR_NOMEM,
                                   "tokenizer: out of memory for a text of %zu ids", count);
}
