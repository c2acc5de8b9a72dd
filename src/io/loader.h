// SPDX-License-Identifier: MIT
// Reads named tensors out of weight files. A loader checks the headers of its files whole when it
// opens: after that no tensor can point outside its file. Immutable once open, so any number of
// threads may read from it.
#ifndef FUM_IO_LOADER_H
#define FUM_IO_LOADER_H

#include "base/file.h"
#include "io/tensors.h"

typedef struct fum_loader fum_loader;

// Opens one .safetensors or GGUF file or torch.save's dict of tensors (.ckpt, .pt, .pth, .bin). An
// index (*.index.json, *.index.fp16.json) stands for all the files that it names. A file of another
// kind is FUM_ERR_UNSUPPORTED with a hint; damage is FUM_ERR_FORMAT and names file, tensor and
// offset. If a file holds only the averages of a UNet's weights (model_ema), these have its
// weights' names.
enum fum_result fum_loader_open(fum_loader **loader, const char *path, struct fum_error *err);
// Opens several files as one. The names of each one's tensors get a prefix.
struct fum_loader_part {
    const char *path, *prefix;
};
enum fum_result fum_loader_open_joined(fum_loader **loader, const struct fum_loader_part *parts,
                                       size_t count, struct fum_error *err);
// Opens a .safetensors file's bytes, which must outlive the loader; `label` stands for the path in
// errors.
enum fum_result fum_loader_open_memory(fum_loader **loader, const void *data, uint64_t bytes,
                                       const char *label, struct fum_error *err);
void fum_loader_close(fum_loader **loader);

// Tensors are sorted by name (strcmp), so index i is stable. fum_loader_find returns NULL when
// there is none, and fum_loader_index the index of a tensor that the loader handed out.
size_t fum_loader_count(const fum_loader *loader);
const struct fum_loader_tensor *fum_loader_at(const fum_loader *loader, size_t index);
const struct fum_loader_tensor *fum_loader_find(const fum_loader *loader, const char *name);
size_t fum_loader_index(const fum_loader *loader, const struct fum_loader_tensor *tensor);
// Returns how many tensors' names begin with `prefix`. *first (may be NULL): the index of the first
// one; they follow each other.
size_t fum_loader_count_prefix(const fum_loader *loader, const char *prefix, size_t *first);
// Returns dimension `axis` of the tensor prefix + printf(fmt); 0 when there is no such tensor or
// axis, or the dimension is over a million.
int fum_loader_dim(const fum_loader *loader, const char *prefix, int axis, const char *fmt, ...)
    FUM_PRINTF(4, 5);
// Returns a dimension of a tensor that must be there; 0 with an error if it is not.
int fum_loader_need(const fum_loader *loader, const char *prefix, int axis, const char *name,
                    struct fum_error *err);
// True if the name of some tensor begins with prefix + printf(fmt).
bool fum_loader_has(const fum_loader *loader, const char *prefix, const char *fmt, ...)
    FUM_PRINTF(3, 4);

// Returns the path that was opened, and the files behind it.
const char *fum_loader_path(const fum_loader *loader);
size_t fum_loader_file_count(const fum_loader *loader);
const char *fum_loader_file(const fum_loader *loader, size_t file);
// Returns the open file; NULL: its bytes are in memory.
const struct fum_file *fum_loader_open_file(const fum_loader *loader, size_t file);

// Returns the index-th text that the files carry about themselves (safetensors' __metadata__), with
// its key; NULL past the last.
const char *fum_loader_text(const fum_loader *loader, size_t index, const char **key);
// Returns the text of a key; NULL if there is none.
const char *fum_loader_metadata(const fum_loader *loader, const char *key);

#endif
