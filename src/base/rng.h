// SPDX-License-Identifier: MIT
// Normal draws that repeat those of PyTorch, so that a seed gives the same picture here as
// elsewhere.
#ifndef FUM_BASE_RNG_H
#define FUM_BASE_RNG_H

#include <fumarole/sampler.h>

// FUM_RNG_CPU repeats torch.randn(n, generator=torch.Generator("cpu").manual_seed(seed)): mt19937
// seeded with the low 32 bits. FUM_RNG_CUDA repeats torch.randn on a CUDA device for tensors small
// enough that every thread draws one element (as A1111's "NV" and sd.cpp's "cuda" do):
// Philox4x32-10 keyed with all 64 bits, one counter per element.

enum { FUM_RNG_MT_WORDS = 624 };

// Plain data; copy it to fork the stream. One thread at a time.
struct fum_rng {
    enum fum_rng_kind kind;
    uint64_t seed;
    uint32_t offset; // CUDA: calls so far
    int mt_next;     // CPU: next word of mt; FUM_RNG_MT_WORDS asks for a new block
    uint32_t mt[FUM_RNG_MT_WORDS];
    bool has_cached; // CPU: the second half of a Box-Muller pair waits for the next small draw
    double cached;
};

void fum_rng_init(struct fum_rng *rng, enum fum_rng_kind kind, uint64_t seed);

// Fills out[0..n) with one torch.randn call of n elements. Two calls of n/2 are not one call of n:
// torch's streams depend on the size of each tensor, so draw per tensor as the reference does. n =
// 0 draws nothing.
void fum_rng_normal(struct fum_rng *rng, float *out, size_t n);

#endif
