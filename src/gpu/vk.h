// SPDX-License-Identifier: MIT
// The Vulkan backend's own parts. One instance per device object: nothing is shared between two of
// them but the loader.
#ifndef FUM_GPU_VK_H
#define FUM_GPU_VK_H

#include "gpu/backend.h"

#include <string.h>

#include <volk.h>

#include "gpu/vk_matrix.h"

#define FUM_VK_INSTANCE_FUNCTIONS(X)          \
    X(DestroyInstance)                        \
    X(EnumeratePhysicalDevices)               \
    X(EnumerateDeviceExtensionProperties)     \
    X(GetPhysicalDeviceProperties)            \
    X(GetPhysicalDeviceProperties2)           \
    X(GetPhysicalDeviceFeatures2)             \
    X(GetPhysicalDeviceMemoryProperties)      \
    X(GetPhysicalDeviceMemoryProperties2)     \
    X(GetPhysicalDeviceQueueFamilyProperties) \
    X(CreateDevice)                           \
    X(GetDeviceProcAddr)

struct fum_vk_instance {
    VkInstance vk;
    uint32_t api; // what the instance was created for
#define FUM_VK_MEMBER(name) PFN_vk##name name;
    FUM_VK_INSTANCE_FUNCTIONS(FUM_VK_MEMBER)
#undef FUM_VK_MEMBER
    PFN_vkCreateDebugUtilsMessengerEXT CreateDebugUtilsMessengerEXT;
    PFN_vkDestroyDebugUtilsMessengerEXT DestroyDebugUtilsMessengerEXT;
    fum_vk_get_matrix_properties GetMatrixProperties; // NULL: no device knows cooperative matrices
    VkDebugUtilsMessengerEXT messenger;
    struct fum_log log;
    atomic_int messages; // of the validation layer
};

enum fum_result fum_vk_instance_create(struct fum_vk_instance **instance, bool validate,
                                       const struct fum_log *log, struct fum_error *err);
void fum_vk_instance_destroy(struct fum_vk_instance **instance);
// Lists all physical devices; free *list with fum_free. None at all is FUM_ERR_DEVICE.
enum fum_result fum_vk_instance_devices(const struct fum_vk_instance *instance,
                                        VkPhysicalDevice **list, int *count, struct fum_error *err);
// Fills the device-level table, whose loading volk does through process-wide pointers.
void fum_vk_load_device(const struct fum_vk_instance *instance, VkDevice device,
                        struct VolkDeviceTable *table);

// Features as one chain, for queries and for creation; only what the device knows is linked.
struct fum_vk_features {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDevice8BitStorageFeatures storage8;
    VkPhysicalDeviceShaderFloat16Int8Features float16_int8;
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline;
    VkPhysicalDeviceBufferDeviceAddressFeatures address;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_control;
    VkPhysicalDeviceShaderIntegerDotProductFeatures int_dot;
    VkPhysicalDeviceMaintenance4Features maintenance4;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable;
    struct fum_vk_matrix_features matrix;
    struct fum_vk_bfloat16_features bfloat16;
    // Extensions to enable for what is linked.
    const char *extensions[20];
    uint32_t num_extensions;
};

// Queries the device for everything of struct fum_device_info, and for its features (may be NULL).
enum fum_result fum_vk_describe(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                                struct fum_device_info *info, struct fum_vk_features *features,
                                struct fum_error *err);
// Stores the cooperative-matrix products that kernels may use in *info. Clears
// info->cooperative_matrix if there are none.
void fum_vk_query_matrix(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                         const struct fum_vk_features *features, struct fum_device_info *info);
// Returns why this device cannot be used at all, or NULL if it can.
const char *fum_vk_refusal(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                           const struct fum_device_info *info);
// Returns the first queue family that can compute, or -1 if there is none.
int fum_vk_compute_family(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                          VkQueueFamilyProperties *properties);

struct fum_vk_submission {
    uint64_t ticket;
    VkFence fence; // without timeline semaphores
    char label[FUM_LABEL];
};

enum { FUM_VK_SLOTS = 2 };

// One half of the staging ring.
struct fum_vk_slot {
    VkBuffer buffer;
    VkDeviceMemory memory;
    void *map;
    VkCommandPool pool;
    VkCommandBuffer commands;
    uint64_t ticket;  // of its last copy
    fum_buffer *user; // the buffer whose upload fills it now; NULL: free
};

