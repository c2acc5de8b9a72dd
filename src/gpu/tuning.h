// What is known about a device beyond its limits: the variant of kernels that the user insists on, and choices that
// measuring has found best. Opaque here: the ops give keys and values their meaning.
#ifndef FUM_GPU_TUNING_H
#define FUM_GPU_TUNING_H

#include "gpu/gpu.h"

enum { FUM_MAX_TUNED = 1024 };

struct fum_tuned {
    uint64_t key;
    uint32_t value, reserved;
};

struct fum_tuning {
    const char *variant; // a name of static storage; NULL: each call's own
    int count;
    struct fum_tuned items[FUM_MAX_TUNED]; // by rising key
};

// The device's; changes only by the calls below. Planning-only devices have one too.
const struct fum_tuning *fum_device_tuning(const fum_device *device);
// Not while another thread compiles for the device. `variant` must outlive the device; NULL: each call's own.
void fum_device_set_variant(fum_device *device, const char *variant);
// Replaces the choices. Only the first FUM_MAX_TUNED are kept; they need not be sorted.
void fum_device_set_tuned(fum_device *device, const struct fum_tuned *items, int count);

// The value kept under a key; `otherwise` when there is none. tuning may be NULL.
uint32_t fum_tuning_find(const struct fum_tuning *tuning, uint64_t key, uint32_t otherwise);

#endif
