// SPDX-License-Identifier: MIT
#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_after = -1;

void fum_alloc_fail_after(long n) {
    atomic_store(&fail_after, n);
}

static bool refused(size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) return true;
    long left = atomic_load(&fail_after);
    if (left < 0) return false;
    if (left == 0) return true;
    atomic_store(&fail_after, left - 1);
    return false;
}

void *fum_alloc(size_t count, size_t size) {
    if (refused(count, size)) return NULL;
    size_t bytes = count * size;
    return malloc(bytes ? bytes : 1);
}

void *fum_calloc(size_t count, size_t size) {
    if (refused(count, size)) return NULL;
    return calloc(count ? count : 1, size ? size : 1);
}

void *fum_realloc(void *old, size_t count, size_t size) {
    if (refused(count, size)) return NULL;
    size_t bytes = count * size;
    return realloc(old, bytes ? bytes : 1);
}

void fum_free(void *p) {
    free(p);
}

char *fum_strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = fum_alloc(bytes, 1);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

bool fum_grow(void **items, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity) return true;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    if (wanted <= count) wanted = count + 1;
    void *grown = fum_realloc(*items, wanted, size);
    if (!grown) return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

// Blocks are chained newest first; small allocations are cut from the newest one.
struct block {
    struct block *next;
    size_t used, size;
    max_align_t bytes[];
};

struct fum_arena {
    struct block *blocks;
};

enum { BLOCK_BYTES = 16 * 1024 };

fum_arena *fum_arena_create(void) {
    return fum_calloc(1, sizeof(fum_arena));
}

void fum_arena_destroy(fum_arena **arena) {
    if (!arena || !*arena) return;
    for (struct block *b = (*arena)->blocks, *next; b; b = next) {
        next = b->next;
        fum_free(b);
    }
    fum_free(*arena);
    *arena = NULL;
}

void *fum_arena_alloc(fum_arena *arena, size_t count, size_t size) {
    if (size && count > (SIZE_MAX / 2) / size) return NULL;
    const size_t align = sizeof(max_align_t);
    size_t bytes = (count * size + align - 1) / align * align;
    struct block *b = arena->blocks;
    if (!b || b->size - b->used < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        b = fum_calloc(1, sizeof *b + room);
        if (!b) return NULL;
        b->size = room;
        b->next = arena->blocks;
        arena->blocks = b;
    }
    void *p = (char *)b->bytes + b->used;
    b->used += bytes;
    return p;
}

char *fum_arena_strdup(fum_arena *arena, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = fum_arena_alloc(arena, bytes, 1);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

char *fum_arena_printf(fum_arena *arena, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n >= 0 ? fum_arena_alloc(arena, (size_t)n + 1, 1) : NULL;
    if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}
