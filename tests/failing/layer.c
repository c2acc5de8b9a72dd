// SPDX-License-Identifier: MIT
// A Vulkan layer that fails calls on purpose and leaves garbage in their results, as the
// specification allows a driver to. Sweeps in this folder load it under the program. Its
// environment:
//   FUM_FAIL_AT=N        fails the N-th of the calls below, counted from 1.
//   FUM_FAIL_CALL=NAME   counts and fails only calls of this name, such as CreateBuffer.
//   FUM_FAIL_CODE=CODE   the VkResult, a negative number; the default is -4, VK_ERROR_DEVICE_LOST.
//   FUM_FAIL_ON=1        fails every later call too.
//   FUM_FAIL_AFTER=1     does the work of a call that makes nothing before failing it.
//   FUM_FAIL_COUNT=FILE  writes the number of calls there when the program ends.
// One instance with one device at a time.
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#include <fumarole/core.h>

// Calls that fill in a result: name, parameters, arguments, the result and its size. They are never
// passed on when they fail, so that no object is left without an owner.
#define MAKERS(X)                                                                                \
    X(CreateBuffer,                                                                              \
      (VkDevice d, const VkBufferCreateInfo *i, const VkAllocationCallbacks *a, VkBuffer *o),    \
      (d, i, a, o), sizeof *o)                                                                   \
    X(AllocateMemory,                                                                            \
      (VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *a,                \
       VkDeviceMemory *o),                                                                       \
      (d, i, a, o), sizeof *o)                                                                   \
    X(MapMemory,                                                                                 \
      (VkDevice d, VkDeviceMemory m, VkDeviceSize at, VkDeviceSize n, VkMemoryMapFlags f,        \
       void **o),                                                                                \
      (d, m, at, n, f, o), sizeof *o)                                                            \
    X(CreateBufferView,                                                                          \
      (VkDevice d, const VkBufferViewCreateInfo *i, const VkAllocationCallbacks *a,              \
       VkBufferView *o),                                                                         \
      (d, i, a, o), sizeof *o)                                                                   \
    X(CreateShaderModule,                                                                        \
      (VkDevice d, const VkShaderModuleCreateInfo *i, const VkAllocationCallbacks *a,            \
       VkShaderModule *o),                                                                       \
      (d, i, a, o), sizeof *o)                                                                   \
    X(CreatePipelineLayout,                                                                      \
      (VkDevice d, const VkPipelineLayoutCreateInfo *i, const VkAllocationCallbacks *a,          \
       VkPipelineLayout *o),                                                                     \
      (d, i, a, o), sizeof *o)                                                                   \
    X(CreateDescriptorSetLayout,                                                                 \
      (VkDevice d, const VkDescriptorSetLayoutCreateInfo *i, const VkAllocationCallbacks *a,     \
       VkDescriptorSetLayout *o),                                                                \
      (d, i, a, o), sizeof *o)                                                                   \
    X(CreatePipelineCache,                                                                       \
      (VkDevice d, const VkPipelineCacheCreateInfo *i, const VkAllocationCallbacks *a,           \
       VkPipelineCache *o),                                                                      \
      (d, i, a, o), sizeof *o)                                                                   \
    X(GetPipelineCacheData, (VkDevice d, VkPipelineCache c, size_t * o, void *data),             \
      (d, c, o, data), sizeof *o)                                                                \
    X(CreateComputePipelines,                                                                    \
      (VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i,          \
       const VkAllocationCallbacks *a, VkPipeline *o),                                           \
      (d, c, n, i, a, o), n * sizeof *o)                                                         \
    X(CreateCommandPool,                                                                         \
      (VkDevice d, const VkCommandPoolCreateInfo *i, const VkAllocationCallbacks *a,             \
       VkCommandPool *o),                                                                        \
      (d, i, a, o), sizeof *o)                                                                   \
    X(AllocateCommandBuffers,                                                                    \
      (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *o), (d, i, o),         \
      i->commandBufferCount * sizeof *o)                                                         \
    X(CreateDescriptorPool,                                                                      \
      (VkDevice d, const VkDescriptorPoolCreateInfo *i, const VkAllocationCallbacks *a,          \
       VkDescriptorPool *o),                                                                     \
      (d, i, a, o), sizeof *o)                                                                   \
    X(AllocateDescriptorSets,                                                                    \
      (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *o), (d, i, o),         \
      i->descriptorSetCount * sizeof *o)                                                         \
    X(CreateSemaphore,                                                                           \
      (VkDevice d, const VkSemaphoreCreateInfo *i, const VkAllocationCallbacks *a,               \
       VkSemaphore *o),                                                                          \
      (d, i, a, o), sizeof *o)                                                                   \
    X(GetSemaphoreCounterValue, (VkDevice d, VkSemaphore s, uint64_t * o), (d, s, o), sizeof *o) \
    X(CreateFence,                                                                               \
      (VkDevice d, const VkFenceCreateInfo *i, const VkAllocationCallbacks *a, VkFence *o),      \
      (d, i, a, o), sizeof *o)                                                                   \
    X(CreateQueryPool,                                                                           \
      (VkDevice d, const VkQueryPoolCreateInfo *i, const VkAllocationCallbacks *a,               \
       VkQueryPool *o),                                                                          \
      (d, i, a, o), sizeof *o)                                                                   \
    X(GetQueryPoolResults,                                                                       \
      (VkDevice d, VkQueryPool p, uint32_t first, uint32_t n, size_t bytes, void *o,             \
       VkDeviceSize stride, VkQueryResultFlags f),                                               \
      (d, p, first, n, bytes, o, stride, f), bytes)

