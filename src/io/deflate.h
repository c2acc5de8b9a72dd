// Compression for PNG (RFC 1950 and 1951): one block with the fixed Huffman codes, matches from hash chains.
#ifndef FUM_IO_DEFLATE_H
#define FUM_IO_DEFLATE_H

#include "base/alloc.h"

// The zlib stream of `bytes` bytes (under 1 GiB), freed with fum_free; NULL when memory is out.
uint8_t *fum_deflate_zlib(const uint8_t *data, size_t bytes, size_t *out_bytes);

#endif
