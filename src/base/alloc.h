// SPDX-License-Identifier: MIT
// Allocates host memory with checked sizes, and arenas that a parent object owns. Tests can make
// the n-th allocation fail.
#ifndef FUM_BASE_ALLOC_H
#define FUM_BASE_ALLOC_H

#include <fumarole/core.h>

// Works as malloc, calloc and realloc for `count` items. Returns NULL if the product overflows or
// memory is out. A count of 0 gives a pointer that may be freed. Free with fum_free.
void *fum_alloc(size_t count, size_t size);
void *fum_calloc(size_t count, size_t size);
void *fum_realloc(void *old, size_t count, size_t size);
void fum_free(void *p);
char *fum_strdup(const char *text);

// Grows `*items` (elements of `size` bytes) so that index `count` can be written. Returns false
// when memory is out, and the old array then stays valid.
bool fum_grow(void **items, size_t *capacity, size_t count, size_t size);

// Makes every allocation after the next `n` fail, for tests. n < 0, the default, switches that off.
void fum_alloc_fail_after(long n);

// An arena holds allocations that live as long as their parent and are freed with it. Memory is
// zeroed and aligned for any type. Allocation returns NULL when memory is out. One thread at a
// time.
typedef struct fum_arena fum_arena;
fum_arena *fum_arena_create(void);
void fum_arena_destroy(fum_arena **arena);
void *fum_arena_alloc(fum_arena *arena, size_t count, size_t size);
char *fum_arena_strdup(fum_arena *arena, const char *text);
char *fum_arena_printf(fum_arena *arena, const char *fmt, ...) FUM_PRINTF(2, 3);

#endif
