// SPDX-License-Identifier: MIT
// Reads and writes the safetensors format. Eight bytes hold the little-endian length of a JSON
// header, which maps names to dtype, shape and the range of their bytes. Then the bytes follow.
// Reading goes through io/loader.h.
#ifndef FUM_IO_SAFETENSORS_H
#define FUM_IO_SAFETENSORS_H

#include "io/format.h"

struct fum_safetensors_tensor {
    const char *name;
    struct fum_view view;
};

struct fum_safetensors_text {
    const char *key, *value;
};

// What a file holds.
struct fum_safetensors {
    const struct fum_safetensors_tensor *tensors;
    size_t count;
    const struct fum_safetensors_text *metadata; // may be NULL
    size_t metadata_count;
    // Progress in bytes of tensors; false cancels. May be NULL.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
};

// Writes tensors and metadata to `path`, which appears only when the file is complete. Names must
// be unique UTF-8. The tensors' order in the file is by element size, largest first, so that each
// is aligned to its element. Bytes may be in memory or in a file. Computed values, which are f32,
// are converted to the view's type, and only those of one tensor are in memory at a time.
enum fum_result fum_safetensors_write(const char *path, const struct fum_safetensors *file,
                                      struct fum_error *err);

// Refuses a header that is cut off, over the limit or not the JSON it should be. Refuses more than
// FUM_VIEW_MAX_DIMS dimensions, and sizes that overflow or do not match their range. Refuses ranges
// outside the file, overlaps, and bytes that belong to no tensor. An unknown dtype becomes
// FUM_DTYPE_UNKNOWN: it matters only if the tensor is needed.
extern const struct fum_format fum_format_safetensors;

// Returns the format's name of an element type ("F32").
const char *fum_safetensors_dtype_name(enum fum_dtype dtype);
// Finds the element type of such a name. False: none.
bool fum_safetensors_dtype_parse(const char *name, enum fum_dtype *dtype);

#endif
