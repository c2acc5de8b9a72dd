// SPDX-License-Identifier: MIT
// Computes a model's hash: the SHA-256 of a single file, as A1111 and the sites that models come
// from name it. A folder's is the SHA-256 of its weight files' digests (as hexadecimal digits, one
// after another) in the order of their names.
//
// A thread of its own reads the files while the device computes. The user's cache folder keeps the
// digests of large ones, so that an unchanged file is read once.
#ifndef FUM_MODEL_MODEL_HASH_H
#define FUM_MODEL_MODEL_HASH_H

#include <fumarole/model.h>

struct fum_model_hash;

// Starts the hash. The model must outlive it. *hash stays NULL for models without files.
enum fum_result fum_model_hash_begin(struct fum_model_hash **hash, const fum_model *model,
                                     struct fum_error *err);
// Returns the result when it is complete: 64 hexadecimal digits, which belong to `hash`. NULL if
// `hash` is NULL or a file cannot be read. NULL if `go_on` (which may be NULL) returns false; the
// work continues with the next call.
const char *fum_model_hash_wait(struct fum_model_hash *hash, bool (*go_on)(void *user), void *user);
// Stops the thread and frees it.
void fum_model_hash_end(struct fum_model_hash **hash);

#endif
