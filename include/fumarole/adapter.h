// SPDX-License-Identifier: MIT
// Names the adapters that a picture is drawn with, merges them into models, and extracts them.
#ifndef FUMAROLE_ADAPTER_H
#define FUMAROLE_ADAPTER_H

#include <fumarole/core.h>
#include <fumarole/model.h>

#ifdef __cplusplus
extern "C" {
#endif

// An adapter of a model's weights, such as a LoRA: a .safetensors file that training made.
struct fum_adapter {
    // The path of its file or of a folder that PEFT saved, or its name in a folder of adapters. The
    // ending may be left out.
    const char *name;
    // What it adds is multiplied by these, for the UNet and for the text encoders. 1: as trained.
    float unet_weight, text_weight;
};

// How a pipeline applies adapters.
enum fum_adapter_mode {
    FUM_ADAPTERS_AUTO = 0, // the best for the pipeline, now always merged
    FUM_ADAPTERS_MERGED,   // into the weights, while these load
    // LoRAs of linear layers: products that are added to the layers' results, so that quantised
    // weights stay as they are. Other kinds, and those of convolutions, are merged.
    FUM_ADAPTERS_BESIDE,
};

struct fum_merge_params {
    const struct fum_adapter *adapters;
    int num_adapters;
    const char *adapter_dir; // folder of adapters that are given by name; NULL: none
    // The merged model. Its ending decides: .safetensors, .gguf, or none for a folder.
    const char *path;
    const struct fum_log *log; // may be NULL
};
// Writes the model with the adapters in its weights, in the types that it has.
// Errors: FUM_ERR_ARG, FUM_ERR_IO, FUM_ERR_FORMAT (an adapter that fits nothing),
// FUM_ERR_UNSUPPORTED, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_adapter_merge(const fum_model *model,
                                          const struct fum_merge_params *params,
                                          struct fum_error *err);

struct fum_extract_params {
    const char *path;          // of the LoRA, a .safetensors file
    int rank;                  // of every product, at most
    const struct fum_log *log; // may be NULL
};
// Writes the difference of two models of one shape as a LoRA with kohya's keys, each weight's by
// its largest singular values. Requires LAPACK. Errors: FUM_ERR_FORMAT (another shape, or nothing
// differs), FUM_ERR_UNSUPPORTED, FUM_ERR_IO, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_adapter_extract(const fum_model *base, const fum_model *tuned,
                                            const struct fum_extract_params *params,
                                            struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
