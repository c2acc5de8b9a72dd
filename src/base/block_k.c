// SPDX-License-Identifier: MIT
// Blocks of 256 values ("K" types): groups of 16 or 32 have scales of their own, and minimums in
// some types, as integers times the block's factors.
#include "base/block.h"

#include <string.h>

enum { COUNT = FUM_BLOCK_MAX_VALUES };

// Where a type keeps its parts. Codes are `low_bits` wide; `high_bits` more may lie elsewhere.
struct layout {
    int low, low_bits;
    int high, high_bits;
    int run; // codes of a run; runs share the same bytes, each in the next higher bits
    int scales, factor;
    int offset; // of the f16 factor of minimums; -1: the type has none
    int zero;   // the integer that stands for 0
    // Reads and writes the scales, which lie in `scales` in an order of their own.
    void (*unpack_scales)(const uint8_t *bytes, struct fum_block_codes *codes);
    void (*pack_scales)(const struct fum_block_codes *codes, uint8_t *bytes);
};

// Returns where bits of code i lie, in planes of `bits` bits whose runs have `run` codes: the byte,
// and the shift in it. Runs fill the bits of their bytes before the next bytes begin.
static int place(int i, int run, int bits, int *shift) {
    int per_byte = 8 / bits, stretch = run * per_byte;
    *shift = i % stretch / run * bits;
    return i / stretch * run + i % run;
}

static void unpack(const struct layout *l, const uint8_t *block, struct fum_block_codes *codes) {
    codes->factor = fum_block_half(block + l->factor);
    codes->offset = l->offset < 0 ? 0 : fum_block_half(block + l->offset);
    memset(codes->minimum, 0, sizeof codes->minimum);
    l->unpack_scales(block + l->scales, codes);
    for (int i = 0; i < COUNT; i++) {
        int shift, at = place(i, l->run, l->low_bits, &shift);
        int code = block[l->low + at] >> shift & ((1 << l->low_bits) - 1);
        if (l->high_bits) {
            at = place(i, 32, l->high_bits, &shift);
            code |= (block[l->high + at] >> shift & ((1 << l->high_bits) - 1)) << l->low_bits;
        }
        codes->code[i] = (int16_t)(code - l->zero);
    }
}

static void pack(const struct layout *l, const struct fum_block_codes *codes, uint8_t *block) {
    fum_block_put_half(block + l->factor, codes->factor);
    if (l->offset >= 0) fum_block_put_half(block + l->offset, codes->offset);
    memset(block + l->low, 0, (size_t)(COUNT * l->low_bits / 8));
    if (l->high_bits) memset(block + l->high, 0, (size_t)(COUNT * l->high_bits / 8));
    l->pack_scales(codes, block + l->scales);
    for (int i = 0; i < COUNT; i++) {
        int code = codes->code[i] + l->zero;
        int shift, at = place(i, l->run, l->low_bits, &shift);
        block[l->low + at] |= (uint8_t)((code & ((1 << l->low_bits) - 1)) << shift);
        if (!l->high_bits) continue;
        at = place(i, 32, l->high_bits, &shift);
        block[l->high + at] |= (uint8_t)(code >> l->low_bits << shift);
    }
}

// ---- scales ----

// Unpacks sixteen scales of 4 bits, with the minimums above them.
static void unpack_nibbles(const uint8_t *bytes, struct fum_block_codes *codes) {
    for (int g = 0; g < 16; g++) {
        codes->scale[g] = bytes[g] & 15;
        codes->minimum[g] = bytes[g] >> 4;
    }
}

static void pack_nibbles(const struct fum_block_codes *codes, uint8_t *bytes) {
    for (int g = 0; g < 16; g++) bytes[g] = (uint8_t)(codes->scale[g] | codes->minimum[g] << 4);
}

// Unpacks sixteen scales of 6 bits less 32: eight bytes hold the low halves, four the upper pairs
// of bits.
static void unpack_sixteen(const uint8_t *bytes, struct fum_block_codes *codes) {
    for (int g = 0; g < 16; g++) {
        int low = bytes[g % 8] >> (g < 8 ? 0 : 4) & 15, high = bytes[8 + g % 4] >> 2 * (g / 4) & 3;
        codes->scale[g] = (int16_t)((low | high << 4) - 32);
    }
}

static void pack_sixteen(const struct fum_block_codes *codes, uint8_t *bytes) {
    memset(bytes, 0, 12);
    for (int g = 0; g < 16; g++) {
        int scale = codes->scale[g] + 32;
        bytes[g % 8] |= (uint8_t)((scale & 15) << (g < 8 ? 0 : 4));
        bytes[8 + g % 4] |= (uint8_t)(scale >> 4 << 2 * (g / 4));
    }
}

