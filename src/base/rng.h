// SPDX-License-Identifier: MIT
// Draws normal numbers as PyTorch does, so that a seed gives the same picture here.
#ifndef FUM_BASE_RNG_H
#define FUM_BASE_RNG_H

#include <fumarole/sampler.h>

// FUM_RNG_CPU repeats torch.randn with a CPU generator: mt19937 seeded with the low 32 bits.
// FUM_RNG_CUDA repeats torch.randn on a CUDA device: Philox4x32-10 keyed with all 64 bits, one
// counter per element. That holds for tensors small enough that every thread draws one element, as
// with A1111's "NV" and sd.cpp's "cuda".

enum { FUM_RNG_MT_WORDS = 624 };

// Plain data, which may be copied to fork the stream. One thread at a time.
struct fum_rng {
    enum fum_rng_kind kind;
    uint64_t seed;
    uint32_t offset; // CUDA: calls so far
    int mt_next;     // CPU: next word of mt; FUM_RNG_MT_WORDS: a new block is due
    uint32_t mt[FUM_RNG_MT_WORDS];
    bool has_cached; // CPU: the second half of a Box-Muller pair waits for the next small draw
    double cached;
};

void fum_rng_init(struct fum_rng *rng, enum fum_rng_kind kind, uint64_t seed);

// Fills out[0..n) with one torch.randn call of n elements. Two calls of n/2 differ from one call of
// n, since torch's streams depend on the size of each tensor. So draw per tensor as the reference
// does. n = 0 draws nothing.
void fum_rng_normal(struct fum_rng *rng, float *out, size_t n);
// Fills out[0..n) with uniform numbers in [0, 1). FUM_RNG_CPU repeats one torch.rand call of n
// elements.
void fum_rng_uniform(struct fum_rng *rng, float *out, size_t n);

#endif
