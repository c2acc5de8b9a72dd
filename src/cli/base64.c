// SPDX-License-Identifier: MIT
#include "base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *cli_base64_encode(const void *data, size_t bytes) {
    const uint8_t *from = data;
    if (bytes > SIZE_MAX / 2) return NULL;
    char *text = malloc((bytes + 2) / 3 * 4 + 1), *to = text;
    if (!text) return NULL;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t group = (uint32_t)from[i] << 16;
        if (left > 1) group |= (uint32_t)from[i + 1] << 8;
        if (left > 2) group |= from[i + 2];
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[group & 63] : '=';
    }
    *to = 0;
    return text;
}

// Returns the value of a digit, of either alphabet of the RFC. -1: it is none.
static int value_of(char c) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static int is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Skips the head of a data URL, "data:image/png;base64,". NULL: its content is not base64.
static const char *skip_head(const char *text) {
    static const char mark[] = ";base64,";
    if (strncmp(text, "data:", 5) != 0) return text;
    const char *comma = strchr(text, ',');
    size_t length = comma ? (size_t)(comma - text) + 1 : 0, tail = sizeof mark - 1;
    if (length < tail || memcmp(comma + 1 - tail, mark, tail) != 0) return NULL;
    return comma + 1;
}

// Decodes into memory that is large enough. Returns the number of bytes; -1: the text is damaged.
static long long decode_digits(const char *text, uint8_t *to) {
    uint32_t group = 0;
    size_t count = 0, padding = 0;
    const uint8_t *begin = to;
    for (; *text; text++) {
        if (is_blank(*text)) continue;
        if (*text == '=') {
            padding++;
            continue;
        }
        int value = value_of(*text);
        if (value < 0 || padding) return -1;
        group = group << 6 | (uint32_t)value;
        if (++count % 4) continue;
        *to++ = (uint8_t)(group >> 16);
        *to++ = (uint8_t)(group >> 8);
        *to++ = (uint8_t)group;
    }
    size_t rest = count % 4;
    if (rest == 1 || padding > 2 || (padding && (rest + padding) != 4)) return -1;
    if (rest) *to++ = (uint8_t)(rest == 2 ? group >> 4 : group >> 10);
    if (rest == 3) *to++ = (uint8_t)(group >> 2);
    return to - begin;
}

enum cli_base64 cli_base64_decode(const char *text, void **data, size_t *bytes) {
    *data = NULL;
    *bytes = 0;
    text = skip_head(text);
    if (!text) return CLI_BASE64_BAD;
    uint8_t *decoded = malloc(strlen(text) / 4 * 3 + 4);
    if (!decoded) return CLI_BASE64_NO_MEMORY;
    long long count = decode_digits(text, decoded);
    if (count < 0) {
        free(decoded);
        return CLI_BASE64_BAD;
    }
    *data = decoded;
    *bytes = (size_t)count;
    return CLI_BASE64_GOOD;
}
