// SPDX-License-Identifier: MIT
// Reads and writes zip archives, in which NumPy keeps arrays (.npz) and PyTorch keeps tensors.
#ifndef FUM_IO_ZIP_H
#define FUM_IO_ZIP_H

#include "base/file.h"
#include "base/view.h"

struct fum_zip_entry {
    const char *name;
    uint64_t offset; // of its first byte in the archive
    uint64_t packed; // bytes in the archive
    uint64_t bytes;  // unpacked
    uint32_t crc;
    uint16_t method; // FUM_ZIP_STORED or FUM_ZIP_DEFLATED; an archive may have others
};

enum { FUM_ZIP_STORED = 0, FUM_ZIP_DEFLATED = 8 };

// Plain data in an arena. Every entry lies inside the archive.
struct fum_zip {
    const char *path;      // names it in errors
    struct fum_view bytes; // the whole archive
    struct fum_zip_entry *entries;
    size_t count;
};

// Lists the entries of an archive, zip64 too. Everything is allocated in the arena. Archives of
// several parts and encrypted entries are refused.
enum fum_result fum_zip_open(struct fum_zip *zip, fum_arena *arena, const char *path,
                             const struct fum_view *bytes, struct fum_error *err);
// Returns the entry of this name, or NULL.
const struct fum_zip_entry *fum_zip_find(const struct fum_zip *zip, const char *name);
// Reads an entry of at most `limit` bytes and checks its CRC. Free *data with fum_free.
enum fum_result fum_zip_read(const struct fum_zip *zip, const struct fum_zip_entry *entry,
                             uint64_t limit, uint8_t **data, struct fum_error *err);

// One entry to write.
struct fum_zip_piece {
    const char *name;
    const void *data;
    size_t bytes; // less than 4 GiB, as is the whole archive
};
// Writes an archive of stored entries. The file appears only when it is complete.
enum fum_result fum_zip_write(const char *path, const struct fum_zip_piece *pieces, size_t count,
                              struct fum_error *err);

#endif
