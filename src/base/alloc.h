// SPDX-License-Identifier: MIT
// Host memory: checked sizes, arenas owned by a parent object, and a switch that tests use to make
// the n-th allocation fail.
#ifndef FUM_BASE_ALLOC_H
#define FUM_BASE_ALLOC_H

#include <fumarole/core.h>

// malloc, calloc, realloc of `count` items; NULL when the product overflows or memory is out. count
// 0 gives a pointer that may be freed. Free with fum_free.
void *fum_alloc(size_t count, size_t size);
void *fum_calloc(size_t count, size_t size);
void *fum_realloc(void *old, size_t count, size_t size);
void fum_free(void *p);
char *fum_strdup(const char *text);

// Grows `*items` (elements of `size` bytes) so that index `count` can be written. False when memory
// is out; the old array then stays valid.
bool fum_grow(void **items, size_t *capacity, size_t count, size_t size);

// Tests: after `n` more successful allocations every further one fails; n < 0 switches that off
// (the start).
void fum_alloc_fail_after(long n);

// An arena: allocations that live as long as their parent and are freed with it. Zeroed memory,
// aligned for any type. NULL when memory is out. Not for two threads at once.
typedef struct fum_arena fum_arena;
fum_arena *fum_arena_create(void);
void fum_arena_destroy(fum_arena **arena);
void *fum_arena_alloc(fum_arena *arena, size_t count, size_t size);
char *fum_arena_strdup(fum_arena *arena, const char *text);
char *fum_arena_printf(fum_arena *arena, const char *fmt, ...) FUM_PRINTF(2, 3);

#endif
