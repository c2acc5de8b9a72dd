// SPDX-License-Identifier: MIT
// Holds the parameters of a training on a device: f32 values that updates write. Every executable
// compiled with the store reads and writes the same memory.
#ifndef FUM_WEIGHTS_PARAMETERS_H
#define FUM_WEIGHTS_PARAMETERS_H

#include <fumarole/parameters.h>

#include "base/view.h"
#include "gpu/gpu.h"
#include "weights/weight.h"

// Takes the initial values from `source`, which must outlive the store; NULL: zeros.
enum fum_result fum_parameters_create_from(fum_parameters **parameters, fum_device *device,
                                           const struct fum_weight_source *source,
                                           struct fum_error *err);
// Adds a parameter with the values of `view`, in the files' layout; NULL: zeros. Does nothing if
// the store holds it already; another shape or packing under its name is FUM_ERR_ARG.
enum fum_result fum_parameters_add(fum_parameters *parameters, const struct fum_weight *weight,
                                   const struct fum_view *view, struct fum_error *err);
// Adds a parameter with its initial values. One that the source does not have is FUM_ERR_FORMAT.
enum fum_result fum_parameters_load(fum_parameters *parameters, const struct fum_weight *weight,
                                    struct fum_error *err);
// Returns where a parameter lies; no buffer if the store does not hold it.
struct fum_binding fum_parameters_find(const fum_parameters *parameters, const char *name);

// Gives each parameter to `put`, in the order they were added, as a file holds it; the view is
// valid during the call. Ends with the first result of `put` that is not FUM_OK.
enum fum_result fum_parameters_save(const fum_parameters *parameters,
                                    enum fum_result (*put)(void *user, const char *name,
                                                           const struct fum_view *view,
                                                           struct fum_error *err),
                                    void *user, struct fum_error *err);

#endif
