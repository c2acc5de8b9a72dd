// SPDX-License-Identifier: MIT
// What both forms of torch.save's files share: the names that they may mention, and tensors.
#ifndef FUM_IO_TORCH_READER_H
#define FUM_IO_TORCH_READER_H

#include "io/format.h"
#include "io/pickle.h"
#include "io/torch.h"

// The bytes that tensors point into.
struct fum_torch_storage {
    const char *key;
    uint64_t offset, bytes; // in the file
};

struct fum_torch_reader {
    struct fum_tensors *tensors;
    const struct fum_format_file *file;
    struct fum_error *err;
    fum_arena *arena;
    // Finds the storage `key` of a tensor. The error is set if there is none.
    enum fum_result (*find)(const struct fum_torch_reader *r, const char *tensor, const char *key,
                            struct fum_torch_storage *storage);
    void *user; // of `find`
    // Values that may still be looked at, and bytes that names and copies may still take. An honest
    // file of its size needs no more.
    uint64_t visits, room;
};

// Uses of the names that a file may mention, beside dicts.
enum fum_torch_use {
    FUM_TORCH_TENSOR = 1, // a call: storage, offset, size, stride, …
    FUM_TORCH_TENSOR_V3,  // the same, with the type of its elements as the seventh
    FUM_TORCH_PARAMETER,  // a call: tensor, …
    FUM_TORCH_TYPE,       // of fum_torch_types, and all that follow
};
extern const struct fum_pickle_global fum_torch_globals[];

struct fum_torch_type {
    const char *name;
    enum fum_dtype dtype; // FUM_DTYPE_UNKNOWN: only listed
    size_t bytes;         // of an element
};
extern const struct fum_torch_type fum_torch_types[];

// Returns the bytes of an element of the storage that an identification, ('storage', type, key,
// place, elements, …), describes, and its key; 0: it describes none.
size_t fum_torch_storage_element(const struct fum_pickle_value *persistent, const char **key);

// Adds the tensors of what was saved: a dict, or its "state_dict". `pickle_bytes` bounds the work.
enum fum_result fum_torch_add_saved(struct fum_torch_reader *r,
                                    const struct fum_pickle_value *saved, uint64_t pickle_bytes);

// Sets FUM_ERR_FORMAT: "FILE: tensor NAME: WHAT".
enum fum_result fum_torch_refuse(const struct fum_torch_reader *r, const char *tensor,
                                 const char *what);

#endif
