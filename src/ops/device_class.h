// Classes of devices, by what their makers build: which variants each prefers and why. One const table; planning-only
// devices fall into the same classes as the real ones they describe.
#ifndef FUM_OPS_DEVICE_CLASS_H
#define FUM_OPS_DEVICE_CLASS_H

#include "gpu/gpu.h"

enum { FUM_CLASS_VARIANTS = 4 };

struct fum_device_class {
    const char *name;
    bool (*is)(const struct fum_device_info *info);
    // Names of variants, best first; one that the device cannot run in a storage type is passed over, and "plain"
    // follows by itself.
    const char *variants[FUM_CLASS_VARIANTS];
};

// Never NULL.
const struct fum_device_class *fum_device_class_of(const struct fum_device_info *info);

#endif
