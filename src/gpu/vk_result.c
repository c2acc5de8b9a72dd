// SPDX-License-Identifier: MIT
// Turns Vulkan's results into fumarole's errors, and injects failures for tests.
#include "gpu/vk.h"

#include "base/error.h"

const char *fum_vk_result_name(VkResult vr) {
#define NAME(x) \
    case x: return #x
    switch (vr) {
        NAME(VK_SUCCESS);
        NAME(VK_NOT_READY);
        NAME(VK_TIMEOUT);
        NAME(VK_INCOMPLETE);
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY);
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY);
        NAME(VK_ERROR_INITIALIZATION_FAILED);
        NAME(VK_ERROR_DEVICE_LOST);
        NAME(VK_ERROR_MEMORY_MAP_FAILED);
        NAME(VK_ERROR_LAYER_NOT_PRESENT);
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT);
        NAME(VK_ERROR_FEATURE_NOT_PRESENT);
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER);
        NAME(VK_ERROR_TOO_MANY_OBJECTS);
        NAME(VK_ERROR_FRAGMENTED_POOL);
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY);
        NAME(VK_ERROR_FRAGMENTATION);
        NAME(VK_ERROR_INVALID_SHADER_NV);
        NAME(VK_ERROR_UNKNOWN);
    default: return "an unknown VkResult";
    }
#undef NAME
}

VkResult fum_vk_injected(struct fum_vk *vk) {
    if (atomic_load(&vk->lost)) return VK_ERROR_DEVICE_LOST;
    if (atomic_load(&vk->inject_after) < 0 || atomic_fetch_sub(&vk->inject_after, 1) != 0)
        return VK_SUCCESS;
    return atomic_load(&vk->inject_what) == FUM_INJECT_DEVICE_LOST ? VK_ERROR_DEVICE_LOST
                                                                   : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

void fum_device_inject(fum_device *device, int after, enum fum_injection what) {
    struct fum_vk *vk = fum_vk_of(device);
    atomic_store(&vk->inject_what, (int)what);
    atomic_store(&vk->inject_after, after);
}

void fum_vk_failed(struct fum_vk *vk, const char *call, VkResult vr, const char *file, int line) {
    if (vr == VK_ERROR_DEVICE_LOST) atomic_store(&vk->lost, true);
    const char *name = file;
    for (const char *p = file; *p; p++)
        if (*p == '/' || *p == '\\') name = p + 1;
    fum_log(&vk->front->log, FUM_LOG_DEBUG, "%s: %s at %s:%d", call, fum_vk_result_name(vr), name,
            line);
}

enum fum_result fum_vk_error(struct fum_error *err, VkResult vr, const char *label,
                             const char *doing) {
    const char *name = fum_vk_result_name(vr);
    switch (vr) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return fum_error_set(err, FUM_ERR_NOMEM,
                             "%s: %s: host memory ran out (%s); close other programs", label, doing,
                             name);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_FRAGMENTATION:
    case VK_ERROR_MEMORY_MAP_FAILED:
        return fum_error_set(err, FUM_ERR_NOMEM,
                             "%s: %s: device memory ran out (%s); use a smaller picture or batch, "
                             "f16, or a memory budget",
                             label, doing, name);
    case VK_ERROR_DEVICE_LOST:
        return fum_error_set(
            err, FUM_ERR_DEVICE,
            "%s: %s: the device was lost (%s): the driver reset it, usually because one piece of "
            "work took too long; start again, with a smaller picture or batch if it happens again",
            label, doing, name);
    default:
        return fum_error_set(err, FUM_ERR_DEVICE, "%s: %s: the driver failed with %s", label, doing,
                             name);
    }
}
