// SPDX-License-Identifier: MIT
// The weights of a model part on a device: loaded once by name, shared by every executable that
// uses them.
#ifndef FUM_WEIGHTS_STORE_H
#define FUM_WEIGHTS_STORE_H

#include "base/view.h"
#include "gpu/gpu.h"
#include "weights/weight.h"

typedef struct fum_weights fum_weights;

struct fum_weights_params {
    fum_device *device;
    struct fum_weight_source source; // must outlive the store
    const char *label;               // "unet", for errors and traces; copied
    int threads;                     // that prepare tensors; 0: one per processor, at most 8
    // Progress of loading, in bytes of device memory; false cancels. May be NULL.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    // Returns how many bytes of a memory budget an executable may take. Called before it allocates
    // anything. The first number is what it can use at most, for activations and all weights; it
    // cannot run in fewer than `least`. Weights that do not fit are streamed (exec/stream.h). NULL:
    // no limit.
    uint64_t (*room)(void *user, uint64_t wanted, uint64_t least);
    void *user;
};

enum fum_result fum_weights_create(fum_weights **weights, const struct fum_weights_params *params,
                                   struct fum_error *err);
void fum_weights_destroy(fum_weights **weights);

// Loads the listed weights that the store does not hold yet. Constants are known by the address of
// their values, so these must outlive the store. Bytes stream from the source through the staging
// ring, repacked and converted on the way; no second copy of the model is ever in memory. A missing
// or misshapen tensor is FUM_ERR_FORMAT and is named.
enum fum_result fum_weights_load(fum_weights *weights, const struct fum_weight *list, int count,
                                 struct fum_error *err);
// Refuses a listed weight that is missing from the source or has another shape there.
enum fum_result fum_weights_check(const fum_weights *weights, const struct fum_weight *list,
                                  int count, struct fum_error *err);
// Returns the device memory that fum_weights_load would take.
uint64_t fum_weights_missing(const fum_weights *weights, const struct fum_weight *list, int count);
// Writes one whole tensor, repacked and converted, to `where`: fum_desc_bytes of its description.
// The file is read a few MiB at a time, so no more of it is ever resident. May be called on a
// thread of its own while nothing is loaded.
enum fum_result fum_weights_write(const fum_weights *weights, const struct fum_weight *weight,
                                  void *where, struct fum_error *err);
// Loads the weights of these names in the files again, into the same places. A stacked weight
// needs the name of one of its tensors only; names that nothing holds are ignored. The source may
// give other values then, of the same shapes: an adapter wraps the source and adds to what it
// reads. Executables need no new compilation: before their next run they repeat the stage
// that depends on weights alone. They read streamed weights again, too. What later stages have
// computed is old until these run again. No submission that reads the weights may be in flight.
// After a failure some of them may be old.
enum fum_result fum_weights_rewrite(fum_weights *weights, const char *const *names, int count,
                                    struct fum_error *err);
// Returns a number that grows with every rewriting. May be called on any thread.
unsigned fum_weights_version(const fum_weights *weights);
// Drops everything that was loaded. No executable may use it any more.
void fum_weights_clear(fum_weights *weights);

// Returns where a loaded weight (or a constant) lies; no buffer if it is not loaded.
struct fum_binding fum_weights_find(const fum_weights *weights, const struct fum_weight *weight);
const struct fum_weights_params *fum_weights_get_params(const fum_weights *weights);
// Returns the bytes of device memory held.
uint64_t fum_weights_bytes(const fum_weights *weights);

#endif
