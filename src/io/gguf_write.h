// SPDX-License-Identifier: MIT
// Writes GGUF files of version 3.
#ifndef FUM_IO_GGUF_WRITE_H
#define FUM_IO_GGUF_WRITE_H

#include "base/view.h"

struct fum_gguf_tensor {
    const char *name;
    // Computed values, which are f32, are converted to the view's type, as in safetensors files.
    struct fum_view view;
    const struct fum_block_type *blocks; // that it is stored in; NULL: as elements
};

struct fum_gguf_text {
    const char *key, *value;
};

// What a file holds, in the order in which it is written.
struct fum_gguf {
    const char *architecture; // "sd1", the first key
    const struct fum_gguf_text *texts;
    size_t text_count;
    int file_type; // GGUF's number of the type of most weights
    const struct fum_gguf_tensor *tensors;
    size_t count;
    // Progress in bytes of tensors; false cancels. May be NULL.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
};

// Writes the file, which appears only when it is complete. Blocks of the same type are copied as
// they are. Element types that the format does not have are an error.
enum fum_result fum_gguf_write(const char *path, const struct fum_gguf *file,
                               struct fum_error *err);

// Returns true if the format has elements of this type.
bool fum_gguf_has_type(enum fum_dtype dtype);

#endif
