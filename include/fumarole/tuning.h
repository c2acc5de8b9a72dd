// Variants of the kernels: which ones a device can run, which it uses, and insisting on one.
#ifndef FUMAROLE_TUNING_H
#define FUMAROLE_TUNING_H

#include <fumarole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

// The i-th variant's name ("plain", "tiled", …), NULL after the last. Strings live as long as the library.
FUM_API const char *fum_variant_name(int index);
// What its kernels are, in a few words; NULL for a name that is none.
FUM_API const char *fum_variant_summary(const char *name);
// Whether the device can run it when values are stored as `dtype` (FUM_F32, FUM_F16 or FUM_BF16).
FUM_API bool fum_variant_usable(const char *name, const struct fum_device_info *info, enum fum_dtype dtype);
// Its place in the device's own order of preference in that storage type, from 0; -1: not used unless insisted on.
FUM_API int fum_variant_rank(const char *name, const struct fum_device_info *info, enum fum_dtype dtype);

// From now on what is compiled for the device uses this variant wherever it serves; NULL: the device's own choice
// again. FUM_ERR_ARG: no such variant. FUM_ERR_UNSUPPORTED: the device cannot run it; the error lists those it can.
// Not while another thread compiles for the device.
FUM_API enum fum_result fum_device_force_variant(fum_device *device, const char *name, struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
