// SPDX-License-Identifier: MIT
// Compresses bytes for made files, with a small window that is set up once.
#ifndef TESTS_FUZZ_PACKED_H
#define TESTS_FUZZ_PACKED_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

enum pack_format { PACK_ZLIB, PACK_GZIP, PACK_RAW, PACK_FORMATS };

// Returns the size of the compressed bytes, which must fit.
static inline size_t pack_bytes(uint8_t *to, size_t room, const void *bytes, size_t count,
                                enum pack_format format) {
    static const int window_bits[PACK_FORMATS] = {9, 9 + 16, -9};
    static z_stream streams[PACK_FORMATS];
    z_stream *z = &streams[format];
    int ready = z->state ? deflateReset(z)
                         : deflateInit2(z, 1, Z_DEFLATED, window_bits[format], 1, Z_FIXED);
    z->next_in = (Bytef *)(uintptr_t)bytes;
    z->avail_in = (uInt)count;
    z->next_out = to;
    z->avail_out = (uInt)room;
    if (ready != Z_OK || deflate(z, Z_FINISH) != Z_STREAM_END) abort();
    return room - z->avail_out;
}

#endif
