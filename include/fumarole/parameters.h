// SPDX-License-Identifier: MIT
// Holds what a training changes, on a device: stores of parameters, which several executables
// share. One thread at a time.
#ifndef FUMAROLE_PARAMETERS_H
#define FUMAROLE_PARAMETERS_H

#include <fumarole/core.h>
#include <fumarole/device.h>
#include <fumarole/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

// Creates an empty store of parameters. An executable that is compiled with it adds the parameters
// of its graph, as zeros. The device must outlive it.
FUM_API enum fum_result fum_parameters_create(fum_parameters **parameters, fum_device *device,
                                              struct fum_error *err);
FUM_API void fum_parameters_destroy(fum_parameters **parameters);
// Copies a parameter's values to or from the device: `count` dense elements in the order of model
// files, as its packing says (see enum fum_pack).
FUM_API enum fum_result fum_parameters_read(const fum_parameters *parameters, const char *name,
                                            float *values, size_t count, struct fum_error *err);
FUM_API enum fum_result fum_parameters_write(fum_parameters *parameters, const char *name,
                                             const float *values, size_t count,
                                             struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
