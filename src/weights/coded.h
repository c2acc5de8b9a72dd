// SPDX-License-Identifier: MIT
// Packings of ggml's types of blocks, whose integers of 4 or 5 bits lie in planes. A block of one
// output is a column of 32-bit words that pass for f32, one a row:
// - the low bits of all integers, 32 / low_bits of them a word, from the low bits up,
// - their high bits likewise, if there are any,
// - in types with scales, those of the groups as bytes, four a word, then the minimums likewise,
// - the factor as f32, and the factor of the minimums.
// A linear weight, [out, in] in files, is [in / values * rows, out].
#ifndef FUM_WEIGHTS_CODED_H
#define FUM_WEIGHTS_CODED_H

#include "base/block.h"
#include "weights/packing.h"

struct fum_coded {
    int low_bits, high_bits;
    int zero;      // is stored for the integer 0
    bool minimums; // with scales of groups; false: the block has one factor
};

enum { FUM_CODED_MAX_ROWS = 48 };

// Lays out, packs and reads a weight, as hooks of the records.
struct fum_view fum_coded_view(const struct fum_shape *shape, int terms, int rows);
void fum_coded_pack(const struct fum_pack_job *job);
double fum_coded_term(const struct fum_block *block, const uint32_t *words, int64_t stride,
                      int term);

// Defines the packing of a type, `rows` words for each of its blocks.
#define FUM_CODED_PACKING(id, values, words, other, ...)                 \
    static struct fum_view file_view(const struct fum_shape *shape) {    \
        return fum_coded_view(shape, values, words);                     \
    }                                                                    \
    static const struct fum_coded coded = __VA_ARGS__;                   \
    static const struct fum_block block = {.terms = (values),            \
                                           .rows = (words),              \
                                           .type = &fum_block_##id,      \
                                           .coded = &coded,              \
                                           .fallback = (other),          \
                                           .term = fum_coded_term};      \
    const struct fum_packing fum_packing_##id = {.name = #id,            \
                                                 .file_view = file_view, \
                                                 .transposed = true,     \
                                                 .rows = fum_coded_pack, \
                                                 .block = &block}

#endif
