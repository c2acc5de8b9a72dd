// SPDX-License-Identifier: MIT
// Opens and destroys one Vulkan device: its locks, queue, descriptor set layouts and cache.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"

void fum_vk_device_destroy(fum_device *device) {
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

bool fum_vk_device_init(struct fum_vk *vk, fum_device *device) {
    vk->front = device;
    atomic_init(&vk->inject_after, -1);
    return make_locks(vk);
}

enum fum_result fum_vk_device_open(struct fum_vk *vk, const struct fum_device_params *params,
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
    return vr ? fum_vk_error(err, vr, device->info.name, "opening the device") : FUM_OK;
}

int fum_vk_validation_messages(const fum_device *device) {
    return atomic_load(&fum_vk_of(device)->instance->messages);
}
