// SPDX-License-Identifier: MIT
// Queries what a physical device is and can do.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

struct known {
    uint32_t api; // of device and instance, the smaller
    VkExtensionProperties *extensions;
    uint32_t count;
};

static bool listed(const struct known *k, const char *name) {
    for (uint32_t i = 0; i < k->count; i++)
        if (!strcmp(k->extensions[i].extensionName, name)) return true;
    return false;
}

// True if the device has this in core since `api`, or as an extension, which is then added to *f.
static bool offers(const struct known *k, uint32_t api, const char *name,
                   struct fum_vk_features *f) {
    if (api && k->api >= api) return true;
    if (!listed(k, name)) return false;
    if (f && f->num_extensions < sizeof f->extensions / sizeof *f->extensions)
        f->extensions[f->num_extensions++] = name;
    return true;
}

// Hangs a Vulkan structure at the end of a chain, whose last pNext `tail` points to.
#define APPEND(tail, structure)       \
    do {                              \
        *(tail) = (structure);        \
        (tail) = &(structure)->pNext; \
    } while (0)

static void query_features(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                           const struct known *k, struct fum_vk_features *f) {
    *f = (struct fum_vk_features){.core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    void **tail = &f->core.pNext;
#define LINK(member, type, version, extension) \
    if (offers(k, version, extension, f)) {    \
        f->member.sType = type;                \
        APPEND(tail, &f->member);              \
    }
    LINK(storage16, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, VK_API_VERSION_1_1,
         "VK_KHR_16bit_storage")
    LINK(storage8, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, VK_API_VERSION_1_2,
         "VK_KHR_8bit_storage")
    LINK(float16_int8, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
         VK_API_VERSION_1_2, "VK_KHR_shader_float16_int8")
    LINK(timeline, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
         VK_API_VERSION_1_2, "VK_KHR_timeline_semaphore")
    LINK(address, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES,
         VK_API_VERSION_1_2, "VK_KHR_buffer_device_address")
    LINK(memory_model, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES,
         VK_API_VERSION_1_2, "VK_KHR_vulkan_memory_model")
    LINK(subgroup_control, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
         VK_API_VERSION_1_3, "VK_EXT_subgroup_size_control")
    LINK(int_dot, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES,
         VK_API_VERSION_1_3, "VK_KHR_shader_integer_dot_product")
    LINK(maintenance4, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES, VK_API_VERSION_1_3,
         "VK_KHR_maintenance4")
    LINK(executable, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
         0, "VK_KHR_pipeline_executable_properties")
    LINK(matrix, (VkStructureType)FUM_VK_MATRIX_FEATURES, 0, "VK_KHR_cooperative_matrix")
    LINK(bfloat16, (VkStructureType)FUM_VK_BFLOAT16_FEATURES, 0, "VK_KHR_shader_bfloat16")
#undef LINK
    offers(k, 0, "VK_KHR_portability_subset", f); // must be enabled where it is listed
    offers(k, 0, "VK_EXT_memory_budget", f);
    instance->GetPhysicalDeviceFeatures2(physical, &f->core);
}

// Leaves out features that nothing here uses: some cost time (robust access).
static void trim_features(struct fum_vk_features *f) {
    VkPhysicalDeviceFeatures core = {.shaderInt16 = f->core.features.shaderInt16,
                                     .shaderInt64 = f->core.features.shaderInt64,
                                     .shaderFloat64 = f->core.features.shaderFloat64};
    f->core.features = core;
    f->address.bufferDeviceAddressCaptureReplay = f->address.bufferDeviceAddressMultiDevice =
        VK_FALSE;
    f->storage16.storageInputOutput16 = VK_FALSE;
    f->matrix.cooperativeMatrixRobustBufferAccess = VK_FALSE;
    f->bfloat16.shaderBFloat16DotProduct = VK_FALSE;
}

static void copy_features(struct fum_device_info *info, const struct fum_vk_features *f) {
    info->storage16 = f->storage16.storageBuffer16BitAccess;
    info->float16 = f->float16_int8.shaderFloat16;
    info->int8 = f->float16_int8.shaderInt8;
    info->storage8 = f->storage8.storageBuffer8BitAccess;
    info->int_dot = f->int_dot.shaderIntegerDotProduct;
    info->subgroup_control = f->subgroup_control.subgroupSizeControl;
    info->cooperative_matrix = f->matrix.cooperativeMatrix && f->memory_model.vulkanMemoryModel;
    info->buffer_address = f->address.bufferDeviceAddress;
    info->timeline = f->timeline.timelineSemaphore;
}

static void copy_limits(struct fum_device_info *info, const VkPhysicalDeviceProperties *p) {
    const VkPhysicalDeviceLimits *l = &p->limits;
    snprintf(info->name, sizeof info->name, "%s", p->deviceName);
    info->vendor_id = p->vendorID;
    info->device_id = p->deviceID;
    info->driver_version = p->driverVersion;
    info->api_version = p->apiVersion;
    static const enum fum_device_type types[] = {
        [VK_PHYSICAL_DEVICE_TYPE_OTHER] = FUM_DEVICE_OTHER,
        [VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU] = FUM_DEVICE_INTEGRATED,
        [VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU] = FUM_DEVICE_DISCRETE,
        [VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU] = FUM_DEVICE_VIRTUAL,
        [VK_PHYSICAL_DEVICE_TYPE_CPU] = FUM_DEVICE_CPU,
    };
    info->type = (size_t)p->deviceType < FUM_COUNT(types) ? types[p->deviceType] : FUM_DEVICE_OTHER;
    info->max_binding = l->maxStorageBufferRange;
    // what Vulkan 1.1 requires; better ones follow
    info->max_allocation = info->max_buffer = (uint64_t)1 << 30;
    info->binding_align = (uint32_t)l->minStorageBufferOffsetAlignment;
    info->shared_bytes = l->maxComputeSharedMemorySize;
    info->max_group_invocations = l->maxComputeWorkGroupInvocations;
    memcpy(info->max_group_size, l->maxComputeWorkGroupSize, sizeof info->max_group_size);
    memcpy(info->max_group_count, l->maxComputeWorkGroupCount, sizeof info->max_group_count);
    info->max_push_bytes = l->maxPushConstantsSize;
    info->max_bindings = l->maxPerStageDescriptorStorageBuffers < l->maxDescriptorSetStorageBuffers
                             ? l->maxPerStageDescriptorStorageBuffers
                             : l->maxDescriptorSetStorageBuffers;
    info->max_texels = l->maxTexelBufferElements;
    info->texel_align = (uint32_t)l->minTexelBufferOffsetAlignment;
    info->timestamp_period = l->timestampPeriod;
}

static void query_properties(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                             const struct known *k, struct fum_device_info *info) {
    VkPhysicalDeviceProperties2 core = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties maintenance3 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceSubgroupSizeControlProperties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceMaintenance4Properties maintenance4 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};
    void **tail = &core.pNext;
    APPEND(tail, &id);
    APPEND(tail, &maintenance3);
    APPEND(tail, &subgroup);
    if (offers(k, VK_API_VERSION_1_2, "VK_KHR_driver_properties", NULL)) APPEND(tail, &driver);
    if (offers(k, VK_API_VERSION_1_3, "VK_EXT_subgroup_size_control", NULL)) APPEND(tail, &sizes);
    if (offers(k, VK_API_VERSION_1_3, "VK_KHR_maintenance4", NULL)) APPEND(tail, &maintenance4);
    instance->GetPhysicalDeviceProperties2(physical, &core);
    info->memory_budget = listed(k, "VK_EXT_memory_budget");

    copy_limits(info, &core.properties);
    memcpy(info->uuid, id.deviceUUID, sizeof info->uuid);
    if (driver.driverName[0])
        snprintf(info->driver, sizeof info->driver, "%.120s %.120s", driver.driverName,
                 driver.driverInfo);
    else
        snprintf(info->driver, sizeof info->driver, "driver %u.%u.%u",
                 VK_API_VERSION_MAJOR(info->driver_version),
                 VK_API_VERSION_MINOR(info->driver_version),
                 VK_API_VERSION_PATCH(info->driver_version));
    if (maintenance3.maxMemoryAllocationSize)
        info->max_allocation = maintenance3.maxMemoryAllocationSize;
    info->max_buffer =
        maintenance4.maxBufferSize ? maintenance4.maxBufferSize : info->max_allocation;
    info->subgroup_size = info->subgroup_min = info->subgroup_max = subgroup.subgroupSize;
    if (sizes.minSubgroupSize) {
        info->subgroup_min = sizes.minSubgroupSize;
        info->subgroup_max = sizes.maxSubgroupSize;
    }
    bool compute = subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT;
    info->subgroup_arithmetic =
        compute && (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT);
    info->subgroup_shuffle =
        compute && (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
    // MoltenVK offers the feature but no stage in which a size could be required.
    if (!(sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT))
        info->subgroup_control = false;
}

static void query_memory(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                         struct fum_device_info *info) {
    const VkMemoryPropertyFlags mapped = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |
                                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties memory;
    instance->GetPhysicalDeviceMemoryProperties(physical, &memory);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            memory.memoryHeaps[i].size > info->memory) {
            info->memory = memory.memoryHeaps[i].size;
            largest = i;
        }
    bool visible = false;
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++)
        visible = visible || (memory.memoryTypes[i].heapIndex == largest &&
                              (memory.memoryTypes[i].propertyFlags & mapped) == mapped);
    // A discrete GPU whose memory is mapped through the bus is slow to read, so it keeps its
    // staging.
    info->unified_memory =
        visible && (info->type == FUM_DEVICE_INTEGRATED || info->type == FUM_DEVICE_CPU);
}

