// SPDX-License-Identifier: MIT
// The named tensors and texts of weight files, as format readers list them. Immutable once sorted.
#ifndef FUM_IO_TENSORS_H
#define FUM_IO_TENSORS_H

#include "base/alloc.h"
#include "base/view.h"

struct fum_loader_tensor {
    const char *name;
    const char *type;     // as the file spells it
    struct fum_view view; // in the open file
    uint64_t offset;      // of the first byte within its file
    uint64_t bytes;
    size_t file; // index of its file, for fum_loader_file
};

struct fum_tensors_text {
    char *key, *value;
};

struct fum_tensors {
    fum_arena *arena; // borrowed; holds the names and texts
    struct fum_loader_tensor *items;
    size_t count, capacity;
    struct fum_tensors_text *texts;
    size_t text_count, text_capacity;
};

void fum_tensors_free(struct fum_tensors *tensors);

// Appends a tensor or a text; names and texts are copied. False when memory is out.
bool fum_tensors_add(struct fum_tensors *tensors, const struct fum_loader_tensor *tensor);
bool fum_tensors_add_text(struct fum_tensors *tensors, const char *key, const char *value);

// Sorts by name (strcmp). Returns the first tensor whose name the next one has too; NULL: none.
const struct fum_loader_tensor *fum_tensors_sort(struct fum_tensors *tensors);
// Returns the index of the first tensor whose name is not before `name`, comparing the first
// `length` bytes.
size_t fum_tensors_lower_bound(const struct fum_tensors *tensors, const char *name, size_t length);

#endif
