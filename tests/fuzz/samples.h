// SPDX-License-Identifier: MIT
// Whole files as starts, and damage to their bytes.
#ifndef TESTS_FUZZ_SAMPLES_H
#define TESTS_FUZZ_SAMPLES_H

#include "choices.h"

struct sample {
    const uint8_t *data;
    size_t size;
};

enum { SAMPLES_MOST = 64, SAMPLE_MOST_BYTES = 32768 };

struct samples {
    struct sample at[SAMPLES_MOST];
    size_t count;
};

// Adds a file below $FUM_TEST_DATA, or all tensors of a safetensors file whose names begin with
// `prefix`. Ends the process if there is none, or one is too large.
void samples_add_file(struct samples *samples, const char *name);
void samples_add_tensors(struct samples *samples, const char *name, const char *prefix);

// Returns a changed copy of one of them, in memory of its exact size. The caller frees it.
uint8_t *sample_damage(const struct samples *samples, struct choices *c, size_t *size);
// Changes bytes in a buffer that has room for SAMPLE_MOST_BYTES.
void sample_change(uint8_t *bytes, size_t *size, struct choices *c);
// Returns a copy of its exact size, so that the address sanitizer finds reads behind its end.
uint8_t *sample_copy(const uint8_t *bytes, size_t size);

#endif
