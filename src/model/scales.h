// SPDX-License-Identifier: MIT
// Holds the factors of weights that were scaled to fit eight bits ("scaled fp8"): weight = stored
// value · factor. ComfyUI names them X.scale_weight or X.weight_scale beside X.weight; there is
// one, or one for each row.
#ifndef FUM_MODEL_SCALES_H
#define FUM_MODEL_SCALES_H

#include "io/loader.h"

typedef struct fum_scales fum_scales;

// Reads the factors of all weights whose names begin with `prefix`. Other arrangements than those
// above give FUM_ERR_UNSUPPORTED, which names the tensor.
enum fum_result fum_scales_create(fum_scales **scales, const fum_loader *loader, const char *prefix,
                                  struct fum_error *err);
void fum_scales_destroy(fum_scales **scales);

// Returns the factors beside "X.weight"; NULL: it has none.
const struct fum_loader_tensor *fum_scales_find(const fum_loader *loader, const char *weight);

// Returns "X.weight" if `name` is "X.comfy_quant", where ComfyUI finds the name of the weight's
// format. So it goes where the weight gets another format. NULL: it is no such name or weight.
const struct fum_loader_tensor *fum_scales_find_named(const fum_loader *loader, const char *name);

// Gives the view of the loader's tensor `index` its factors, if it has any; they live as long as
// `scales`.
void fum_scales_apply(const fum_scales *scales, size_t index, struct fum_view *view);

#endif
