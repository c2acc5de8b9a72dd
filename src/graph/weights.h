// The weights of a model part on a device: loaded once by name, shared by every executable that uses them.
#ifndef FUM_GRAPH_WEIGHTS_H
#define FUM_GRAPH_WEIGHTS_H

#include "graph/graph.h"

#include "base/view.h"

typedef struct fum_weights fum_weights;

struct fum_weights_params {
    fum_device *device;
    struct fum_weight_source source; // must outlive the store
    const char *label;               // "unet", for errors and traces; copied
    // Progress of loading, in bytes of device memory; false cancels. May be NULL.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
};

enum fum_result fum_weights_create(fum_weights **weights, const struct fum_weights_params *params,
                                   struct fum_error *err);
void fum_weights_destroy(fum_weights **weights);

// Loads the graph's live tensors of `kind` (FUM_TENSOR_WEIGHT or FUM_TENSOR_CONSTANT) that the store does not hold yet.
// Constants are known by their node, so a store that holds them must not outlive the graph. Bytes stream from the source through the
// staging ring, repacked and converted on the way; no second copy of the model is ever in memory. A missing or
// misshapen tensor is FUM_ERR_FORMAT and is named.
enum fum_result fum_weights_load(fum_weights *weights, const fum_graph *graph, enum fum_tensor_kind kind,
                                 struct fum_error *err);

// Where a loaded weight (or a constant) lies.
struct fum_binding fum_weights_find(const fum_weights *weights, const fum_tensor *tensor);
// Bytes of device memory held.
uint64_t fum_weights_bytes(const fum_weights *weights);

#endif
