// SPDX-License-Identifier: MIT
#include "text/unicode.h"

#include "text/unicode_tables.h"

#include <utf8proc.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { FIRST_COMBINING = 0x300, SHORT_RUN = 32 };

bool fum_code_points_add(struct fum_code_points *points, uint32_t code) {
    if (!fum_grow((void **)&points->at, &points->capacity, points->count, sizeof(*points->at)))
        return false;
    points->at[points->count++] = code;
    return true;
}

bool fum_utf8_decode(struct fum_code_points *points, const char *text, size_t bytes) {
    size_t used;
    for (size_t i = 0; i < bytes; i += used)
        if (!fum_code_points_add(points, fum_utf8_next(text + i, bytes - i, &used))) return false;
    return true;
}

static int compare_code(const void *key, const void *range) {
    uint32_t code = *(const uint32_t *)key;
    const struct fum_code_range *r = range;
    return (code > r->last) - (code < r->first);
}

static bool in_ranges(uint32_t code, const struct fum_code_range *ranges, size_t count) {
    return bsearch(&code, ranges, count, sizeof *ranges, compare_code);
}

static bool is_space(uint32_t code) {
    if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
    return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
           code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

enum fum_char_class fum_char_class(uint32_t code) {
    if (is_space(code)) return FUM_CHAR_SPACE;
    if (code < 0x80) {
        if ((code | 0x20) >= 'a' && (code | 0x20) <= 'z') return FUM_CHAR_LETTER;
        return code >= '0' && code <= '9' ? FUM_CHAR_NUMBER : FUM_CHAR_OTHER;
    }
    if (in_ranges(code, new_letters, COUNT(new_letters))) return FUM_CHAR_LETTER;
    if (in_ranges(code, new_numbers, COUNT(new_numbers))) return FUM_CHAR_NUMBER;
    if (in_ranges(code, later_characters, COUNT(later_characters))) return FUM_CHAR_OTHER;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
        return FUM_CHAR_LETTER;
    if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)
        return FUM_CHAR_NUMBER;
    return FUM_CHAR_OTHER;
}

size_t fum_char_lower(uint32_t code, uint32_t out[2]) {
    if (code < 0x80) {
        out[0] = code >= 'A' && code <= 'Z' ? code + 0x20 : code;
        return 1;
    }
    if (code == 0x130) { // İ: utf8proc has no mapping to two code points
        out[0] = 'i', out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
    for (size_t i = 0; i < COUNT(new_lower); i++)
        if (code >= new_lower[i].first && code <= new_lower[i].last)
            out[0] = (uint32_t)((int32_t)code + new_lower[i].shift);
    return 1;
}

static uint8_t combining_class(uint32_t code) {
    return code < FIRST_COMBINING
               ? 0
               : (uint8_t)utf8proc_get_property((utf8proc_int32_t)code)->combining_class;
}

// Sorts a run of combining marks by class, stably. The usual two or three are inserted. Longer,
// hostile runs are sorted by counting, since insertion would be quadratic. Returns false when
// memory is out.
static bool order_marks(uint32_t *run, size_t count) {
    if (count <= SHORT_RUN) {
        for (size_t i = 1; i < count; i++) {
            uint32_t mark = run[i];
            size_t j = i;
            for (; j && combining_class(run[j - 1]) > combining_class(mark); j--)
                run[j] = run[j - 1];
            run[j] = mark;
        }
        return true;
    }
    size_t start[257] = {0};
    uint32_t *sorted = fum_alloc(count, sizeof(*sorted));
    if (!sorted) return false;
    for (size_t i = 0; i < count; i++) start[combining_class(run[i]) + 1]++;
    for (size_t i = 1; i < 257; i++) start[i] += start[i - 1];
    for (size_t i = 0; i < count; i++) sorted[start[combining_class(run[i])]++] = run[i];
    memcpy(run, sorted, count * sizeof(*run));
    fum_free(sorted);
    return true;
}

// Appends the canonical decomposition, marks in order.
static bool decompose(struct fum_code_points *out, const uint32_t *text, size_t count) {
    size_t begin = out->count;
    for (size_t i = 0; i < count; i++) {
        utf8proc_int32_t parts[8];
        utf8proc_ssize_t n =
            utf8proc_decompose_char((utf8proc_int32_t)text[i], parts, 8, UTF8PROC_DECOMPOSE, NULL);
        if (n < 1 || n > 8) n = 1, parts[0] = (utf8proc_int32_t)text[i];
        for (utf8proc_ssize_t j = 0; j < n; j++)
            if (!fum_code_points_add(out, (uint32_t)parts[j])) return false;
    }
    for (size_t i = begin; i < out->count;) {
        size_t end = i;
        while (end < out->count && combining_class(out->at[end])) end++;
        if (end - i > 1 && !order_marks(out->at + i, end - i)) return false;
        i = end + 1;
    }
    return true;
}

// Appends the NFC of a stretch without inert characters.
static bool compose(struct fum_code_points *out, const uint32_t *text, size_t count) {
    size_t begin = out->count;
    if (!count) return true;
    if (!decompose(out, text, count)) return false;
    utf8proc_ssize_t left = utf8proc_normalize_utf32((utf8proc_int32_t *)(out->at + begin),
                                                     (utf8proc_ssize_t)(out->count - begin),
                                                     UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (left >= 0) out->count = begin + (size_t)left;
    return true;
}

bool fum_text_nfc(struct fum_code_points *out, const uint32_t *text, size_t count) {
    size_t begin = 0;
    while (begin < count) {
        // Below the first combining mark every character is its own NFC. The character before a
        // mark may compose with it.
        size_t plain = begin;
        while (plain < count && text[plain] < FIRST_COMBINING) plain++;
        size_t keep = plain < count && plain > begin ? plain - 1 : plain;
        for (; begin < keep; begin++)
            if (!fum_code_points_add(out, text[begin])) return false;
        size_t end = begin;
        while (end < count && !in_ranges(text[end], inert_characters, COUNT(inert_characters)) &&
               (end == begin || text[end] >= FIRST_COMBINING))
            end++;
        if (!compose(out, text + begin, end - begin)) return false;
        begin = end;
        if (begin < count && in_ranges(text[begin], inert_characters, COUNT(inert_characters)))
            if (!fum_code_points_add(out, text[begin++])) return false;
    }
    return true;
}