struct fum_vk {
    fum_device *front;
    struct fum_vk_instance *instance;
    VkPhysicalDevice physical;
    VkDevice device;
    struct VolkDeviceTable fn;
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t family;
    VkQueue queue;
    VkDescriptorSetLayout layouts[FUM_MAX_BINDINGS + 1]; // by number of bindings

    pthread_mutex_t lock;              // guards the queue and everything down to `waiting`
    uint64_t ticket, done;             // last given out; known to have finished
    VkSemaphore timeline;              // NULL: fences
    struct fum_vk_submission *pending; // in order of tickets, those not known to have finished
    size_t num_pending, pending_capacity;
    VkFence *fences; // free ones
    size_t num_fences, fence_capacity;
    pthread_mutex_t waiting; // one at a time waits for fences

    pthread_mutex_t staging_lock;
    pthread_cond_t staging_free;
    struct fum_vk_slot slots[FUM_VK_SLOTS];
    int locks_made;

    bool compile_only, statistics; // as requested; whether the driver has any
    struct fum_backend compiler;   // the device's backend when only its compiler is used

    VkPipelineCache cache;
    char *cache_path;   // NULL: not on disk
    uint64_t cache_sum; // of what was read
    atomic_int compiled;

    atomic_bool lost;
    atomic_int inject_after, inject_what;
};

static inline struct fum_vk *fum_vk_of(const fum_device *device) {
    return device->impl;
}

// Makes the locks of a device whose other parts are still empty. False: out of system resources.
// fum_vk_device_destroy destroys whatever was made, in any state.
bool fum_vk_device_init(struct fum_vk *vk, fum_device *device);
// Opens the chosen device, vk->physical, on the instance that vk holds.
enum fum_result fum_vk_device_open(struct fum_vk *vk, const struct fum_device_params *params,
                                   unsigned without, struct fum_error *err);
void fum_vk_device_destroy(fum_device *device);
int fum_vk_validation_messages(const fum_device *device);
// Turns an open device into a planning device with a real compiler.
void fum_vk_compile_only(struct fum_vk *vk);

// Calls Vulkan from a function that has `vk`, `VkResult vr` and the label `error`. The failure is
// logged with the call's text, the result's name and the line; then the function cleans up.
#define VK(call) FUM_VK_TRY(call, #call)

// VK() for every call that fills in a handle, a pointer or a count.
#define VK_FILL(out, call) FUM_VK_TRY(FUM_VK_FILL(out, call), #call)

// Calls Vulkan in an expression whose value is the call's result, and sets *out to 0 if the call
// fails. A failed call leaves what it should have filled in undefined, so nothing may destroy or
// count it.
#define FUM_VK_FILL(out, call) fum_vk_reset(out, sizeof *(out), (call))

#define FUM_VK_TRY(call, text)                               \
    do {                                                     \
        vr = fum_vk_injected(vk);                            \
        if (vr == VK_SUCCESS) vr = (call);                   \
        if (vr < 0) {                                        \
            fum_vk_failed(vk, text, vr, __FILE__, __LINE__); \
            goto error;                                      \
        }                                                    \
    } while (0)

static inline VkResult fum_vk_reset(void *out, size_t bytes, VkResult vr) {
    if (vr < 0) memset(out, 0, bytes);
    return vr;
}

VkResult fum_vk_injected(struct fum_vk *vk);
void fum_vk_failed(struct fum_vk *vk, const char *call, VkResult vr, const char *file, int line);
const char *fum_vk_result_name(VkResult vr);
// Sets "label: doing failed: … (VK_ERROR_…); what to do", and returns the code that fits.
enum fum_result fum_vk_error(struct fum_error *err, VkResult vr, const char *label,
                             const char *doing);

enum fum_vk_memory { FUM_VK_MEMORY_DEVICE, FUM_VK_MEMORY_DEVICE_MAPPED, FUM_VK_MEMORY_HOST };
// Returns the kind of memory that a buffer for this use should have.
enum fum_vk_memory fum_vk_memory_kind(const fum_device *device, enum fum_buffer_use use);
// Returns the best memory type of that kind among those whose bit is set; -1: none.
int fum_vk_memory_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits,
                       enum fum_vk_memory kind);
