// SPDX-License-Identifier: MIT
// What packings share: runs of a file's elements, converted, and their transposition.
#ifndef FUM_WEIGHTS_TRANSPOSE_H
#define FUM_WEIGHTS_TRANSPOSE_H

#include "weights/packing.h"

// Bytes of a block's columns, which are a cache line, and elements of a run: 9 taps of 32 channels.
// Runs lie a little more than themselves apart, so that the same element of all of them falls into
// different sets of the cache.
enum { FUM_PACK_LINE = 64, FUM_PACK_RUN = 288, FUM_PACK_STRIDE = FUM_PACK_RUN + 8 };

// Converts `count` elements of the view from element `from` on to type dst_type. Elements of the
// same type keep their bits.
void fum_pack_convert(void *dst, enum fum_dtype dst_type, const struct fum_view *view, int64_t from,
                      int64_t count);

// Packs rows that are columns of the file's matrix [columns, channels * taps]. Element e of a
// file's row belongs to packed row e % taps * channels + e / taps.
void fum_pack_transpose(const struct fum_pack_job *job);

#endif
