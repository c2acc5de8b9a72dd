// SPDX-License-Identifier: MIT
#include "samples.h"

#include "io/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct samples *samples, uint8_t *data, size_t size) {
    if (samples->count == SAMPLES_MOST || !data || size > SAMPLE_MOST_BYTES) abort();
    samples->at[samples->count++] = (struct sample){data, size};
}

static void find_path(char path[1024], const char *name) {
    const char *data = getenv("FUM_TEST_DATA");
    snprintf(path, 1024, "%s/%s", data ? data : "tests/data", name);
}

static void end(const struct fum_error *err) {
    fprintf(stderr, "fuzzing: %s\n", err->text);
    abort();
}

void samples_add_file(struct samples *samples, const char *name) {
    struct fum_error err = {0};
    char path[1024], *data = NULL;
    size_t size = 0;
    find_path(path, name);
    if (fum_file_read(path, SAMPLE_MOST_BYTES, &data, &size, &err)) end(&err);
    add(samples, (uint8_t *)data, size);
}

void samples_add_tensors(struct samples *samples, const char *name, const char *prefix) {
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    char path[1024];
    size_t first = 0;
    find_path(path, name);
    if (fum_loader_open(&loader, path, &err)) end(&err);
    size_t count = fum_loader_count_prefix(loader, prefix, &first);
    for (size_t i = first; i < first + count; i++) {
        const struct fum_view *view = &fum_loader_at(loader, i)->view;
        size_t bytes = (size_t)fum_view_bytes(view);
        uint8_t *data = malloc(bytes);
        if (!data || fum_view_read(view, 0, bytes, data, &err)) end(&err);
        add(samples, data, bytes);
    }
    fum_loader_close(&loader);
    if (!count) abort();
}

uint8_t *sample_copy(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, bytes, size);
    return copy;
}

// Chooses a place, half of the time near the beginning, where headers are.
static size_t choose_place(struct choices *c, size_t size) {
    return one_in(c, 2) ? choose(c, 65536) % size : choose(c, 256) % size;
}

// Writes a number that limits are made of, of 1, 2, 4 or 8 bytes in either order.
static void put_number(uint8_t *at, size_t left, struct choices *c) {
    static const uint64_t numbers[] = {0,      1,      2,      0x7f,       0x80,       0xff,
                                       0x100,  0x7fff, 0x8000, 0xffff,     0x7fffffff, 0x80000000,
                                       0x4000, 3,      8,      0xfffffff0, UINT64_MAX, INT64_MAX};
    uint64_t number = numbers[choose(c, sizeof numbers / sizeof *numbers)];
    size_t bytes = (size_t)1 << choose(c, 4);
    bool big = one_in(c, 2);
    if (bytes > left) return;
    for (size_t i = 0; i < bytes; i++) at[i] = (uint8_t)(number >> 8 * (big ? bytes - 1 - i : i));
}

// Copies bytes from one place to another, over what is there.
static void copy_span(uint8_t *bytes, size_t size, struct choices *c) {
    size_t from = choose_place(c, size), to = choose_place(c, size), span = 1 + choose(c, 64),
           last = from > to ? from : to;
    if (span > size - last) span = size - last;
    memmove(bytes + to, bytes + from, span);
}

static void insert_span(uint8_t *bytes, size_t *size, size_t at, struct choices *c) {
    size_t span = 1 + choose(c, 32);
    if (span > SAMPLE_MOST_BYTES - *size) return;
    memmove(bytes + at + span, bytes + at, *size - at);
    if (one_in(c, 2)) memset(bytes + at, (int)choose(c, 256), span);
    *size += span;
}

static void remove_span(uint8_t *bytes, size_t *size, size_t at, struct choices *c) {
    size_t left = *size - at, span = 1 + choose(c, 32);
    if (span > left) span = left;
    memmove(bytes + at, bytes + at + span, left - span);
    *size -= span;
}

static void change_once(uint8_t *bytes, size_t *size, struct choices *c) {
    uint32_t kind = choose(c, 12);
    size_t at = choose_place(c, *size);
    switch (kind) {
    case 0: break; // where the input has ended
    case 1:
    case 2:
    case 3: bytes[at] = (uint8_t)choose(c, 256); break;
    case 4:
    case 5: bytes[at] = (uint8_t)(bytes[at] ^ 1 << choose(c, 8)); break;
    case 6: bytes[at] = (uint8_t)(bytes[at] + 1 - 2 * choose(c, 2)); break;
    case 7: put_number(bytes + at, *size - at, c); break;
    case 8: copy_span(bytes, *size, c); break;
    case 9: insert_span(bytes, size, at, c); break;
    case 10: remove_span(bytes, size, at, c); break;
    default:
        if (one_in(c, 2)) *size = choose(c, 65536) % *size;
    }
}

void sample_change(uint8_t *bytes, size_t *size, struct choices *c) {
    for (uint32_t n = choose(c, 8); n && *size; n--) change_once(bytes, size, c);
}

uint8_t *sample_damage(const struct samples *samples, struct choices *c, size_t *size) {
    static uint8_t bytes[SAMPLE_MOST_BYTES];
    const struct sample *sample = &samples->at[choose(c, (uint32_t)samples->count)];
    memcpy(bytes, sample->data, sample->size);
    *size = sample->size;
    sample_change(bytes, size, c);
    return sample_copy(bytes, *size);
}
