// SPDX-License-Identifier: MIT
// Lists the variants of the kernels, forces one on a device, and measures which tiles suit a
// device.
#ifndef FUMAROLE_TUNING_H
#define FUMAROLE_TUNING_H

#include <fumarole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

// Returns the i-th variant's name ("plain", "tiled", …), or NULL after the last. Strings live as
// long as the library.
FUM_API const char *fum_variant_name(int index);
// Returns a short description of its kernels, or NULL for an unknown name.
FUM_API const char *fum_variant_summary(const char *name);
// True if the device can run it with values stored as `dtype` (FUM_F32, FUM_F16 or FUM_BF16).
FUM_API bool fum_variant_usable(const char *name, const struct fum_device_info *info,
                                enum fum_dtype dtype);
// Returns its place in the device's order of preference for that storage type, from 0. -1: not used
// unless forced.
FUM_API int fum_variant_rank(const char *name, const struct fum_device_info *info,
                             enum fum_dtype dtype);

// Forces a variant, wherever it serves, on everything that is compiled for the device from now on.
// NULL: the device's own choice again. FUM_ERR_ARG: no such variant. FUM_ERR_UNSUPPORTED: the
// device cannot run it, and the error lists the variants it can run. No other thread may compile
// for the device meanwhile.
FUM_API enum fum_result fum_device_force_variant(fum_device *device, const char *name,
                                                 struct fum_error *err);

// One measured class of shapes: the default choice of the device's class and the choice that is
// kept. They differ only if the second is faster by more than the noise. Strings live during the
// callback.
struct fum_tune_result {
    const char *op, *name; // a shape of the class
    enum fum_dtype type;
    int choices; // number of measured choices
    const char *before, *after;
    double before_seconds, after_seconds; // medians
    double flops;
};

struct fum_tune_params {
    const char *op;    // NULL: all
    unsigned types;    // mask 1 << dtype; 0: f32, and f16 if the device stores it
    double most_flops; // larger shapes are skipped; 0: no limit
    double seconds;    // no further class is begun after that; 0: 60
    void *user;
    void (*on_result)(void *user, const struct fum_tune_result *result); // may be NULL
    bool (*cancel)(void *user); // true stops and keeps the results so far; may be NULL
};

// Measures the choices of the device's variants for the shapes of real models. The best are used
// for what is compiled on this device from now on, and kept in the cache folder for the next time.
// Choices of other classes stay. *measured: number of classes of shapes; 0: the variants in use
// have no choices (on CPU devices). `params` may be NULL.
FUM_API enum fum_result fum_tune(fum_device *device, const struct fum_tune_params *params,
                                 int *measured, struct fum_error *err);
// Returns the number of kept choices. The second drops them all, on disk too.
FUM_API int fum_device_tuned(const fum_device *device);
FUM_API enum fum_result fum_device_forget_tuning(fum_device *device, struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