// Unpacks eight scales and eight minimums of 6 bits. The first four of each have a byte, whose
// upper pair of bits belongs to the last four. The other four bits of these share the last bytes.
static void unpack_eight(const uint8_t *bytes, struct fum_block_codes *codes) {
    for (int g = 0; g < 4; g++) {
        codes->scale[g] = bytes[g] & 63;
        codes->minimum[g] = bytes[4 + g] & 63;
        codes->scale[4 + g] = (int16_t)((bytes[8 + g] & 15) | bytes[g] >> 6 << 4);
        codes->minimum[4 + g] = (int16_t)(bytes[8 + g] >> 4 | bytes[4 + g] >> 6 << 4);
    }
}

static void pack_eight(const struct fum_block_codes *codes, uint8_t *bytes) {
    for (int g = 0; g < 4; g++) {
        int scale = codes->scale[4 + g], minimum = codes->minimum[4 + g];
        bytes[g] = (uint8_t)(codes->scale[g] | scale >> 4 << 6);
        bytes[4 + g] = (uint8_t)(codes->minimum[g] | minimum >> 4 << 6);
        bytes[8 + g] = (uint8_t)((scale & 15) | (minimum & 15) << 4);
    }
}

// Unpacks sixteen scales, which are signed bytes.
static void unpack_bytes(const uint8_t *bytes, struct fum_block_codes *codes) {
    for (int g = 0; g < 16; g++) codes->scale[g] = (int8_t)bytes[g];
}

static void pack_bytes(const struct fum_block_codes *codes, uint8_t *bytes) {
    for (int g = 0; g < 16; g++) bytes[g] = (uint8_t)(int8_t)codes->scale[g];
}

// ---- the types ----

#define TYPE(type, choose, ...)                                                      \
    static const struct layout layout_##type = __VA_ARGS__;                          \
    static void unpack_##type(const uint8_t *block, struct fum_block_codes *codes) { \
        unpack(&layout_##type, block, codes);                                        \
    }                                                                                \
    static void quantise_##type(const float *values, uint8_t *block) {               \
        struct fum_block_codes codes;                                                \
        choose(&search_##type, values, &codes);                                      \
        pack(&layout_##type, &codes, block);                                         \
    }

static const struct fum_block_search search_q2_K = {16, 0, 3, 15};
static const struct fum_block_search search_q3_K = {16, -4, 3, 31};
static const struct fum_block_search search_q4_K = {32, 0, 15, 63};
static const struct fum_block_search search_q5_K = {32, 0, 31, 63};
static const struct fum_block_search search_q6_K = {16, -32, 31, 127};

TYPE(q2_K, fum_block_choose_shifted,
     {.scales = 0,
      .low = 16,
      .low_bits = 2,
      .run = 32,
      .factor = 80,
      .offset = 82,
      .unpack_scales = unpack_nibbles,
      .pack_scales = pack_nibbles})
TYPE(q3_K, fum_block_choose_signed,
     {.high = 0,
      .high_bits = 1,
      .low = 32,
      .low_bits = 2,
      .run = 32,
      .scales = 96,
      .factor = 108,
      .offset = -1,
      .zero = 4,
      .unpack_scales = unpack_sixteen,
      .pack_scales = pack_sixteen})
TYPE(q4_K, fum_block_choose_shifted,
     {.factor = 0,
      .offset = 2,
      .scales = 4,
      .low = 16,
      .low_bits = 4,
      .run = 32,
      .unpack_scales = unpack_eight,
      .pack_scales = pack_eight})
TYPE(q5_K, fum_block_choose_shifted,
     {.factor = 0,
      .offset = 2,
      .scales = 4,
      .high = 16,
      .high_bits = 1,
      .low = 48,
      .low_bits = 4,
      .run = 32,
      .unpack_scales = unpack_eight,
      .pack_scales = pack_eight})
TYPE(q6_K, fum_block_choose_signed,
     {.low = 0,
      .low_bits = 4,
      .run = 64,
      .high = 128,
      .high_bits = 2,
      .scales = 192,
      .factor = 208,
      .offset = -1,
      .zero = 32,
      .unpack_scales = unpack_bytes,
      .pack_scales = pack_bytes})

FUM_BLOCK_RECORD(q2_K, "Q2_K", 10, 10, 84, 16);
FUM_BLOCK_RECORD(q3_K, "Q3_K", 11, 12, 110, 16);
FUM_BLOCK_RECORD(q4_K, "Q4_K", 12, 15, 144, 32);
FUM_BLOCK_RECORD(q5_K, "Q5_K", 13, 17, 176, 32);
FUM_BLOCK_RECORD(q6_K, "Q6_K", 14, 18, 210, 16);
