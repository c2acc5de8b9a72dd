// SPDX-License-Identifier: MIT
// Types of weights in blocks, as ggml defines them: integers with factors that several share. Each
// type is one record. Types of 32 values are in block_32.c, those of 256 ("K") in block_k.c.
#ifndef FUM_BASE_BLOCK_H
#define FUM_BASE_BLOCK_H

#include <fumarole/tensor.h>

#include <stddef.h>
#include <stdint.h>

enum { FUM_BLOCK_MAX_VALUES = 256, FUM_BLOCK_MAX_BYTES = 210, FUM_BLOCK_MAX_GROUPS = 16 };

// What a block holds, unpacked: value i of group g is factor * scale[g] * code[i] -
// offset * minimum[g]. Products are rounded to f32 from the left, as ggml does.
struct fum_block_codes {
    float factor, offset;
    int16_t scale[FUM_BLOCK_MAX_GROUPS], minimum[FUM_BLOCK_MAX_GROUPS];
    int16_t code[FUM_BLOCK_MAX_VALUES];
};

struct fum_block_type {
    const char *name;  // "q4_0"
    const char *title; // as GGUF's tools spell it: "Q4_0"
    uint32_t number;   // in GGUF files
    int file_type;     // GGUF's number of a file of mostly this type
    int values, bytes; // of a block
    int group;         // values that share a scale
    void (*unpack)(const uint8_t *block, struct fum_block_codes *codes);
    void (*quantise)(const float *values, uint8_t *block);
};

// Ends with NULL.
extern const struct fum_block_type *const fum_block_types[FUM_BLOCK_TYPES + 1];
extern const struct fum_block_type fum_block_q8_0, fum_block_q4_0, fum_block_q4_1, fum_block_q5_0,
    fum_block_q5_1, fum_block_q2_K, fum_block_q3_K, fum_block_q4_K, fum_block_q5_K, fum_block_q6_K;

// Returns the type of that name, in any letter case; NULL: none.
const struct fum_block_type *fum_block_find(const char *name);
// Returns the type of that number in GGUF files; NULL: none.
const struct fum_block_type *fum_block_of_number(uint32_t number);

// Writes the values of `count` blocks.
void fum_blocks_read(const struct fum_block_type *type, const uint8_t *blocks, size_t count,
                     float *values);
// Quantises values to `count` blocks. Types of 32 values round as ggml's reference does, byte for
// byte. A block with a non-finite value gets a factor that is NaN.
void fum_blocks_write(const struct fum_block_type *type, const float *values, size_t count,
                      uint8_t *blocks);

// ---- for block_*.c ----

// Defines the record of a type from its functions unpack_TYPE and quantise_TYPE. The file's COUNT
// is the values of a block. `code` and `mostly`: numbers of the type of tensors and of files;
// `across`: values of a group.
#define FUM_BLOCK_RECORD(type, spelled, code, mostly, size, across)          \
    const struct fum_block_type fum_block_##type = {.name = #type,           \
                                                    .title = spelled,        \
                                                    .number = code,          \
                                                    .file_type = mostly,     \
                                                    .values = COUNT,         \
                                                    .bytes = size,           \
                                                    .group = across,         \
                                                    .unpack = unpack_##type, \
                                                    .quantise = quantise_##type}

// Reads and writes an f16 as f32, in little-endian bytes.
float fum_block_half(const uint8_t *bytes);
void fum_block_put_half(uint8_t *bytes, float value);
// Finds codes for 256 values whose groups have scales, and minimums if `codes` are not negative.
struct fum_block_search {
    int group;           // values of a group
    int lowest, highest; // codes
    int scales;          // the largest scale; their lowest is -scales - 1 without minimums, else 0
};
void fum_block_choose_signed(const struct fum_block_search *search, const float *values,
                             struct fum_block_codes *codes);
void fum_block_choose_shifted(const struct fum_block_search *search, const float *values,
                              struct fum_block_codes *codes);

#endif
