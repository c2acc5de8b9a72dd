// SPDX-License-Identifier: MIT
// A fuzzer's input read as a list of choices: a byte or two for each, 0 once the input has ended.
// Input that is cut off or zero makes the plain choice, so that fuzzers shrink their findings to
// what matters.
#ifndef TESTS_FUZZ_CHOICES_H
#define TESTS_FUZZ_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choices {
    const uint8_t *data;
    size_t size, at;
};

static inline uint32_t next_byte(struct choices *c) {
    return c->at < c->size ? c->data[c->at++] : 0;
}

// Returns a number below `count`, which is at least 1.
static inline uint32_t choose(struct choices *c, uint32_t count) {
    uint32_t value = next_byte(c);
    if (count > 256) value |= next_byte(c) << 8;
    return value % count;
}

static inline bool one_in(struct choices *c, uint32_t count) {
    return choose(c, count) == count - 1;
}

#endif