int fum_vk_compute_family(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                          VkQueueFamilyProperties *properties) {
    VkQueueFamilyProperties families[32];
    uint32_t count = 32;
    instance->GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
    // Takes the first family, where all drivers are tested most. Asynchronous compute families gain
    // nothing here.
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || !families[i].queueCount) continue;
        if (properties) *properties = families[i];
        return (int)i;
    }
    return -1;
}

enum fum_result fum_vk_describe(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                                struct fum_device_info *info, struct fum_vk_features *features,
                                struct fum_error *err) {
    *info = (struct fum_device_info){0};
    VkPhysicalDeviceProperties properties;
    instance->GetPhysicalDeviceProperties(physical, &properties);
    copy_limits(info, &properties);
    if (properties.apiVersion < VK_API_VERSION_1_1) return FUM_OK; // listed, but never opened
    struct known k = {.api = properties.apiVersion < instance->api ? properties.apiVersion
                                                                   : instance->api};
    VkResult vr = FUM_VK_FILL(
        &k.count, instance->EnumerateDeviceExtensionProperties(physical, NULL, &k.count, NULL));
    if (vr >= 0 && k.count) {
        k.extensions = fum_calloc(k.count, sizeof *k.extensions);
        if (!k.extensions)
            return fum_error_set(err, FUM_ERR_NOMEM, "%s: no host memory", info->name);
        vr = FUM_VK_FILL(&k.count, instance->EnumerateDeviceExtensionProperties(
                                       physical, NULL, &k.count, k.extensions));
    }
    if (vr < 0) {
        fum_free(k.extensions);
        return fum_vk_error(err, vr, info->name, "listing its extensions");
    }
    struct fum_vk_features own;
    if (!features) features = &own;
    query_features(instance, physical, &k, features);
    trim_features(features);
    copy_features(info, features);
    query_properties(instance, physical, &k, info);
    fum_vk_query_matrix(instance, physical, features, info);
    query_memory(instance, physical, info);
    VkQueueFamilyProperties family = {0};
    if (fum_vk_compute_family(instance, physical, &family) >= 0)
        info->timestamp_bits = family.timestampValidBits;
    if (!info->timestamp_bits) info->timestamp_period = 0;
    fum_free(k.extensions);
    return FUM_OK;
}

const char *fum_vk_refusal(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                           const struct fum_device_info *info) {
    if (info->api_version < VK_API_VERSION_1_1)
        return "its driver knows only Vulkan 1.0; update it";
    if (fum_vk_compute_family(instance, physical, NULL) < 0) return "it has no compute queue";
    return NULL;
}
