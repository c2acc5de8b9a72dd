// SPDX-License-Identifier: MIT
#include "damage.h"

#include "config_change.h"
#include "fitted_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Bytes that mean something to JSON, UTF-8 and numbers, one of them at a time.
static const char marks[] = "{}[]\",:0123456789-+eE.\\utfn\0\xff\xc3\xe2\xf0\n\x1b ";

static void change_byte(char *text, size_t *size, struct choices *c) {
    size_t at = choose(c, 65536) % *size, left = *size - at, some;
    switch (choose(c, 5)) {
    case 0: text[at] = marks[choose(c, sizeof marks - 1)]; break;
    case 1: text[at] = (char)choose(c, 256); break;
    case 2: text[at] = (char)(text[at] ^ 1 << choose(c, 8)); break;
    case 3: *size = at; break;
    default:
        some = 1 + choose(c, 32);
        if (some > left) some = left;
        memmove(text + at, text + at + some, left - some);
        *size -= some;
    }
}

char *damage_bytes(const char *text, struct choices *c, size_t *size) {
    char *copy = malloc(*size + 1), *exact;
    if (!copy) fitted_fail("a document");
    memcpy(copy, text, *size);
    for (uint32_t n = one_in(c, 2) ? choose(c, 5) : 0; n && *size; n--) change_byte(copy, size, c);
    exact = realloc(copy, *size ? *size : 1);
    return exact ? exact : copy;
}

char *damage_text(const char *text, struct choices *c, size_t *size) {
    *size = strlen(text);
    return damage_bytes(text, c, size);
}

char *damage_json(const char *json, struct choices *c, size_t *size) {
    cJSON *document = cJSON_Parse(json);
    for (uint32_t n = choose(c, 6); n; n--) config_change(document, c);
    char *text = cJSON_PrintUnformatted(document);
    cJSON_Delete(document);
    if (!text) fitted_fail("a document");
    char *damaged = damage_text(text, c, size);
    cJSON_free(text);
    return damaged;
}

void damage_save(const char *name, const char *text, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fitted_folder(), name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text, 1, size, file) != size || fclose(file)) fitted_fail(path);
}
