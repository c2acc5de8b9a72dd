// SPDX-License-Identifier: MIT
// Lists the machine's devices and opens one. Stands above both back ends.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

// Describes every device of an instance.
struct listing {
    VkPhysicalDevice *physical;
    struct fum_device_info *infos;
    const char **refusals;
    int count;
};

static void listing_free(struct listing *l) {
    fum_free(l->physical);
    fum_free(l->infos);
    fum_free(l->refusals);
    *l = (struct listing){0};
}

static enum fum_result listing_make(struct listing *l, const struct fum_vk_instance *instance,
                                    struct fum_error *err) {
    *l = (struct listing){0};
    enum fum_result result = fum_vk_instance_devices(instance, &l->physical, &l->count, err);
    if (result) return result;
    l->infos = fum_calloc((size_t)l->count, sizeof *l->infos);
    l->refusals = fum_calloc((size_t)l->count, sizeof *l->refusals);
    if (!l->infos || !l->refusals)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no host memory to list devices");
    for (int i = 0; i < l->count && !result; i++) {
        result = fum_vk_describe(instance, l->physical[i], &l->infos[i], NULL, err);
        l->refusals[i] = fum_vk_refusal(instance, l->physical[i], &l->infos[i]);
    }
    if (result) listing_free(l);
    return result;
}

enum fum_result fum_device_list(struct fum_device_info *infos, int capacity, int *count,
                                struct fum_error *err) {
    *count = 0;
    struct fum_vk_instance *instance = NULL;
    struct listing listing = {0};
    enum fum_result result = fum_vk_instance_create(&instance, false, NULL, err);
    if (!result) result = listing_make(&listing, instance, err);
    if (!result) {
        int n = listing.count < capacity ? listing.count : capacity;
        if (n > 0) memcpy(infos, listing.infos, (size_t)n * sizeof *infos);
        *count = listing.count;
    }
    listing_free(&listing);
    fum_vk_instance_destroy(&instance);
    return result;
}

// Makes a device whose Vulkan parts are still empty. fum_device_destroy frees it in any state.
static enum fum_result make_empty(fum_device **out, const struct fum_log *log,
                                  struct fum_error *err) {
    fum_device *device = fum_device_new(&fum_backend_vulkan, log);
    struct fum_vk *vk = fum_calloc(1, sizeof *vk);
    if (!device || !vk) {
        fum_free(vk);
        fum_device_destroy(&device);
        return fum_error_set(err, FUM_ERR_NOMEM, "no host memory for a device");
    }
    device->impl = vk;
    *out = device;
    if (fum_vk_device_init(vk, device)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "no locks for a device");
}

// Finds the physical device that `select` means on the instance.
static enum fum_result find_physical(struct fum_vk *vk, const char *select, int *index,
                                     struct fum_error *err) {
    struct listing listing = {0};
    enum fum_result result = listing_make(&listing, vk->instance, err);
    struct fum_device_candidates candidates = {listing.infos, listing.refusals, listing.count};
    if (!result) result = fum_device_choose(index, select, &candidates, err);
    if (!result) vk->physical = listing.physical[*index];
    listing_free(&listing);
    return result;
}

enum fum_result fum_device_create_without(fum_device **out, const struct fum_device_params *params,
                                          unsigned without, struct fum_error *err) {
    static const struct fum_device_params defaults;
    if (!params) params = &defaults;
    *out = NULL;
    fum_device *device = NULL;
    int index = 0;
    enum fum_result result = make_empty(&device, params->log, err);
    if (result) goto error;
    struct fum_vk *vk = device->impl;
    result = fum_vk_instance_create(&vk->instance, params->validate, params->log, err);
    if (!result) result = find_physical(vk, params->select, &index, err);
    if (!result) result = fum_vk_device_open(vk, params, without, err);
    if (result) goto error;
    if (params->compile_only) fum_vk_compile_only(vk);
    fum_log(&device->log, FUM_LOG_INFO, "device %d: %s, %s", index, device->info.name,
            device->info.driver);
    fum_device_load_tuning(device, params->cache_dir);
    *out = device;
    return FUM_OK;
error:
    fum_device_destroy(&device);
    return result;
}

enum fum_result fum_device_create(fum_device **device, const struct fum_device_params *params,
                                  struct fum_error *err) {
    return fum_device_create_without(device, params, 0, err);
}
