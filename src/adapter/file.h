// SPDX-License-Identifier: MIT
// Opens an adapter's file and groups its tensors by the module that they belong to.
#ifndef FUM_ADAPTER_FILE_H
#define FUM_ADAPTER_FILE_H

#include "adapter/keys.h"
#include "base/alloc.h"
#include "base/json.h"
#include "io/loader.h"

// The tensors of one module.
struct fum_adapter_group {
    const char *module; // as struct fum_adapter_key has it; in the arena
    const struct fum_loader_tensor *tensors[FUM_ADAPTER_ROLES]; // NULL: absent
    int stem;               // bytes of a tensor's name that name the module
    const char *first_name; // of one of its tensors
};

struct fum_adapter_file {
    fum_loader *loader;
    struct fum_adapter_group *groups; // in the arena
    size_t count;
    cJSON *metadata; // PEFT's settings, in the header or beside the file; NULL: none
};

// Finds and opens the file, or PEFT's folder of one. `dir` may be NULL. *file is to be closed, also
// after a failure.
enum fum_result fum_adapter_file_open(struct fum_adapter_file *file, fum_arena *arena,
                                      const char *dir, const char *name, struct fum_error *err);
// Groups the tensors of an open loader, and refuses one that has none of an adapter.
enum fum_result fum_adapter_file_group(struct fum_adapter_file *file, fum_arena *arena,
                                       struct fum_error *err);
void fum_adapter_file_close(struct fum_adapter_file *file);

#endif
