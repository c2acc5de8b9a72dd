// SPDX-License-Identifier: MIT
// IDX files in memory.
#ifndef FUM_DATA_IDX_H
#define FUM_DATA_IDX_H

#include <fumarole/core.h>

// The bytes of a file, packed by gzip or not, and what errors call it.
struct fum_idx_file {
    const uint8_t *data;
    size_t bytes;
    const char *where;
};
struct fum_idx {
    int rank;
    uint32_t dim[4];
    size_t header_bytes;
    uint64_t bytes;      // the product of the dimensions
    const uint8_t *data; // in the file, or in `unpacked`
    uint8_t *unpacked;   // freed by the caller with fum_free; NULL: the file was not packed
};
// Checks a file of bytes and unpacks it. Nothing is allocated for data that the file cannot hold.
enum fum_result fum_idx_parse(const struct fum_idx_file *file, struct fum_idx *idx,
                              struct fum_error *err);

#endif