struct fum_vk_memory_params {
    uint64_t bytes;
    enum fum_vk_memory kind;
    void **map; // gets where the memory is mapped; NULL: it is not mapped
};
// Makes a buffer with its own memory.
VkResult fum_vk_memory_create(struct fum_vk *vk, const struct fum_vk_memory_params *params,
                              VkBuffer *buffer, VkDeviceMemory *memory);
// Implements memory_budget of struct fum_backend.
bool fum_vk_memory_budget(const fum_device *device, uint64_t *bytes);
void fum_vk_memory_destroy(struct fum_vk *vk, VkBuffer *buffer, VkDeviceMemory *memory);

struct fum_vk_buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    struct fum_vk_slot *slot; // of the upload that has begun
    uint64_t ticket;          // of the last copy, which may still be running
};
enum fum_result fum_vk_buffer_create(fum_buffer *buffer, struct fum_error *err);
void fum_vk_buffer_destroy(fum_buffer *buffer);
enum fum_result fum_vk_buffer_write(fum_buffer *buffer, uint64_t offset, const void *data,
                                    uint64_t bytes, struct fum_error *err);
enum fum_result fum_vk_buffer_read(fum_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                   struct fum_error *err);
enum fum_result fum_vk_upload_begin(fum_buffer *buffer, void **where, struct fum_error *err);
enum fum_result fum_vk_upload_end(fum_buffer *buffer, struct fum_error *err);
void fum_vk_staging_destroy(struct fum_vk *vk);

struct fum_vk_kernel {
    VkDescriptorSetLayout own_sets; // with texel buffers; else the device's by number of bindings
    VkPipelineLayout layout;
    VkPipeline vk_pipeline;
};
enum fum_result fum_vk_kernel_create(fum_kernel *kernel, struct fum_error *err);
void fum_vk_kernel_destroy(fum_kernel *kernel);
enum fum_result fum_vk_kernel_statistics(const fum_kernel *kernel,
                                         struct fum_kernel_statistic *list, int most, int *count,
                                         struct fum_error *err);
// Returns the layout of the kernel's descriptor sets.
VkDescriptorSetLayout fum_vk_kernel_sets(const fum_kernel *kernel);
VkResult fum_vk_make_sets(struct fum_vk *vk, uint32_t bindings, uint32_t texels,
                          VkDescriptorSetLayout *sets);

// Reads the pipeline cache of the device from disk. fum_vk_cache_save writes it at the end, if
// something new was compiled.
VkResult fum_vk_cache_open(struct fum_vk *vk, const char *cache_dir);
void fum_vk_cache_save(struct fum_vk *vk);

enum fum_result fum_vk_command_create(fum_command *command, struct fum_error *err);
void fum_vk_command_destroy(fum_command *command);
void fum_vk_barrier(fum_command *command);
enum fum_result fum_vk_dispatch(fum_command *command, const struct fum_kernel_call *call,
                                struct fum_error *err);
void fum_vk_copy(fum_command *command, const struct fum_buffer_copy *copy);
enum fum_result fum_vk_timestamp(fum_command *command, int index, struct fum_error *err);
enum fum_result fum_vk_end(fum_command *command, struct fum_error *err);
enum fum_result fum_vk_command_submit(fum_command *command, uint64_t *ticket,
                                      struct fum_error *err);
enum fum_result fum_vk_read_timestamp(fum_command *command, int index, uint64_t *ticks,
                                      struct fum_error *err);

// Makes everything that the device wrote before visible to everything after it on the device, and
// with `to_host` to the host.
void fum_vk_full_barrier(struct fum_vk *vk, VkCommandBuffer commands, bool to_host);

// Submits under the lock and gives the ticket.
VkResult fum_vk_submit(struct fum_vk *vk, VkCommandBuffer commands, const char *label,
                       uint64_t *ticket);
// Sleeps until the ticket is done. On failure `running` gets the label of the oldest unfinished
// submission.
VkResult fum_vk_wait(struct fum_vk *vk, uint64_t ticket, char running[FUM_LABEL]);
// Waits until nothing runs, whatever the state of the device. Comes before the destruction of what
// a failed wait may have left in use.
void fum_vk_idle(struct fum_vk *vk);
enum fum_result fum_vk_device_wait(fum_device *device, uint64_t ticket, struct fum_error *err);
void fum_vk_queue_destroy(struct fum_vk *vk);

#endif
