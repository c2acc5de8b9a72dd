// SPDX-License-Identifier: MIT
// Variants of the kernels: which ones a device can run, which it uses, insisting on one; and
// measuring which tiles suit a device.
#ifndef FUMAROLE_TUNING_H
#define FUMAROLE_TUNING_H

#include <fumarole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

// The i-th variant's name ("plain", "tiled", …), NULL after the last. Strings live as long as the
// library.
FUM_API const char *fum_variant_name(int index);
// What its kernels are, in a few words; NULL for a name that is none.
FUM_API const char *fum_variant_summary(const char *name);
// Whether the device can run it when values are stored as `dtype` (FUM_F32, FUM_F16 or FUM_BF16).
FUM_API bool fum_variant_usable(const char *name, const struct fum_device_info *info,
                                enum fum_dtype dtype);
// Its place in the device's own order of preference in that storage type, from 0; -1: not used
// unless insisted on.
FUM_API int fum_variant_rank(const char *name, const struct fum_device_info *info,
                             enum fum_dtype dtype);

// From now on what is compiled for the device uses this variant wherever it serves; NULL: the
// device's own choice again. FUM_ERR_ARG: no such variant. FUM_ERR_UNSUPPORTED: the device cannot
// run it; the error lists those it can. Not while another thread compiles for the device.
FUM_API enum fum_result fum_device_force_variant(fum_device *device, const char *name,
                                                 struct fum_error *err);

// One class of shapes measured: the choice that the device's class would have taken and the one
// kept, which differ only where the second is faster by more than the noise. Strings live during
// the callback.
struct fum_tune_result {
    const char *op, *name; // a shape of the class
    enum fum_dtype type;
    int choices; // that were measured
    const char *before, *after;
    double before_seconds, after_seconds; // medians
    double flops;
};

struct fum_tune_params {
    const char *op;    // NULL: all
    unsigned types;    // mask 1 << dtype; 0: f32, and f16 where it can be stored
    double most_flops; // larger shapes are passed over; 0: none
    double seconds;    // no further class is begun after that; 0: 60
    void *user;
    void (*on_result)(void *user, const struct fum_tune_result *result); // may be NULL
    bool (*cancel)(void *user); // true: stop and keep what is known; may be NULL
};

// Measures the choices that the device's variants have for the shapes of real models, keeps the
// best for what is compiled on this device from now on, and in the cache folder for the next time.
// Choices of other classes stay. *measured: classes of shapes, 0 where the variants in use have no
// choices (on CPU devices). params may be NULL.
FUM_API enum fum_result fum_tune(fum_device *device, const struct fum_tune_params *params,
                                 int *measured, struct fum_error *err);
// Choices kept; and dropping them all, on disk too.
FUM_API int fum_device_tuned(const fum_device *device);
FUM_API enum fum_result fum_device_forget_tuning(fum_device *device, struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
