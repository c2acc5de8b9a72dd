// SPDX-License-Identifier: MIT
// Lists the GPUs of a machine, describes them, and opens one.
#ifndef FUMAROLE_DEVICE_H
#define FUMAROLE_DEVICE_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// A GPU and its compute queue. Several threads may use it at once, since submission is serialised
// inside. Must outlive everything made from it.
typedef struct fum_device fum_device;

enum fum_device_type {
    FUM_DEVICE_OTHER = 0,
    FUM_DEVICE_INTEGRATED,
    FUM_DEVICE_DISCRETE,
    FUM_DEVICE_VIRTUAL,
    FUM_DEVICE_CPU,
};

// A matrix product that the lanes of one subgroup compute together: C [m, n] += A [m, k] B [k, n].
enum fum_matrix_type {
    FUM_MATRIX_F16,  // A and B f16, C f32
    FUM_MATRIX_BF16, // A and B bf16, C f32
    FUM_MATRIX_S8,   // A and B signed 8-bit integers, C signed 32-bit
};
struct fum_matrix_shape {
    enum fum_matrix_type type;
    uint16_t m, n, k;
};
enum { FUM_MAX_MATRIX_SHAPES = 16 };

// Properties and limits of a device. Sizes are in bytes. The same record describes real devices and
// planning-only ones.
struct fum_device_info {
    char name[256];
    char driver[256]; // driver name and version, in the driver's own words
    uint8_t uuid[16];
    uint32_t vendor_id, device_id;
    uint32_t driver_version;
    uint32_t api_version; // as VK_MAKE_API_VERSION packs it
    enum fum_device_type type;
    uint64_t memory;         // of the largest device-local heap
    uint64_t max_binding;    // maxStorageBufferRange: the largest range of one shader binding
    uint64_t max_allocation; // maxMemoryAllocationSize
    uint64_t max_buffer;     // maxBufferSize
    uint32_t binding_align;  // minStorageBufferOffsetAlignment
    uint32_t shared_bytes;   // maxComputeSharedMemorySize
    uint32_t max_group_invocations;
    uint32_t max_group_size[3];
    uint32_t max_group_count[3];
    uint32_t max_push_bytes;
    uint32_t max_bindings; // storage buffers per shader stage
    // maxTexelBufferElements: quads that a binding read as texels may cover; 0: unknown
    uint64_t max_texels;
    uint32_t texel_align; // minTexelBufferOffsetAlignment
    uint32_t subgroup_size, subgroup_min, subgroup_max;
    float timestamp_period; // nanoseconds per tick; 0: no timestamps
    uint32_t timestamp_bits;
    bool storage16; // 16-bit values in storage buffers
    bool float16;   // f16 arithmetic in shaders
    bool storage8, int8;
    bool int_dot; // integer dot product
    bool subgroup_arithmetic, subgroup_shuffle;
    bool subgroup_control;   // a subgroup size can be required
    bool cooperative_matrix; // has at least one of `matrix`
    // products of the types above, in the order of the driver
    struct fum_matrix_shape matrix[FUM_MAX_MATRIX_SHAPES];
    uint32_t num_matrix;      // number of entries in `matrix`
    uint32_t matrix_subgroup; // subgroup size that kernels with such products are to require
    bool buffer_address;
    bool timeline;       // timeline semaphores
    bool unified_memory; // device-local memory is host-visible
    bool memory_budget;  // the driver states how much memory is free
    bool planning_only;  // only limits: plans, but runs nothing
};

// Lists the Vulkan devices of this machine into infos[0..capacity). Stores their number in *count,
// which may be more than capacity. A machine without any Vulkan driver is FUM_ERR_DEVICE with
// advice, not an empty list.
FUM_API enum fum_result fum_device_list(struct fum_device_info *infos, int capacity, int *count,
                                        struct fum_error *err);

struct fum_device_params {
    // An index of fum_device_list, a UUID (32 hexadecimal digits, dashes allowed), or part of a
    // name, case ignored. NULL: the first discrete, else integrated, else any device; CPU devices
    // last.
    const char *select;
    const struct fum_log *log; // kept; may be NULL
    // Folder of the pipeline cache. NULL: the user's cache folder; "": no cache on disk.
    const char *cache_dir;
    // Uses the device for its compiler alone. Kernels are compiled, and the driver's statistics of
    // them are read (see fum_selftest), but nothing is allocated and nothing runs. Also serves
    // drivers that compile for absent hardware: RADV's null device, Mesa's drm-shims.
    bool compile_only;
    // enables the Khronos validation layer with synchronisation validation; messages go to the log
    bool validate;
};

// Opens a device. Free it with fum_device_destroy. `params` may be NULL: all defaults. Errors:
// FUM_ERR_ARG (no such device), FUM_ERR_DEVICE (no driver, or the device cannot be used),
// FUM_ERR_NOMEM.
FUM_API enum fum_result fum_device_create(fum_device **device,
                                          const struct fum_device_params *params,
                                          struct fum_error *err);
// Creates a planning-only device by its name (fum_device_planning_name), such as "lavapipe" or
// "adreno-7xx". It plans, counts and states sizes. Running anything on it is FUM_ERR_UNSUPPORTED.
// Another name, or NULL, is FUM_ERR_ARG.
FUM_API enum fum_result fum_device_create_planning(fum_device **device, const char *name,
                                                   struct fum_error *err);
// Returns the i-th planning device's name, or NULL after the last.
FUM_API const char *fum_device_planning_name(int index);
FUM_API void fum_device_destroy(fum_device **device);

FUM_API const struct fum_device_info *fum_device_get_info(const fum_device *device);
// Stores the bytes of device memory that this object has allocated now, and those of the largest
// heap. Any thread may call it at any time.
FUM_API void fum_device_get_memory(const fum_device *device, uint64_t *used, uint64_t *total);
// Returns the number of messages of the validation layer since the device was created. 0 without
// `validate`.
FUM_API int fum_device_validation_messages(const fum_device *device);

// A driver's statistic of a compiled kernel, in its own words: "VGPRs", "Spill count", "Instruction
// Count".
struct fum_kernel_statistic {
    char name[64];
    double value;
};

// Kinds of events: transfers over the bus and the work of the host around them.
enum fum_trace_kind {
    FUM_TRACE_SUBMIT, // bytes: number of dispatches
    FUM_TRACE_WAIT,
    FUM_TRACE_UPLOAD,   // host to device, bytes
    FUM_TRACE_READBACK, // device to host, bytes
    FUM_TRACE_RECORD,   // a command buffer recorded; bytes: number of dispatches
    FUM_TRACE_KERNEL,   // a pipeline created
    FUM_TRACE_ALLOC,    // device memory allocated, bytes
};

// One event. `label` names its subject ("latents", "unet step") and lives during the callback.
// `start` and `end` are seconds of fum_time_now.
struct fum_trace_event {
    enum fum_trace_kind kind;
    const char *label;
    uint64_t bytes;
    double start, end;
};

// Calls `fn` for every event of the device from now on, one at a time, on the thread that causes
// it. NULL: none.
FUM_API void fum_device_set_trace(fum_device *device,
                                  void (*fn)(void *user, const struct fum_trace_event *event),
                                  void *user);

#ifdef __cplusplus
}
#endif

#endif
