// SPDX-License-Identifier: MIT
// Listing and opening Vulkan devices.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

struct fum_vk *fum_vk_of(const fum_device *device) {
    return device->impl;
}

// Every device of the instance described; arrays are the caller's, freed with fum_free even on
// failure.
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

static void vk_device_destroy(fum_device *device) {
    struct fum_vk *vk = device->impl;
    if (!vk) return;
    if (vk->device) {
        // nothing was submitted, and a null device crashes
        if (!vk->compile_only) vk->fn.vkDeviceWaitIdle(vk->device);
        fum_vk_cache_save(vk);
        fum_vk_staging_destroy(vk);
        fum_vk_queue_destroy(vk);
        for (int i = 0; i <= FUM_MAX_BINDINGS; i++)
            vk->fn.vkDestroyDescriptorSetLayout(vk->device, vk->layouts[i], NULL);
        vk->fn.vkDestroyPipelineCache(vk->device, vk->cache, NULL);
        vk->fn.vkDestroyDevice(vk->device, NULL);
    }
    fum_vk_instance_destroy(&vk->instance);
    if (vk->locks_made > 0) pthread_mutex_destroy(&vk->lock);
    if (vk->locks_made > 1) pthread_mutex_destroy(&vk->waiting);
    if (vk->locks_made > 2) pthread_mutex_destroy(&vk->staging_lock);
    if (vk->locks_made > 3) pthread_cond_destroy(&vk->staging_free);
    fum_free(vk->cache_path);
    fum_free(vk);
    device->impl = NULL;
}

static bool make_locks(struct fum_vk *vk) {
    if (pthread_mutex_init(&vk->lock, NULL)) return false;
    vk->locks_made++;
    if (pthread_mutex_init(&vk->waiting, NULL)) return false;
    vk->locks_made++;
    if (pthread_mutex_init(&vk->staging_lock, NULL)) return false;
    vk->locks_made++;
    if (pthread_cond_init(&vk->staging_free, NULL)) return false;
    vk->locks_made++;
    return true;
}

static VkResult make_layouts(struct fum_vk *vk) {
    VkResult vr = VK_SUCCESS;
    for (uint32_t i = 0; vr >= 0 && i <= FUM_MAX_BINDINGS && i <= vk->front->info.max_bindings; i++)
        vr = fum_vk_make_sets(vk, i, 0, &vk->layouts[i]);
    return vr;
}

static VkResult make_device(struct fum_vk *vk, const struct fum_vk_features *features) {
    const float priority = 1;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = vk->family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                 .pNext = &features->core,
                                 .queueCreateInfoCount = 1,
                                 .pQueueCreateInfos = &queue,
                                 .enabledExtensionCount = features->num_extensions,
                                 .ppEnabledExtensionNames = features->extensions};
    VkResult vr = VK_SUCCESS;
    VK_FILL(&vk->device, vk->instance->CreateDevice(vk->physical, &create, NULL, &vk->device));
    fum_vk_load_device(vk->instance, vk->device, &vk->fn);
    // As an extension of an older driver the functions have another name.
    if (!vk->fn.vkWaitSemaphores) vk->fn.vkWaitSemaphores = vk->fn.vkWaitSemaphoresKHR;
    vk->fn.vkGetDeviceQueue(vk->device, vk->family, 0, &vk->queue);
    vk->instance->GetPhysicalDeviceMemoryProperties(vk->physical, &vk->memory);
    vr = make_layouts(vk);
    if (vr < 0) goto error;
    if (vk->front->info.timeline && !vk->compile_only) {
        VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                          .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
        VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                           .pNext = &type};
        VK_FILL(&vk->timeline,
                vk->fn.vkCreateSemaphore(vk->device, &semaphore, NULL, &vk->timeline));
    }
error:
    return vr;
}

static void withhold(struct fum_device_info *info, struct fum_vk_features *features,
                     unsigned without) {
    if (without & FUM_WITHOUT_TIMELINE) {
        info->timeline = false;
        features->timeline.timelineSemaphore = VK_FALSE;
    }
    if (without & FUM_WITHOUT_UNIFIED) info->unified_memory = false;
    if (without & FUM_WITHOUT_STORAGE16) {
        info->storage16 = false;
        features->storage16.storageBuffer16BitAccess = VK_FALSE;
    }
}

