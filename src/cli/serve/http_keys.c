// SPDX-License-Identifier: MIT
// Reads the file of keys, and finds one of them in an Authorization header.
#include "http_inner.h"

#include "../base64.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_KEY = 1024, MAX_FILE = 1 << 20 };

struct http_keys {
    char *text; // keys, each with a NUL after it
    size_t bytes, count;
};

static bool is_key_character(char c) {
    return c > ' ' && c < 0x7f;
}

// Moves the key of one line to the end of those before. Returns false if it is none.
static bool add_key(struct http_keys *keys, const char *line, size_t bytes) {
    while (bytes && strchr(" \t\r", line[bytes - 1])) bytes--;
    while (bytes && strchr(" \t", *line)) line++, bytes--;
    if (!bytes) return true;
    for (size_t i = 0; i < bytes; i++)
        if (!is_key_character(line[i])) return false;
    if (bytes > MAX_KEY) return false;
    memmove(keys->text + keys->bytes, line, bytes);
    keys->bytes += bytes;
    keys->text[keys->bytes++] = 0;
    keys->count++;
    return true;
}

static int parse_keys(struct http_keys *keys, const char *path, size_t bytes) {
    const char *text = keys->text;
    int number = 1;
    for (size_t at = 0; at < bytes; number++) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end ? (size_t)(end - text) - at : bytes - at;
        if (!add_key(keys, text + at, length))
            return cli_fail("%s, line %d: a key is up to %d printable ASCII characters without "
                            "spaces",
                            path, number, MAX_KEY);
        at += length + 1;
    }
    if (!keys->count)
        return cli_fail("%s holds no key; --api-key-file needs a file of one key a line", path);
    return 0;
}

int http_keys_read(struct http_keys **keys, const char *path) {
    size_t bytes;
    struct http_keys *read = calloc(1, sizeof *read);
    if (!read) return cli_fail("no memory for the keys");
    *keys = read;
    read->text = cli_read_text(path, MAX_FILE, &bytes);
    return read->text ? parse_keys(read, path, bytes) : CLI_FAILED;
}

void http_keys_free(struct http_keys **keys) {
    if (!*keys) return;
    free((*keys)->text);
    free(*keys);
    *keys = NULL;
}

// Compares in a time that depends on the length of what was given alone.
static bool is_equal(const char *key, const char *given, size_t bytes) {
    size_t key_bytes = strlen(key);
    volatile unsigned char difference = key_bytes != bytes;
    for (size_t i = 0; i < bytes; i++)
        difference |= (unsigned char)(given[i] ^ key[key_bytes ? i % key_bytes : 0]);
    return difference == 0;
}

static bool is_known(const struct http_keys *keys, const char *given, size_t bytes) {
    bool known = false;
    const char *key = keys->text;
    for (size_t i = 0; i < keys->count; i++, key += strlen(key) + 1)
        known = is_equal(key, given, bytes) | known;
    return known;
}

// Compares the password of Basic's "base64(user:password)".
static bool is_known_basic(const struct http_keys *keys, const char *given) {
    void *decoded = NULL;
    size_t bytes = 0;
    bool known = false;
    if (strlen(given) > 4 * MAX_KEY) return false;
    if (cli_base64_decode(given, &decoded, &bytes) == CLI_BASE64_GOOD) {
        const char *text = decoded, *colon = bytes ? memchr(text, ':', bytes) : NULL;
        known = colon && is_known(keys, colon + 1, bytes - (size_t)(colon + 1 - text));
    }
    free(decoded);
    return known;
}

bool http_keys_accept(const struct http_keys *keys, const char *authorization) {
    size_t scheme = strcspn(authorization, " ");
    const char *given = authorization + scheme;
    given += strspn(given, " ");
    if (scheme == 6 && strncasecmp(authorization, "Bearer", scheme) == 0)
        return is_known(keys, given, strlen(given));
    return scheme == 5 && strncasecmp(authorization, "Basic", scheme) == 0 &&
           is_known_basic(keys, given);
}
