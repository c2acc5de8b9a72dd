// SPDX-License-Identifier: MIT
// Tiles of the matrix products in shared memory: which there are, what each device class starts
// from, and which one a product gets.
#ifndef FUM_OPS_GEMM_TILES_H
#define FUM_OPS_GEMM_TILES_H

#include "ops/lib/device_class.h"
#include "ops/lib/gemm.h"

// What lib/tiled.glsl takes: rows, columns and terms of a tile, rows and columns of an invocation.
struct fum_tiling {
    uint32_t bm, bn, bk, tm, tn;
};

extern const struct fum_tiling fum_tilings[];
extern const int fum_tiling_count;

// Returns tile number `tile` of the table for a product. Invocations of a gated product have two
// quads of columns, values and gates.
struct fum_tiling fum_tiling_of(int tile, bool gated);

static inline uint32_t fum_tiling_threads(const struct fum_tiling *t) {
    return t->bm / t->tm * (t->bn / t->tn);
}
// Returns the bytes of shared memory of one buffer, with quads of `quad_bytes` bytes and rows of x
// padded by `pad` quads.
static inline uint32_t fum_tiling_shared(const struct fum_tiling *t, uint32_t quad_bytes,
                                         uint32_t pad) {
    return (t->bm * (t->bk / 4 + pad) + t->bk * (t->bn / 4)) * quad_bytes;
}
// True if a workgroup of the tile fits the device.
bool fum_tiling_fits(const struct fum_tiling *t, const struct fum_device_info *info,
                     uint32_t quad_bytes);

// A product to find a tile for.
struct fum_tiling_shape {
    enum fum_dtype dtype;
    bool conv, half;                 // half: f16 arithmetic
    int64_t batches, rows, n, quads; // quads: of terms
    bool gated;                      // half of the n columns are gates of the others
};

struct fum_tiling_choice {
    int tile; // index of fum_tilings
    int splits;
};

// Returns the exponent of the power of two at or above a size, which shapes of a class have in
// common.
uint32_t fum_log2_up(int64_t n);
// Returns the key of the shape's class in fum_tuning; its value is fum_tiling_pack's.
uint64_t fum_tiling_key(const struct fum_tiling_shape *s);
static inline uint32_t fum_tiling_pack(struct fum_tiling_choice c) {
    return (uint32_t)c.tile | (uint32_t)c.splits << 16;
}

// Returns the choice measured best for the shape's class, else the one that the class of the device
// expects to be best. tile -1: none fits.
struct fum_tiling_choice fum_tiling_choose(const struct fum_tiling_shape *s,
                                           const struct fum_device_info *info,
                                           const struct fum_tuning *tuning);
// Lists the choices worth measuring for a shape, best expected first; at most `capacity`. Returns
// their number.
int fum_tiling_candidates(const struct fum_tiling_shape *s, const struct fum_device_info *info,
                          struct fum_tiling_choice *choices, int capacity);
// Splits of the terms as the kernel takes them: whole steps, none empty. Returns how many there are
// then.
int64_t fum_tiling_split(const struct fum_tiling *t, int64_t quads, int64_t splits,
                         int64_t *split_quads);

#endif