// Calls without a result to spoil.
#define WORKERS(X)                                                                           \
    X(BindBufferMemory, (VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize at),         \
      (d, b, m, at))                                                                         \
    X(ResetCommandPool, (VkDevice d, VkCommandPool p, VkCommandPoolResetFlags f), (d, p, f)) \
    X(BeginCommandBuffer, (VkCommandBuffer c, const VkCommandBufferBeginInfo *i), (c, i))    \
    X(EndCommandBuffer, (VkCommandBuffer c), (c))                                            \
    X(QueueSubmit, (VkQueue q, uint32_t n, const VkSubmitInfo *s, VkFence f), (q, n, s, f))  \
    X(WaitSemaphores, (VkDevice d, const VkSemaphoreWaitInfo *i, uint64_t t), (d, i, t))     \
    X(WaitForFences, (VkDevice d, uint32_t n, const VkFence *f, VkBool32 all, uint64_t t),   \
      (d, n, f, all, t))                                                                     \
    X(ResetFences, (VkDevice d, uint32_t n, const VkFence *f), (d, n, f))                    \
    X(GetFenceStatus, (VkDevice d, VkFence f), (d, f))                                       \
    X(DeviceWaitIdle, (VkDevice d), (d))

// Calls of the instance that fill in a list or a handle.
#define LISTERS(X)                                                                       \
    X(EnumeratePhysicalDevices, (VkInstance i, uint32_t * o, VkPhysicalDevice * list),   \
      (i, o, list), sizeof *o)                                                           \
    X(EnumerateDeviceExtensionProperties,                                                \
      (VkPhysicalDevice p, const char *layer, uint32_t *o, VkExtensionProperties *list), \
      (p, layer, o, list), sizeof *o)

#define MEMBER(name, ...) PFN_vk##name name;
static struct {
    MAKERS(MEMBER)
    WORKERS(MEMBER)
    LISTERS(MEMBER)
    PFN_vkGetInstanceProcAddr instance_proc;
    PFN_vkGetDeviceProcAddr device_proc;
    PFN_vkDestroyInstance DestroyInstance;
    VkDevice device;
} next;
#undef MEMBER

static atomic_long calls;

static long number(const char *name, long fallback) {
    const char *text = getenv(name);
    return text ? atol(text) : fallback;
}

// True if this call is to fail, which stops the device's work first: what is reported as lost must
// not run on.
static bool fails(const char *name, VkResult *code) {
    const char *only = getenv("FUM_FAIL_CALL");
    if (only && strcmp(only, name)) return false;
    long at = number("FUM_FAIL_AT", 0), call = atomic_fetch_add(&calls, 1) + 1;
    if (call != at && !(at && call > at && number("FUM_FAIL_ON", 0))) return false;
    *code = (VkResult)number("FUM_FAIL_CODE", VK_ERROR_DEVICE_LOST);
    if (next.device) next.DeviceWaitIdle(next.device);
    return true;
}

static VkResult spoil(void *out, size_t bytes, VkResult code) {
    static const unsigned char garbage[] = {0xde, 0xad, 0xbe, 0xef};
    for (size_t i = 0; i < bytes; i++) ((unsigned char *)out)[i] = garbage[i % 4];
    return code;
}

#define MAKER(name, parameters, arguments, bytes)                                 \
    static VKAPI_ATTR VkResult VKAPI_CALL fail_##name parameters {                \
        VkResult code;                                                            \
        return fails(#name, &code) ? spoil(o, bytes, code) : next.name arguments; \
    }
MAKERS(MAKER)
LISTERS(MAKER)
#undef MAKER

// Work that is done and reported as failed is waited for, too.
#define WORKER(name, parameters, arguments)                        \
    static VKAPI_ATTR VkResult VKAPI_CALL fail_##name parameters { \
        VkResult code;                                             \
        if (!fails(#name, &code)) return next.name arguments;      \
        if (number("FUM_FAIL_AFTER", 0)) next.name arguments;      \
        next.DeviceWaitIdle(next.device);                          \
        return code;                                               \
    }
WORKERS(WORKER)
#undef WORKER

// Finds the loader's link to the layer below in the chain that it passes along.
#define LINK(type, kind, info)                                                                   \
    static type *find_##info(const void *chain) {                                                \
        for (type *link = (type *)(uintptr_t)chain; link; link = (type *)(uintptr_t)link->pNext) \
            if (link->sType == VK_STRUCTURE_TYPE_LOADER_##kind##_CREATE_INFO &&                  \
                link->function == VK_LAYER_LINK_INFO)                                            \
                return link;                                                                     \
        return NULL;                                                                             \
    }
