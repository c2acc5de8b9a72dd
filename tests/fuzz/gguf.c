// SPDX-License-Identifier: MIT
// Fuzzes the GGUF reader, and what is read off a file's names and shapes. An input that begins with
// "GGUF" is a file; others choose damage to a file that is made here. tests/io/gguf.c calls it too.
#include "base/block.h"
#include "io/loader.h"
#include "model/checkpoint.h"

#include "choices.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Reads every byte that a tensor claims, and some of its values.
static unsigned read_tensor(const struct fum_loader_tensor *t) {
    const uint8_t *bytes = t->view.blocks ? t->view.block_data : t->view.data;
    float values[64];
    unsigned sum = 0;
    for (uint64_t b = 0; b < t->bytes; b++) sum += bytes[b];
    uint64_t all = fum_view_bytes(&t->view), some = all < sizeof values ? all : sizeof values;
    if (fum_view_read(&t->view, all - some, some, values, NULL)) abort();
    return sum;
}

static int try_file(const uint8_t *data, size_t size) {
    fum_loader *loader = NULL;
    struct fum_error err = {0};
    if (fum_loader_open_memory(&loader, data, size, "fuzz.gguf", &err)) {
        if (loader || !err.text[0] || strchr(err.text, '\n')) abort();
        return 0;
    }
    unsigned sum = 0;
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        if (t->view.dtype != FUM_DTYPE_UNKNOWN) sum += read_tensor(t);
        if (fum_loader_find(loader, t->name) != t) abort();
    }
    struct fum_checkpoint checkpoint;
    if (fum_checkpoint_detect(&checkpoint, loader, &err) && !err.text[0]) abort();
    fum_checkpoint_free(&checkpoint);
    fum_loader_close(&loader);
    return sum == 0xdeadbeef ? -1 : 0; // so that the sum is needed
}

// ---- a file ----

struct made {
    uint8_t bytes[4096];
    size_t size;
};

static void put(struct made *m, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) m->bytes[m->size++] = (uint8_t)(value >> 8 * i);
}

static void put_text(struct made *m, const char *text) {
    put(m, strlen(text), 8);
    memcpy(m->bytes + m->size, text, strlen(text));
    m->size += strlen(text);
}

static void put_keys(struct made *m) {
    put_text(m, "general.architecture");
    put(m, 8, 4);
    put_text(m, "sd1");
    put_text(m, "general.alignment");
    put(m, 4, 4);
    put(m, 32, 4);
    put_text(m, "comfy.gguf.orig_shape.b");
    put(m, 9, 4);
    put(m, 5, 4);
    put(m, 2, 8);
    put(m, 4, 4);
    put(m, 64, 4);
    put_text(m, "list");
    put(m, 9, 4);
    put(m, 8, 4);
    put(m, 1, 8);
    put_text(m, "x");
}

// Adds a tensor of 64 x 2 values or, of K types, 256 x 1.
static uint64_t put_tensor(struct made *m, const char *name, uint32_t type, uint64_t offset) {
    const struct fum_block_type *blocks = fum_block_of_number(type);
    uint64_t row = blocks && blocks->values > 64 ? 256 : 64, rows = row > 64 ? 1 : 2;
    put_text(m, name);
    put(m, 2, 4);
    put(m, row, 8);
    put(m, rows, 8);
    put(m, type, 4);
    put(m, offset, 8);
    uint64_t count = row * rows;
    uint64_t bytes =
        blocks ? count / (uint64_t)blocks->values * (uint64_t)blocks->bytes : 4 * count;
    return (offset + bytes + 31) / 32 * 32;
}

// Returns the size of the header.
static size_t make_file(struct made *m) {
    static const char *const names[] = {"a", "b", "model.diffusion_model.input_blocks.0.0.weight"};
    static const uint32_t types[] = {0, 2, 12};
    uint64_t offset = 0;
    memcpy(m->bytes, "GGUF", 4);
    m->size = 4;
    put(m, 3, 4);
    put(m, 3, 8);
    put(m, 4, 8);
    put_keys(m);
    for (int i = 0; i < 3; i++) offset = put_tensor(m, names[i], types[i], offset);
    size_t header = m->size;
    m->size = (m->size + 31) / 32 * 32 + (size_t)offset;
    return header;
}

// Changes bytes of the header, most of them numbers, and may cut the file off.
static void damage(struct made *m, size_t header, struct choices *c) {
    for (uint32_t n = choose(c, 5); n; n--) {
        uint8_t *at = m->bytes + 4 + choose(c, 65536) % (header - 4);
        switch (choose(c, 4)) {
        case 0: *at = (uint8_t)choose(c, 256); break;
        case 1: *at = (uint8_t)(*at ^ 1 << choose(c, 8)); break;
        case 2: *at = (uint8_t)choose(c, 16); break;
        default: memset(at, choose(c, 2) ? 0xff : 0, 1 + choose(c, 8)); break;
        }
    }
    if (one_in(c, 8)) m->size = 4 + choose(c, 65536) % (m->size - 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size >= 4 && !memcmp(data, "GGUF", 4)) return try_file(data, size);
    struct choices c = {data, size, 0};
    struct made m = {.size = 0};
    size_t header = make_file(&m);
    damage(&m, header, &c);
    // of its exact size, for the address sanitizer
    uint8_t *exact = malloc(m.size);
    if (!exact) return 0;
    memcpy(exact, m.bytes, m.size);
    int result = try_file(exact, m.size);
    free(exact);
    return result;
}