// The planning backend with a real compiler.
static void compile_alone(struct fum_vk *vk) {
    vk->compiler = fum_backend_null;
    vk->compiler.device_destroy = fum_backend_vulkan.device_destroy;
    vk->compiler.validation_messages = fum_backend_vulkan.validation_messages;
    vk->compiler.kernel_create = fum_vk_kernel_create;
    vk->compiler.kernel_destroy = fum_vk_kernel_destroy;
    vk->compiler.kernel_statistics = fum_vk_kernel_statistics;
    vk->front->backend = &vk->compiler;
    vk->front->info.planning_only = true;
}

// Opens the chosen device on the instance that vk holds.
static enum fum_result open_device(struct fum_vk *vk, const struct fum_device_params *params,
                                   unsigned without, struct fum_error *err) {
    fum_device *device = vk->front;
    struct fum_vk_features features;
    enum fum_result result =
        fum_vk_describe(vk->instance, vk->physical, &device->info, &features, err);
    if (result) return result;
    withhold(&device->info, &features, without);
    vk->compile_only = params->compile_only;
    vk->statistics = params->compile_only && features.executable.pipelineExecutableInfo;
    features.executable.pipelineExecutableInfo = vk->statistics;
    vk->family = (uint32_t)fum_vk_compute_family(vk->instance, vk->physical, NULL);
    VkResult vr = make_device(vk, &features);
    if (!vr) vr = fum_vk_cache_open(vk, params->compile_only ? "" : params->cache_dir);
    if (!vr && params->compile_only) compile_alone(vk);
    return vr ? fum_vk_error(err, vr, device->info.name, "opening the device") : FUM_OK;
}

enum fum_result fum_device_create_without(fum_device **out, const struct fum_device_params *params,
                                          unsigned without, struct fum_error *err) {
    static const struct fum_device_params defaults;
    if (!params) params = &defaults;
    *out = NULL;
    fum_device *device = fum_device_new(&fum_backend_vulkan, params->log);
    struct fum_vk *vk = fum_calloc(1, sizeof *vk);
    struct listing listing = {0};
    enum fum_result result = FUM_ERR_NOMEM;
    if (!device || !vk) {
        fum_free(vk);
        fum_device_destroy(&device);
        return fum_error_set(err, result, "no host memory for a device");
    }
    device->impl = vk;
    vk->front = device;
    atomic_init(&vk->inject_after, -1);
    result = make_locks(vk) ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no locks for a device");
    if (!result) result = fum_vk_instance_create(&vk->instance, params->validate, params->log, err);
    if (!result) result = listing_make(&listing, vk->instance, err);
    int index = 0;
    if (!result)
        result = fum_device_choose(&index, params->select, listing.infos, listing.refusals,
                                   listing.count, err);
    if (!result) {
        vk->physical = listing.physical[index];
        result = open_device(vk, params, without, err);
    }
    listing_free(&listing);
    if (result) {
        fum_device_destroy(&device);
        return result;
    }
    fum_log(&device->log, FUM_LOG_INFO, "device %d: %s, %s", index, device->info.name,
            device->info.driver);
    fum_device_load_tuning(device, params->cache_dir);
    *out = device;
    return FUM_OK;
}

static int vk_messages(const fum_device *device) {
    return atomic_load(&fum_vk_of(device)->instance->messages);
}

const struct fum_backend fum_backend_vulkan = {
    .device_destroy = vk_device_destroy,
    .validation_messages = vk_messages,
    .memory_budget = fum_vk_memory_budget,
    .buffer_create = fum_vk_buffer_create,
    .buffer_destroy = fum_vk_buffer_destroy,
    .buffer_write = fum_vk_buffer_write,
    .buffer_read = fum_vk_buffer_read,
    .upload_begin = fum_vk_upload_begin,
    .upload_end = fum_vk_upload_end,
    .kernel_create = fum_vk_kernel_create,
    .kernel_destroy = fum_vk_kernel_destroy,
    .command_create = fum_vk_command_create,
    .command_destroy = fum_vk_command_destroy,
    .barrier = fum_vk_barrier,
    .dispatch = fum_vk_dispatch,
    .copy = fum_vk_copy,
    .timestamp = fum_vk_timestamp,
    .end = fum_vk_end,
    .submit = fum_vk_command_submit,
    .wait = fum_vk_device_wait,
    .read_timestamp = fum_vk_read_timestamp,
};
