// SPDX-License-Identifier: MIT
#include "base/text.h"

#include "base/alloc.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

// ---- one character ----

// True if a terminal may act on the character: C0, DEL, C1, line and paragraph separators, and
// controls of writing direction. The last let a text show as another one.
static bool is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

enum { LONGEST_ESCAPE = 8 };

// Writes the escape of the first character of text[0..bytes), NUL-terminated. Returns the number of
// bytes that it read.
static size_t escape_one(char out[LONGEST_ESCAPE], const char *text, size_t bytes) {
    size_t length = fum_utf8_length(text, bytes), used;
    uint32_t code = fum_utf8_next(text, bytes, &used);
    if (!length)
        snprintf(out, LONGEST_ESCAPE, "\\x%02x", (unsigned)(uint8_t)text[0]);
    else if (code == '\n')
        memcpy(out, "\\n", 3);
    else if (code == '\r')
        memcpy(out, "\\r", 3);
    else if (code == '\t')
        memcpy(out, "\\t", 3);
    else if (is_control(code))
        snprintf(out, LONGEST_ESCAPE, code < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)code);
    else {
        memcpy(out, text, length);
        out[length] = 0;
    }
    return length ? length : 1;
}

// ---- whole texts ----

size_t fum_text_escape(char *out, size_t size, const char *text, size_t bytes) {
    size_t needed = 0, used = 0;
    bool full = size == 0;
    for (size_t at = 0; at < bytes;) {
        char one[LONGEST_ESCAPE];
        at += escape_one(one, text + at, bytes - at);
        size_t length = strlen(one);
        needed += length;
        full = full || used + length >= size;
        if (full) continue;
        memcpy(out + used, one, length);
        used += length;
    }
    if (size) out[used] = 0;
    return needed;
}

// ---- texts that are too long ----

static const char gap[] = "...";
enum { GAP_BYTES = sizeof gap - 1, SHORT_WORD = 60, FULL_BYTES = 10000 };

// Shortens text[at, at + length) by at least `bytes`. "..." replaces its middle.
static void cut_middle(char *text, size_t at, size_t length, size_t bytes) {
    size_t first = at + (length - bytes - GAP_BYTES) / 2, last = first + bytes + GAP_BYTES;
    // whole UTF-8 characters
    while (first > at && ((unsigned char)text[first] & 0xc0) == 0x80) first--;
    while (((unsigned char)text[last] & 0xc0) == 0x80) last++;
    memcpy(text + first, gap, GAP_BYTES);
    memmove(text + first + GAP_BYTES, text + last, strlen(text + last) + 1);
}

// Makes a text fit. Its longest words, which are paths, lose their middle, so that the reason
// stays.
static void shorten(char *text, size_t room) {
    size_t length;
    while ((length = strlen(text)) >= room) {
        size_t longest = 0, at = 0, n;
        for (size_t i = 0; text[i]; i += n + (text[i + n] == ' ')) {
            n = strcspn(text + i, " ");
            if (n <= longest) continue;
            longest = n;
            at = i;
        }
        if (longest <= SHORT_WORD) { // no word stands out, so the whole text is cut
            longest = length;
            at = 0;
        }
        size_t excess = length + 1 - room, most = longest - SHORT_WORD / 2 - GAP_BYTES;
        cut_middle(text, at, longest, excess < most ? excess : most);
    }
}

// Returns the start of the longest end of text[0..bytes) that is at most `room` bytes long when
// escaped.
static size_t tail_start(const char *text, size_t bytes, size_t room) {
    size_t start =
        bytes > room ? bytes - room : 0; // an escape is at least as long as its character
    while (start < bytes && ((uint8_t)text[start] & 0xc0) == 0x80) start++;
    size_t needed = fum_text_escape(NULL, 0, text + start, bytes - start);
    while (needed > room) {
        char one[LONGEST_ESCAPE];
        start += escape_one(one, text + start, bytes - start);
        needed -= strlen(one);
    }
    return start;
}

// Escapes all of the text, or its start and end with "..." between them.
static void escape_ends(char *out, size_t size, const char *text, size_t bytes) {
    if (fum_text_escape(out, size, text, bytes) < size) return;
    size_t half = (size - sizeof gap) / 2;
    fum_text_escape(out, half + 1, text, bytes);
    size_t used = strlen(out);
    memcpy(out + used, gap, sizeof gap);
    used += GAP_BYTES;
    size_t start = tail_start(text, bytes, size - 1 - used);
    fum_text_escape(out + used, size - used, text + start, bytes - start);
}

void fum_text_format(char *out, size_t size, const char *fmt, va_list args) {
    char local[FULL_BYTES], shown[FULL_BYTES];
    va_list again;
    va_copy(again, args);
    int formatted = vsnprintf(local, sizeof local, fmt, args);
    size_t bytes = formatted > 0 ? (size_t)formatted : 0;
    char *longer = bytes < sizeof local ? NULL : fum_alloc(bytes + 1, 1);
    if (longer)
        vsnprintf(longer, bytes + 1, fmt, again);
    else if (bytes >= sizeof local)
        bytes = sizeof local - 1; // without memory the end is lost
    va_end(again);
    escape_ends(shown, sizeof shown, longer ? longer : local, bytes);
    fum_free(longer);
    shorten(shown, size);
    memcpy(out, shown, strlen(shown) + 1);
}

struct fum_shown fum_text_show_bytes(const char *text, size_t bytes) {
    struct fum_shown shown;
    escape_ends(shown.text, sizeof shown.text, text, bytes);
    return shown;
}

struct fum_shown fum_text_show(const char *text) {
    return fum_text_show_bytes(text, strlen(text));
}

bool fum_text_ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}
