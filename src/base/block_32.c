// SPDX-License-Identifier: MIT
// Blocks of 32 values: an f16 factor, an f16 offset in some types, and integers of 4, 5 or 8 bits.
// Integers of 4 bits lie as halves of bytes: values 0 to 15 low, 16 to 31 high. A fifth bit is bit
// i of a 32-bit word.
#include "base/block.h"

#include <math.h>
#include <string.h>

enum { COUNT = 32, HALF = COUNT / 2 };

// The parts of a block of 4 or 5 bits.
struct layout {
    int high, low; // where the fifth bits and the halves begin; high 0: there is no fifth bit
    int zero;      // the integer that stands for 0; 0: the block has an offset
};

static const struct layout layout_q4_0 = {0, 2, 8}, layout_q4_1 = {0, 4, 0},
                           layout_q5_0 = {2, 6, 16}, layout_q5_1 = {4, 8, 0};

static void unpack(const struct layout *l, const uint8_t *block, struct fum_block_codes *codes) {
    codes->factor = fum_block_half(block);
    codes->offset = l->zero ? 0 : fum_block_half(block + 2);
    codes->scale[0] = 1;
    codes->minimum[0] = l->zero ? 0 : -1;
    for (int i = 0; i < COUNT; i++) {
        int half = block[l->low + i % HALF] >> (i < HALF ? 0 : 4) & 15;
        int fifth = l->high ? block[l->high + i / 8] >> i % 8 & 1 : 0;
        codes->code[i] = (int16_t)((half | fifth << 4) - l->zero);
    }
}

static void pack(const struct layout *l, const int *codes, uint8_t *block) {
    memset(block + l->low, 0, HALF);
    if (l->high) memset(block + l->high, 0, 4);
    for (int i = 0; i < COUNT; i++) {
        block[l->low + i % HALF] |= (uint8_t)((codes[i] & 15) << (i < HALF ? 0 : 4));
        if (l->high) block[l->high + i / 8] |= (uint8_t)((codes[i] >> 4) << i % 8);
    }
}

// Cuts off what follows the point, and what leaves the range.
static int clamp_code(float x, int highest) {
    if (!(x > 0)) return 0;
    return x < (float)highest ? (int)x : highest;
}

// Gives the value of largest magnitude the lowest code, so that no range is lost.
static void quantise_signed(const struct layout *l, const float *x, uint8_t *block) {
    float most = 0, extreme = 0;
    int codes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        if (fabsf(x[i]) <= most) continue;
        most = fabsf(x[i]);
        extreme = x[i];
    }
    float factor = extreme / (float)-l->zero, inverse = factor != 0 ? 1 / factor : 0;
    for (int i = 0; i < COUNT; i++) {
        float scaled = x[i] * inverse;
        codes[i] = clamp_code(scaled + ((float)l->zero + 0.5f), 2 * l->zero - 1);
    }
    fum_block_put_half(block, factor);
    pack(l, codes, block);
}

// Spreads the codes from the least to the largest value.
static void quantise_shifted(const struct layout *l, const float *x, uint8_t *block) {
    int codes[COUNT], highest = l->high ? 31 : 15;
    float least = x[0], most = x[0];
    for (int i = 1; i < COUNT; i++) {
        if (x[i] < least) least = x[i];
        if (x[i] > most) most = x[i];
    }
    float factor = (most - least) / (float)highest, inverse = factor != 0 ? 1 / factor : 0;
    for (int i = 0; i < COUNT; i++) {
        float scaled = (x[i] - least) * inverse;
        codes[i] = clamp_code(scaled + 0.5f, highest);
    }
    fum_block_put_half(block, factor);
    fum_block_put_half(block + 2, least);
    pack(l, codes, block);
}

#define NIBBLES(name, quantise)                                                      \
    static void unpack_##name(const uint8_t *block, struct fum_block_codes *codes) { \
        unpack(&layout_##name, block, codes);                                        \
    }                                                                                \
    static void quantise_##name(const float *values, uint8_t *block) {               \
        quantise(&layout_##name, values, block);                                     \
    }
NIBBLES(q4_0, quantise_signed)
NIBBLES(q4_1, quantise_shifted)
NIBBLES(q5_0, quantise_signed)
NIBBLES(q5_1, quantise_shifted)

static void unpack_q8_0(const uint8_t *block, struct fum_block_codes *codes) {
    codes->factor = fum_block_half(block);
    codes->offset = 0;
    codes->scale[0] = 1;
    codes->minimum[0] = 0;
    for (int i = 0; i < COUNT; i++) codes->code[i] = (int8_t)block[2 + i];
}

static void quantise_q8_0(const float *x, uint8_t *block) {
    float most = 0;
    for (int i = 0; i < COUNT; i++) most = fmaxf(most, fabsf(x[i]));
    float factor = most / 127, inverse = factor > 0 ? 1 / factor : 0;
    fum_block_put_half(block, factor);
    for (int i = 0; i < COUNT; i++) {
        float scaled = isfinite(inverse) ? roundf(x[i] * inverse) : 0;
        block[2 + i] = (uint8_t)(int8_t)scaled;
    }
}

FUM_BLOCK_RECORD(q8_0, "Q8_0", 8, 7, 34, COUNT);
FUM_BLOCK_RECORD(q4_0, "Q4_0", 2, 2, 18, COUNT);
FUM_BLOCK_RECORD(q4_1, "Q4_1", 3, 3, 20, COUNT);
FUM_BLOCK_RECORD(q5_0, "Q5_0", 6, 8, 22, COUNT);
FUM_BLOCK_RECORD(q5_1, "Q5_1", 7, 9, 24, COUNT);
