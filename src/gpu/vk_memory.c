// SPDX-License-Identifier: MIT
// A VkBuffer with its own memory, of the kind that fits.
#include "gpu/vk.h"

static int find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits,
                     VkMemoryPropertyFlags wanted) {
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++)
        if ((bits & (1u << i)) && (memory->memoryTypes[i].propertyFlags & wanted) == wanted)
            return (int)i;
    return -1;
}

int fum_vk_memory_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits,
                       enum fum_vk_memory kind) {
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                                cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags host =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags by_kind[3][3] = {
        [FUM_VK_MEMORY_DEVICE] = {local, 0, 0},
        [FUM_VK_MEMORY_DEVICE_MAPPED] = {local | host | cached, local | host, host},
        [FUM_VK_MEMORY_HOST] = {host | cached, host, host},
    };
    for (int i = 0; i < 3; i++) {
        int type = find_type(memory, bits, by_kind[kind][i]);
        if (type >= 0) return type;
    }
    return -1;
}

enum fum_vk_memory fum_vk_memory_kind(const fum_device *device, enum fum_buffer_use use) {
    if (use == FUM_BUFFER_HOST) return FUM_VK_MEMORY_HOST;
    return device->info.unified_memory ? FUM_VK_MEMORY_DEVICE_MAPPED : FUM_VK_MEMORY_DEVICE;
}

static VkResult make_buffer(struct fum_vk *vk, uint64_t bytes, VkBuffer *buffer,
                            VkMemoryRequirements *needs) {
    VkBufferCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        // an empty window still binds 16 bytes
        .size = bytes < 16 ? 16 : bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkResult vr = FUM_VK_FILL(buffer, vk->fn.vkCreateBuffer(vk->device, &create, NULL, buffer));
    if (vr >= 0) vk->fn.vkGetBufferMemoryRequirements(vk->device, *buffer, needs);
    return vr;
}

VkResult fum_vk_memory_create(struct fum_vk *vk, const struct fum_vk_memory_params *params,
                              VkBuffer *buffer, VkDeviceMemory *memory) {
    VkResult vr = VK_SUCCESS;
    void **map = params->map;
    VkMemoryRequirements needs;
    VK(make_buffer(vk, params->bytes, buffer, &needs));
    int type = fum_vk_memory_type(&vk->memory, needs.memoryTypeBits, params->kind);
    vr = VK_ERROR_FEATURE_NOT_PRESENT;
    if (type < 0) goto error;
    VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                     .allocationSize = needs.size,
                                     .memoryTypeIndex = (uint32_t)type};
    VK_FILL(memory, vk->fn.vkAllocateMemory(vk->device, &allocate, NULL, memory));
    VK(vk->fn.vkBindBufferMemory(vk->device, *buffer, *memory, 0));
    if (map) VK_FILL(map, vk->fn.vkMapMemory(vk->device, *memory, 0, VK_WHOLE_SIZE, 0, map));
    return VK_SUCCESS;
error:
    fum_vk_memory_destroy(vk, buffer, memory);
    return vr;
}

void fum_vk_memory_destroy(struct fum_vk *vk, VkBuffer *buffer, VkDeviceMemory *memory) {
    vk->fn.vkDestroyBuffer(vk->device, *buffer, NULL);
    vk->fn.vkFreeMemory(vk->device, *memory, NULL); // unmaps
    *buffer = VK_NULL_HANDLE;
    *memory = VK_NULL_HANDLE;
}

// Returns the heap that weights and activations are allocated from: that of the memory type which
// a device buffer gets; -1: unknown.
static int device_heap(const fum_device *device) {
    struct fum_vk *vk = fum_vk_of(device);
    VkBuffer buffer = VK_NULL_HANDLE;
    VkMemoryRequirements needs;
    if (make_buffer(vk, 16, &buffer, &needs) < 0) return -1;
    vk->fn.vkDestroyBuffer(vk->device, buffer, NULL);
    int type = fum_vk_memory_type(&vk->memory, needs.memoryTypeBits,
                                  fum_vk_memory_kind(device, FUM_BUFFER_DEVICE));
    return type < 0 ? -1 : (int)vk->memory.memoryTypes[type].heapIndex;
}

bool fum_vk_memory_budget(const fum_device *device, uint64_t *bytes) {
    struct fum_vk *vk = fum_vk_of(device);
    int heap = device_heap(device);
    if (heap < 0) return false;
    *bytes = vk->memory.memoryHeaps[heap].size;
    if (!device->info.memory_budget) return false;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
    vk->instance->GetPhysicalDeviceMemoryProperties2(vk->physical, &memory);
    if (!budget.heapBudget[heap]) return false;
    // The budget counts what this process uses, by other device objects too.
    uint64_t used = budget.heapUsage[heap], own = fum_device_memory_used(device);
    uint64_t others = used > own ? used - own : 0;
    if (budget.heapBudget[heap] <= others) return false;
    *bytes = budget.heapBudget[heap] - others;
    return true;
}
