#include "ops/device_class.h"

enum { AMD = 0x1002, APPLE = 0x106b, NVIDIA = 0x10de, ARM = 0x13b5, BROADCOM = 0x14e4, QUALCOMM = 0x5143, INTEL = 0x8086 };

static bool is_cpu(const struct fum_device_info *info) { return info->type == FUM_DEVICE_CPU; }
static bool is_nvidia(const struct fum_device_info *info) { return info->vendor_id == NVIDIA; }
static bool is_amd(const struct fum_device_info *info) { return info->vendor_id == AMD; }
static bool is_intel(const struct fum_device_info *info) { return info->vendor_id == INTEL; }
static bool is_apple(const struct fum_device_info *info) { return info->vendor_id == APPLE; }
static bool is_qualcomm(const struct fum_device_info *info) { return info->vendor_id == QUALCOMM; }
static bool is_arm(const struct fum_device_info *info) { return info->vendor_id == ARM; }
static bool is_broadcom(const struct fum_device_info *info) { return info->vendor_id == BROADCOM; }
static bool is_any(const struct fum_device_info *info) {
    (void)info;
    return true;
}

static const struct fum_device_class classes[] = {
    // Shared memory and barriers only cost on a CPU: all of its memory is cached alike.
    {"cpu", is_cpu, {"texel"}},
    {"nvidia", is_nvidia, {"coopmat", "tiled"}},
    {"amd", is_amd, {"coopmat", "f16", "tiled"}},
    {"intel", is_intel, {"coopmat", "f16", "tiled"}},
    {"apple", is_apple, {"f16", "tiled"}},
    {"qualcomm", is_qualcomm, {"f16", "tiled"}},
    // Local memory is global memory there: Arm advises against staging, and loads 128 bits at a time instead.
    {"arm", is_arm, {NULL}},
    {"broadcom", is_broadcom, {"tiled"}},
    {"other", is_any, {"tiled"}},
};

const struct fum_device_class *fum_device_class_of(const struct fum_device_info *info) {
    const struct fum_device_class *c = classes;
    while (!c->is(info)) c++;
    return c;
}
