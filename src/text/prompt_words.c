// SPDX-License-Identifier: MIT
// Finds white space and whole words in UTF-8 as Python's regular expressions do.
#include "text/prompt.h"

#include "text/unicode.h"

#include <string.h>

// True for \s.
static bool is_space(uint32_t code) {
    if (code < 0x80) return (code >= '\t' && code <= '\r') || (code >= 0x1c && code <= ' ');
    return code == 0x85 || fum_char_class(code) == FUM_CHAR_SPACE;
}

// True for \w.
static bool is_word(uint32_t code) {
    enum fum_char_class class = fum_char_class(code);
    return code == '_' || class == FUM_CHAR_LETTER || class == FUM_CHAR_NUMBER;
}

// Returns the first byte of the character that ends before text[at].
static size_t find_previous(const char *text, size_t begin, size_t at) {
    size_t start = at - 1;
    while (start > begin && at - start < 4 && ((unsigned char)text[start] & 0xc0) == 0x80) start--;
    return start;
}

static uint32_t code_before(const char *text, size_t begin, size_t at) {
    size_t used, start = find_previous(text, begin, at);
    return fum_utf8_next(text + start, at - start, &used);
}

size_t fum_prompt_space(const char *text, size_t at, size_t end) {
    size_t used = 0;
    if (at >= end) return 0;
    return is_space(fum_utf8_next(text + at, end - at, &used)) ? used : 0;
}

size_t fum_prompt_skip(const char *text, size_t at, size_t end) {
    for (size_t used; (used = fum_prompt_space(text, at, end)); at += used) continue;
    return at;
}

size_t fum_prompt_trim(const char *text, size_t begin, size_t end) {
    while (end > begin && is_space(code_before(text, begin, end)))
        end = find_previous(text, begin, end);
    return end;
}

size_t fum_prompt_find_word(const char *text, const struct fum_prompt_stretch *stretch,
                            const char *word) {
    size_t length = strlen(word), end = stretch->end, used;
    for (size_t at = stretch->at; at + length <= end; at++) {
        if (text[at] != *word || memcmp(text + at, word, length)) continue;
        if (at > stretch->begin && is_word(code_before(text, stretch->begin, at))) continue;
        size_t after = at + length;
        if (after < end && is_word(fum_utf8_next(text + after, end - after, &used))) continue;
        return at;
    }
    return end;
}
