// SPDX-License-Identifier: MIT
// T2IAdapter: a small network that makes features of a picture, which are added to the levels of a
// UNet's way down. Mou et al., "T2I-Adapter" (2023). Its features are the same at every step.
#ifndef FUM_MODEL_T2I_ADAPTER_H
#define FUM_MODEL_T2I_ADAPTER_H

#include "io/loader.h"
#include "model/model.h"

enum { FUM_T2I_MAX_LEVELS = 6 };

// An adapter's files and sizes.
struct fum_t2i_adapter {
    const struct fum_t2i_layout *layout; // of its names
    const char *prefix;                  // before them in the file
    bool light, xl;
    int channels; // of the picture: 1 or 3
    int square;   // pixels of a square's side that are read as channels
    int num_levels, levels[FUM_T2I_MAX_LEVELS]; // channels of the features
    int blocks;                                 // residual blocks of a level
    fum_loader *loader;
};

// True if the path is the folder of an adapter, or a file with tensors that only adapters have.
bool fum_t2i_adapter_matches(const char *path);
// Opens an adapter for a model: a folder of diffusers, or a file by the names of diffusers or the
// original ones. Errors: those of fum_loader_open, FUM_ERR_UNSUPPORTED (of another family).
enum fum_result fum_t2i_adapter_open(struct fum_t2i_adapter *adapter, const fum_model *model,
                                     const char *path, struct fum_error *err);
// Reads the sizes of the adapter in adapter->loader, which is open. `square` is the
// configuration's; 0: unknown.
enum fum_result fum_t2i_adapter_read(struct fum_t2i_adapter *adapter, double square,
                                     struct fum_error *err);
void fum_t2i_adapter_close(struct fum_t2i_adapter *adapter);
// Finds a weight by the name that it has in the graph, without the graph's prefix.
bool fum_t2i_adapter_find(const struct fum_t2i_adapter *adapter, const char *name,
                          struct fum_view *view);

// Adds the adapter. picture: [1, height / square, width / square, channels · square²] in 0..1, the
// pixels of a square behind each other for each colour. Stores the features of the levels. Returns
// their number; 0 after an error.
int fum_t2i_adapter_build(fum_graph *graph, const struct fum_t2i_adapter *adapter,
                          const char *prefix, fum_tensor *picture,
                          fum_tensor *features[FUM_T2I_MAX_LEVELS]);

#endif
