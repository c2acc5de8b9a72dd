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

// ---- objects ----

void damage_members_add(struct damage_members *members, const char *json) {
    cJSON *document = cJSON_Parse(json), *item;
    if (!document) fitted_fail("a document");
    cJSON_ArrayForEach(item, document) {
        cJSON *key = cJSON_CreateString(item->string);
        if (members->count == DAMAGE_MEMBERS || !key) fitted_fail("a document");
        members->keys[members->count] = cJSON_PrintUnformatted(key);
        members->values[members->count++] = cJSON_PrintUnformatted(item);
        cJSON_Delete(key);
    }
    cJSON_Delete(document);
}

// Values that are seldom right, and those that limits are made of.
static const char *const odd_values[] = {"0",
                                         "1",
                                         "2",
                                         "3",
                                         "-1",
                                         "8",
                                         "64",
                                         "1000",
                                         "0.5",
                                         "1.5",
                                         "1e300",
                                         "-1e300",
                                         "1e-300",
                                         "1e999",
                                         "2147483648",
                                         "4294967296",
                                         "9007199254740993",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "-9223372036854775809",
                                         "007",
                                         "0x10",
                                         "NaN",
                                         "true",
                                         "false",
                                         "null",
                                         "[]",
                                         "{}",
                                         "[1]",
                                         "[\"a\",2]",
                                         "[[[[]]]]",
                                         "{\"a\":{\"b\":[1]}}",
                                         "\"\"",
                                         "\"a\"",
                                         "\"5\"",
                                         "\"1e9\"",
                                         "\"none\"",
                                         "\"auto\"",
                                         "\"Euler a\"",
                                         "\"0.2,0.8\"",
                                         "\"9,3,0\"",
                                         "\"\\u0000\"",
                                         "\"\\ud800\"",
                                         "\"\\ud83d\\ude00\"",
                                         "\"\xc3\xa9\"",
                                         "\"\xff\"",
                                         "\"a\\nb\"",
                                         "\"\\u001b[31m\"",
                                         "\"../x\"",
                                         "\"/etc/passwd\"",
                                         "\"data:image/png;base64,\"",
                                         "\"data:image/png;base64,AAAA\"",
                                         "\"http://127.0.0.1/x.png\"",
                                         "\"64x64\"",
                                         "\"<lora:style:1e9>\""};

static size_t put_text(char *to, size_t used, size_t room, const char *text) {
    size_t bytes = strlen(text);
    if (bytes > room - used) return used;
    memcpy(to + used, text, bytes);
    return used + bytes;
}

char *damage_object(const struct damage_members *members, struct choices *c, size_t *size) {
    enum { ROOM = 16384 };
    static char text[ROOM];
    size_t used = put_text(text, 0, ROOM, "{");
    for (uint32_t n = choose(c, 7), i = 0; i < n; i++) {
        uint32_t which = choose(c, members->count);
        bool odd = one_in(c, 3);
        const char *value = odd ? odd_values[choose(c, sizeof odd_values / sizeof *odd_values)]
                                : members->values[which];
        used = put_text(text, used, ROOM, i ? "," : "");
        used = put_text(text, used, ROOM, members->keys[which]);
        used = put_text(text, used, ROOM, ":");
        used = put_text(text, used, ROOM, value);
    }
    used = put_text(text, used, ROOM, "}");
    *size = used;
    // Most changes of bytes make no JSON any more.
    if (one_in(c, 4)) return damage_bytes(text, c, size);
    char *copy = malloc(used);
    if (!copy) fitted_fail("a document");
    return memcpy(copy, text, used);
}

void damage_save(const char *name, const char *text, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fitted_folder(), name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text, 1, size, file) != size || fclose(file)) fitted_fail(path);
}
