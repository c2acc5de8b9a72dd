// SPDX-License-Identifier: MIT
// Keeps what is known about a device beyond its limits. That is the variant of kernels that the
// user forces, and the choices that measuring found best. The ops give keys and values a meaning.
#ifndef FUM_GPU_TUNING_H
#define FUM_GPU_TUNING_H

#include "gpu/gpu.h"

enum { FUM_MAX_TUNED = 1024, FUM_MAX_NOTE = 16 };

struct fum_variant; // opaque here

struct fum_tuned {
    uint64_t key;
    uint32_t value, reserved;
};

// A choice that a call looked up, with the values worth measuring. The first is the one it takes
// without measuring.
struct fum_tuning_note {
    uint64_t key;
    uint32_t values[FUM_MAX_NOTE];
    int count; // 0: it looked up none
    void (*describe)(uint32_t value, char *text, size_t size);
};

struct fum_tuning {
    const struct fum_variant *variant; // forced, a record of src/ops; NULL: none is
    struct fum_tuning_note *note; // gets the first choice that is looked up; NULL outside tuning
    int count;
    struct fum_tuned items[FUM_MAX_TUNED]; // by rising key
};

// Returns the device's tuning, which only the calls below change. Planning-only devices have one
// too.
const struct fum_tuning *fum_device_tuning(const fum_device *device);
// Forces a variant, which must outlive the device; NULL: each call's own. Not while another thread
// compiles for the device.
void fum_device_set_variant(fum_device *device, const struct fum_variant *variant);
// Adds choices to those that are kept, replacing older ones of the same keys; count 0 drops them
// all. What is over FUM_MAX_TUNED is left out.
void fum_device_set_tuned(fum_device *device, const struct fum_tuned *items, int count);
// Writes them to the cache folder, for the next time that this device is opened with this driver.
// FUM_OK when the device has no such folder.
enum fum_result fum_device_save_tuning(const fum_device *device, struct fum_error *err);

// Returns the value kept under a key, or default_value if there is none. tuning may be NULL.
uint32_t fum_tuning_find(const struct fum_tuning *tuning, uint64_t key, uint32_t default_value);

#endif
