// SPDX-License-Identifier: MIT
// Refuses allocations on purpose. Preloaded into a program, it fails the n-th call of malloc,
// calloc or realloc that comes from the program or a library named below. Calls of drivers and the
// C library are left alone. Its environment:
//   FUM_REFUSE_AT=N        refuses the N-th such allocation, counted from 1.
//   FUM_REFUSE_ON=1        refuses every later one too.
//   FUM_REFUSE_IN=NAMES    libraries to count, separated by colons; the default is below.
//   FUM_REFUSE_COUNT=FILE  writes the number of allocations there when the program ends.
#define _GNU_SOURCE
#include <fumarole/core.h>

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

FUM_API void *malloc(size_t bytes);
FUM_API void *calloc(size_t count, size_t size);
FUM_API void *realloc(void *old, size_t bytes);
FUM_API void free(void *p);

enum { MAX_RANGES = 32, EARLY_BYTES = 16384 };

static const char default_libraries[] = "libfumarole:libcjson:libutf8proc:libz.";

// The code that counts, by address; the program itself is the first entry.
static struct { uintptr_t from, to; } ranges[MAX_RANGES];
static int num_ranges;
static long at, on;
static atomic_long calls;
static atomic_bool ready;

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} next;

// dlsym allocates before it can name the next allocator.
static _Alignas(16) unsigned char early[EARLY_BYTES];
static size_t early_used;

static void *take_early(size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > EARLY_BYTES - early_used) abort();
    early_used += bytes;
    return early + early_used - bytes;
}

static bool is_early(const void *p) {
    uintptr_t a = (uintptr_t)p, start = (uintptr_t)early;
    return a >= start && a < start + EARLY_BYTES;
}

static bool is_listed(const char *path, const char *list) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (const char *item = list; *item; item += strspn(item, ":")) {
        size_t n = strcspn(item, ":");
        if (!strncmp(name, item, n)) return true;
        item += n;
    }
    return false;
}

static int add_object(struct dl_phdr_info *object, size_t size, void *list) {
    (void)size;
    bool program = !*object->dlpi_name;
    if (!program && !is_listed(object->dlpi_name, list)) return 0;
    for (int i = 0; i < object->dlpi_phnum && num_ranges < MAX_RANGES; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        ranges[num_ranges].from = object->dlpi_addr + segment->p_vaddr;
        ranges[num_ranges].to = ranges[num_ranges].from + segment->p_memsz;
        num_ranges++;
    }
    return 0;
}

// Finds the next allocator at the first call: constructors of libraries may allocate much before
// this one's runs.
static void find_next(void) {
    static bool searching;
    if (next.malloc || searching) return;
    searching = true;
    // ISO C does not convert between object and function pointers.
    *(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next.free = dlsym(RTLD_NEXT, "free");
    *(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
}

__attribute__((constructor)) static void begin(void) {
    const char *list = getenv("FUM_REFUSE_IN"), *n = getenv("FUM_REFUSE_AT"),
               *persist = getenv("FUM_REFUSE_ON");
    find_next();
    at = n ? atol(n) : 0;
    on = persist ? atol(persist) : 0;
    dl_iterate_phdr(add_object, (void *)(uintptr_t)(list ? list : default_libraries));
    atomic_store(&ready, true);
}

__attribute__((destructor)) static void end(void) {
    atomic_store(&ready, false);
    const char *path = getenv("FUM_REFUSE_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", atomic_load(&calls));
    fclose(file);
}

static bool refused(const void *caller) {
    if (!atomic_load(&ready)) return false;
    uintptr_t a = (uintptr_t)caller;
    bool counts = false;
    for (int i = 0; i < num_ranges && !counts; i++)
        counts = a >= ranges[i].from && a < ranges[i].to;
    if (!counts) return false;
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (call != at && !(at && on && call > at)) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes) {
    if (refused(__builtin_return_address(0))) return NULL;
    find_next();
    return next.malloc ? next.malloc(bytes) : take_early(bytes);
}

void *calloc(size_t count, size_t size) {
    if (refused(__builtin_return_address(0))) return NULL;
    find_next();
    return next.calloc ? next.calloc(count, size) : take_early(count * size);
}

void *realloc(void *old, size_t bytes) {
    if (refused(__builtin_return_address(0))) return NULL;
    if (next.realloc && !is_early(old)) return next.realloc(old, bytes);
    void *grown = malloc(bytes);
    if (grown && old) memcpy(grown, old, bytes);
    return grown;
}

void free(void *p) {
    if (p && !is_early(p) && next.free) next.free(p);
}
