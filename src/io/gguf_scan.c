// SPDX-License-Identifier: MIT
#include "io/gguf_scan.h"

#include "base/error.h"
#include "base/macros.h"

#include <string.h>

enum { MAX_DEPTH = 4 }; // of arrays in arrays

static const uint8_t kind_bytes[FUM_GGUF_KINDS] = {
    [FUM_GGUF_U8] = 1,   [FUM_GGUF_I8] = 1,  [FUM_GGUF_U16] = 2,   [FUM_GGUF_I16] = 2,
    [FUM_GGUF_U32] = 4,  [FUM_GGUF_I32] = 4, [FUM_GGUF_F32] = 4,   [FUM_GGUF_BOOL] = 1,
    [FUM_GGUF_TEXT] = 0, [FUM_GGUF_U64] = 8, [FUM_GGUF_ARRAY] = 0, [FUM_GGUF_I64] = 8,
    [FUM_GGUF_F64] = 8,
};

void fum_gguf_refuse(struct fum_gguf_scan *s, const char *what) {
    if (s->result) return;
    s->result = fum_error_set(s->err, FUM_ERR_FORMAT, "%s: byte %llu of its GGUF header: %s",
                              s->file->path, (unsigned long long)s->at, what);
}

// Makes the next bytes the buffer's beginning.
static void fill(struct fum_gguf_scan *s) {
    uint64_t left = s->size - s->at;
    s->begin = s->at;
    s->filled = (size_t)FUM_MIN(left, (uint64_t)sizeof s->buffer);
    s->result = fum_view_read(&s->file->bytes, s->at, s->filled, s->buffer, s->err);
}

// Returns the next bytes, at most as many as the buffer has. NULL after a failure.
static const uint8_t *take(struct fum_gguf_scan *s, uint64_t bytes) {
    if (!s->result && bytes > s->size - s->at) fum_gguf_refuse(s, "the file ends: cut off?");
    if (!s->result && (s->at < s->begin || s->at + bytes > s->begin + s->filled)) fill(s);
    if (s->result) return NULL;
    const uint8_t *found = s->buffer + (s->at - s->begin);
    s->at += bytes;
    return found;
}

static uint64_t take_number(struct fum_gguf_scan *s, int bytes) {
    const uint8_t *p = take(s, (uint64_t)bytes);
    uint64_t number = 0;
    for (int i = bytes - 1; p && i >= 0; i--) number = number << 8 | p[i];
    return number;
}

uint32_t fum_gguf_u32(struct fum_gguf_scan *s) {
    return (uint32_t)take_number(s, 4);
}

uint64_t fum_gguf_u64(struct fum_gguf_scan *s) {
    return take_number(s, 8);
}

uint64_t fum_gguf_count(struct fum_gguf_scan *s, uint64_t least) {
    uint64_t count = fum_gguf_u64(s);
    if (!s->result && count > (s->size - s->at) / FUM_MAX(least, 1))
        fum_gguf_refuse(s, "counts more than the file holds: cut off?");
    return s->result ? 0 : count;
}

char *fum_gguf_text(struct fum_gguf_scan *s, uint64_t limit) {
    uint64_t length = fum_gguf_count(s, 1);
    if (!s->result && length > limit) fum_gguf_refuse(s, "a text is too long");
    if (s->result) return NULL;
    char *text = fum_arena_alloc(s->arena, (size_t)length + 1, 1);
    if (!text) {
        s->result =
            fum_error_set(s->err, FUM_ERR_NOMEM, "%s: no memory for its header", s->file->path);
        return NULL;
    }
    s->result = fum_view_read(&s->file->bytes, s->at, length, text, s->err);
    s->at += length;
    text[length] = 0;
    return s->result ? NULL : text;
}

int64_t fum_gguf_integer(struct fum_gguf_scan *s, uint32_t kind, bool *integer) {
    *integer = kind < FUM_GGUF_KINDS && kind_bytes[kind] && kind != FUM_GGUF_F32 &&
               kind != FUM_GGUF_F64 && kind != FUM_GGUF_BOOL;
    if (!*integer) return 0;
    int bytes = kind_bytes[kind];
    uint64_t number = take_number(s, bytes), sign = UINT64_C(1) << (8 * bytes - 1);
    bool has_sign =
        kind == FUM_GGUF_I8 || kind == FUM_GGUF_I16 || kind == FUM_GGUF_I32 || kind == FUM_GGUF_I64;
    return (int64_t)(has_sign ? (number ^ sign) - sign : number);
}

static void skip_bytes(struct fum_gguf_scan *s, uint64_t bytes) {
    if (!s->result && bytes > s->size - s->at) fum_gguf_refuse(s, "the file ends: cut off?");
    if (!s->result) s->at += bytes;
}

static void skip_value(struct fum_gguf_scan *s, uint32_t kind, int depth) {
    if (kind >= FUM_GGUF_KINDS || depth > MAX_DEPTH) {
        fum_gguf_refuse(s, "a value is of an unknown kind");
    } else if (kind == FUM_GGUF_TEXT) {
        skip_bytes(s, fum_gguf_u64(s));
    } else if (kind == FUM_GGUF_ARRAY) {
        uint32_t of = fum_gguf_u32(s);
        uint8_t each = of < FUM_GGUF_KINDS ? kind_bytes[of] : 0;
        uint64_t count = fum_gguf_count(s, each ? each : sizeof(uint64_t));
        if (each) skip_bytes(s, count * each);
        for (uint64_t i = 0; i < count && !each && !s->result; i++) skip_value(s, of, depth + 1);
    } else {
        skip_bytes(s, kind_bytes[kind]);
    }
}

void fum_gguf_skip(struct fum_gguf_scan *s, uint32_t kind) {
    skip_value(s, kind, 0);
}