LINK(VkLayerInstanceCreateInfo, INSTANCE, instance_link)
LINK(VkLayerDeviceCreateInfo, DEVICE, device_link)
#undef LINK

static VKAPI_ATTR VkResult VKAPI_CALL fail_CreateInstance(const VkInstanceCreateInfo *info,
                                                          const VkAllocationCallbacks *allocator,
                                                          VkInstance *out) {
    VkLayerInstanceCreateInfo *link = find_instance_link(info->pNext);
    VkResult code;
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    if (fails("CreateInstance", &code)) return spoil(out, sizeof *out, code);
    next.instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)next.instance_proc(NULL, "vkCreateInstance");
    VkResult vr = create(info, allocator, out);
    if (vr < 0) return vr;
#define LOAD(name, ...) next.name = (PFN_vk##name)next.instance_proc(*out, "vk" #name);
    LISTERS(LOAD)
#undef LOAD
    next.DestroyInstance = (PFN_vkDestroyInstance)next.instance_proc(*out, "vkDestroyInstance");
    return vr;
}

static VKAPI_ATTR VkResult VKAPI_CALL fail_CreateDevice(VkPhysicalDevice physical,
                                                        const VkDeviceCreateInfo *info,
                                                        const VkAllocationCallbacks *allocator,
                                                        VkDevice *out) {
    VkLayerDeviceCreateInfo *link = find_device_link(info->pNext);
    VkResult code;
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    if (fails("CreateDevice", &code)) return spoil(out, sizeof *out, code);
    PFN_vkGetInstanceProcAddr instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next.device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)instance_proc(NULL, "vkCreateDevice");
    VkResult vr = create(physical, info, allocator, out);
    if (vr < 0) return vr;
    next.device = *out;
#define LOAD(name, ...) next.name = (PFN_vk##name)next.device_proc(*out, "vk" #name);
    MAKERS(LOAD)
    WORKERS(LOAD)
#undef LOAD
    return vr;
}

static VKAPI_ATTR void VKAPI_CALL fail_DestroyDevice(VkDevice device,
                                                     const VkAllocationCallbacks *allocator) {
    next.device = VK_NULL_HANDLE;
    if (device)
        ((PFN_vkDestroyDevice)next.device_proc(device, "vkDestroyDevice"))(device, allocator);
}

static VKAPI_ATTR void VKAPI_CALL fail_DestroyInstance(VkInstance instance,
                                                       const VkAllocationCallbacks *allocator) {
    const char *path = getenv("FUM_FAIL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", atomic_load(&calls));
        fclose(file);
    }
    next.DestroyInstance(instance, allocator);
}

static PFN_vkVoidFunction own_device_function(const char *name) {
#define OWN(call, ...) \
    if (!strcmp(name, "vk" #call)) return (PFN_vkVoidFunction)fail_##call;
    MAKERS(OWN)
    WORKERS(OWN)
#undef OWN
    return strcmp(name, "vkDestroyDevice") ? NULL : (PFN_vkVoidFunction)fail_DestroyDevice;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL find_in_device(VkDevice device, const char *name) {
    if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)find_in_device;
    // A function that the driver lacks stays missing.
    PFN_vkVoidFunction below = next.device_proc(device, name), own = own_device_function(name);
    return below && own ? own : below;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL find_in_instance(VkInstance instance,
                                                                 const char *name) {
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } own[] = {
#define OWN(call, ...) {"vk" #call, (PFN_vkVoidFunction)fail_##call},
        LISTERS(OWN)
#undef OWN
            {"vkCreateInstance", (PFN_vkVoidFunction)fail_CreateInstance},
        {"vkCreateDevice", (PFN_vkVoidFunction)fail_CreateDevice},
        {"vkDestroyInstance", (PFN_vkVoidFunction)fail_DestroyInstance},
        {"vkGetInstanceProcAddr", (PFN_vkVoidFunction)find_in_instance},
        {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)find_in_device},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcmp(name, own[i].name)) return own[i].function;
    PFN_vkVoidFunction device_function = own_device_function(name);
    if (device_function) return device_function;
    return next.instance_proc ? next.instance_proc(instance, name) : NULL;
}

FUM_API VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *layer) {
    layer->loaderLayerInterfaceVersion = 2;
    layer->pfnGetInstanceProcAddr = find_in_instance;
    layer->pfnGetDeviceProcAddr = find_in_device;
    layer->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
