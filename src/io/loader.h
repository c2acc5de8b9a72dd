// SPDX-License-Identifier: MIT
// Named tensors out of weight files. A loader checks the headers of its files whole when it opens:
// after that no tensor can point outside its file. Immutable once open, so any number of threads
// may read from it.
#ifndef FUM_IO_LOADER_H
#define FUM_IO_LOADER_H

#include "base/file.h"
#include "base/view.h"

typedef struct fum_loader fum_loader;

struct fum_loader_tensor {
    const char *name;
    const char *type;     // as the file spells it
    struct fum_view view; // in the open file
    uint64_t offset;      // of the first byte within its file
    uint64_t bytes;
    size_t file; // index of its file, for fum_loader_file
};

// Opens one .safetensors file, or all the files that a *.safetensors.index.json (or
// .index.fp16.json) names. A file of another kind (pickle, GGUF) is FUM_ERR_UNSUPPORTED with a
// hint; damage is FUM_ERR_FORMAT and names file, tensor and offset.
enum fum_result fum_loader_open(fum_loader **loader, const char *path, struct fum_error *err);
// The same for a .safetensors file's bytes, which must outlive the loader; `label` stands for the
// path in errors.
enum fum_result fum_loader_open_memory(fum_loader **loader, const void *data, uint64_t bytes,
                                       const char *label, struct fum_error *err);
void fum_loader_close(fum_loader **loader);

// Tensors are sorted by name (strcmp), so index i is stable. fum_loader_find returns NULL when
// there is none, and fum_loader_index the index of a tensor that the loader handed out.
size_t fum_loader_count(const fum_loader *loader);
const struct fum_loader_tensor *fum_loader_at(const fum_loader *loader, size_t index);
const struct fum_loader_tensor *fum_loader_find(const fum_loader *loader, const char *name);
size_t fum_loader_index(const fum_loader *loader, const struct fum_loader_tensor *tensor);
// How many tensors' names begin with `prefix`, and with `first` non-NULL the index of the first
// one; they follow each other.
size_t fum_loader_count_prefix(const fum_loader *loader, const char *prefix, size_t *first);

// The path that was opened, the files behind it and their total size.
const char *fum_loader_path(const fum_loader *loader);
size_t fum_loader_file_count(const fum_loader *loader);
const char *fum_loader_file(const fum_loader *loader, size_t file);
// NULL: in memory
const struct fum_file *fum_loader_open_file(const fum_loader *loader, size_t file);
uint64_t fum_loader_file_bytes(const fum_loader *loader);

// Text that the file carries about itself (safetensors' __metadata__); NULL when the key is not
// there.
const char *fum_loader_metadata(const fum_loader *loader, const char *key);
size_t fum_loader_metadata_count(const fum_loader *loader);
void fum_loader_metadata_at(const fum_loader *loader, size_t index, const char **key,
                            const char **value);

// For format readers, while the loader opens: add what a file holds. Names and texts are copied.
enum fum_result fum_loader_add(fum_loader *loader, const struct fum_loader_tensor *tensor,
                               struct fum_error *err);
enum fum_result fum_loader_add_metadata(fum_loader *loader, const char *key, const char *value,
                                        struct fum_error *err);

#endif
