// SPDX-License-Identifier: MIT
// Fuzzes the safetensors reader, and what is read off a file's names and shapes, using libFuzzer.
// tests/io/loader_damage.c calls it too, with damage of its own making.
#include "model/checkpoint.h"
#include "io/loader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fum_loader *loader = NULL;
    struct fum_error err = {0};
    enum fum_result result = fum_loader_open_memory(&loader, data, size, "fuzz.safetensors", &err);
    if (result) {
        if (loader || !err.text[0] || strchr(err.text, '\n')) abort();
        return 0;
    }
    // Every byte that a tensor claims must be readable.
    unsigned sum = 0;
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        const uint8_t *bytes = t->view.data;
        for (uint64_t b = 0; b < t->bytes; b++) sum += bytes[b];
        if (fum_loader_find(loader, t->name) != t) abort();
    }
    struct fum_checkpoint checkpoint;
    if (fum_checkpoint_detect(&checkpoint, loader, &err) && !err.text[0]) abort();
    fum_checkpoint_free(&checkpoint);
    fum_loader_close(&loader);
    return sum == 0xdeadbeef ? -1 : 0; // so that the sum is needed
}
