// SPDX-License-Identifier: MIT
// The GPU layer: buffers, kernels, commands. The only layer that sees Vulkan; nothing in this
// header does. It knows no ops and no models. Every function returns results as values; a lost
// device or memory that ran out is an ordinary error that names what was being done.
//
// Threads: a device may be shared; buffers, kernels and commands belong to one thread at a time.
// Submission is locked inside.
#ifndef FUM_GPU_GPU_H
#define FUM_GPU_GPU_H

#include <fumarole/device.h>

#include "base/log.h"

const struct fum_log *fum_device_log(const fum_device *device);

// ---- buffers ----

// Raw GPU bytes: one VkBuffer with its own memory. At most the smaller of max_buffer and
// max_allocation.
typedef struct fum_buffer fum_buffer;

enum fum_buffer_use {
    // device-local; fum_buffer_write and _read go through staging, or directly where the memory is
    // host-visible (integrated GPUs, lavapipe)
    FUM_BUFFER_DEVICE = 0,
    // host-visible and coherent, for small data that the host reads or writes often
    FUM_BUFFER_HOST,
};

// Ranges that share a buffer begin at multiples of this. No device may require more: it is Vulkan's
// limit on minStorageBufferOffsetAlignment and minTexelBufferOffsetAlignment. So the offsets of one
// plan serve all devices.
enum { FUM_BUFFER_ALIGN = 256 };
static inline uint64_t fum_buffer_align(uint64_t bytes) {
    return (bytes + FUM_BUFFER_ALIGN - 1) / FUM_BUFFER_ALIGN * FUM_BUFFER_ALIGN;
}

// llvmpipe compiles a kernel anew for every combination of two traits of each texel buffer. The
// first is a buffer size that is a power of two. The second is a view size whose bits 8 to 15 are
// zero (it reads them as a mip level). On CPU devices no buffer and no view has either trait.
enum { FUM_VIEW_SLACK = 256 };
// Returns how many bytes a view of `bytes` covers: on CPU devices up to FUM_VIEW_SLACK more,
// elsewhere `bytes`.
uint64_t fum_padded_view(const struct fum_device_info *info, uint64_t bytes);

struct fum_buffer_params {
    uint64_t bytes;
    enum fum_buffer_use use;
    const char *label; // copied, and named in errors
};
// Allocates a buffer. Its contents are undefined at first.
enum fum_result fum_buffer_create(fum_buffer **buffer, fum_device *device,
                                  const struct fum_buffer_params *params, struct fum_error *err);
void fum_buffer_destroy(fum_buffer **buffer);
uint64_t fum_buffer_size(const fum_buffer *buffer);
// Names the content of the next transfers, for traces and errors. The label is copied: a buffer
// holds many tensors.
void fum_buffer_set_label(fum_buffer *buffer, const char *label);
// Returns the host address of the bytes, or NULL if they are not host-visible. Later submissions
// see what was written.
void *fum_buffer_map(fum_buffer *buffer);

// Reports to the trace that bytes were written through fum_buffer_map since `start`. Any thread.
void fum_buffer_wrote(fum_buffer *buffer, const char *label, uint64_t bytes, double start);

// Copies host bytes to the buffer or back. They are complete on return; large ones go through a
// staging ring of bounded size. No submission that uses the buffer may be in flight.
enum fum_result fum_buffer_write(fum_buffer *buffer, uint64_t offset, const void *data,
                                 uint64_t bytes, struct fum_error *err);
enum fum_result fum_buffer_read(fum_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                struct fum_error *err);

// Streams a large upload without a host copy of it. *where gets the address to write the next
// `bytes` to, at most FUM_STAGING_BYTES unless the buffer is host-visible. fum_buffer_upload_end
// sends them to `offset`. Begin and end belong together on one thread, one upload at a time.
enum { FUM_STAGING_BYTES = 16 << 20 };
enum fum_result fum_buffer_upload_begin(fum_buffer *buffer, uint64_t offset, uint64_t bytes,
                                        void **where, struct fum_error *err);
enum fum_result fum_buffer_upload_end(fum_buffer *buffer, struct fum_error *err);

// ---- kernels ----

enum { FUM_MAX_SPEC = 24, FUM_MAX_BINDINGS = 10, FUM_MAX_PUSH = 32 };

// A SPIR-V module embedded at build time; shaders.c holds the table that meson makes from
// src/ops/ops.def.
struct fum_shader {
    const char *name;     // "conv2d"
    enum fum_dtype dtype; // storage type of the variant
    const uint32_t *words;
    size_t bytes;
};
// Returns a shader in a storage type, or NULL if the build has none.
const struct fum_shader *fum_shader_find(const char *name, enum fum_dtype dtype);

// A kernel is SPIR-V with specialisation constants and a layout. The constants have ids 0, 1, 2, …
// in order. In all our shaders the first three are the workgroup size. The layout is num_bindings
// storage buffers in set 0, and num_push 32-bit push constants.
//
// A binding whose bit is set in `texels` is a uniform texel buffer instead, which CPU drivers read
// much faster. One texel is a quad of the shader's storage type: RGBA floats for f32 and f16, RGBA
// 16-bit integers for bf16. The same bit moved up by FUM_TEXELS_F32 or FUM_TEXELS_F16 makes it four
// f32 or f16.
enum { FUM_TEXELS_F32 = 10, FUM_TEXELS_F16 = 20 };
typedef struct fum_kernel fum_kernel;
struct fum_kernel_desc {
    const struct fum_shader *shader;
    uint32_t spec[FUM_MAX_SPEC];
    uint32_t texels;
    int num_spec, num_bindings, num_push;
    // required subgroup size, in full subgroups: the workgroup's x is a multiple; 0: any
    uint32_t subgroup;
};

bool fum_kernel_desc_same(const struct fum_kernel_desc *a, const struct fum_kernel_desc *b);

// Gets the kernel from the device's table or compiles it (through the pipeline cache on disk). The
// kernel belongs to the device and lives as long; the same desc gives the same pointer. A workgroup
// over the device's limits is FUM_ERR_UNSUPPORTED.
enum fum_result fum_kernel_get(const fum_kernel **kernel, fum_device *device,
                               const struct fum_kernel_desc *desc, struct fum_error *err);
// Compiles several at once, on as many threads as the machine has; kernels[i] belongs to descs[i].
enum fum_result fum_kernel_get_all(const fum_kernel **kernels, fum_device *device,
                                   const struct fum_kernel_desc *descs, int count,
                                   struct fum_error *err);

// Reports how much of a piece of work is done, on the calling thread. A false return cancels the
// work.
struct fum_progress {
    bool (*fn)(void *user, int done, int total);
    void *user;
};
struct fum_kernel_list {
    const struct fum_kernel_desc *descs;
    const fum_kernel **kernels;
    int count;
    // counts kernels that are not in the table yet; may be NULL
    const struct fum_progress *progress;
};
// Does the same as fum_kernel_get_all. *compiled (may be NULL): how many were not in the table.
enum fum_result fum_kernel_get_list(fum_device *device, const struct fum_kernel_list *list,
                                    int *compiled, struct fum_error *err);

// Starts a thread that makes a CPU driver compile these kernels, which it would else do at their
// first dispatch. *warming becomes NULL if there is nothing to compile. The device may be used
// meanwhile, but what is submitted then waits for the kernel that is being compiled.
struct fum_warming;
enum fum_result fum_warming_begin(struct fum_warming **warming, fum_device *device,
                                  const fum_kernel *const *kernels, int count,
                                  struct fum_error *err);
// Returns the number of kernels that it compiles. `warming` may be NULL.
int fum_warming_count(const struct fum_warming *warming);
// Waits until all are compiled, reports each, and sets *warming to NULL. `progress` and *warming
// may be NULL.
enum fum_result fum_warming_end(struct fum_warming **warming, const struct fum_progress *progress,
                                struct fum_error *err);
// Stops after the kernel that is being compiled and sets *warming to NULL. *warming may be NULL.
void fum_warming_stop(struct fum_warming **warming);

// Stores up to `most` statistics that the driver reports of a kernel, and their number in *count. 0
// without VK_KHR_pipeline_executable_properties, or if the device was not opened with compile_only.
enum fum_result fum_kernel_statistics(const fum_kernel *kernel, struct fum_kernel_statistic *list,
                                      int most, int *count, struct fum_error *err);

// ---- commands ----

// A recorded command buffer that can be submitted any number of times. Dispatches run in order of
// recording. A barrier stands between two dispatches only where the byte ranges of their bindings
// conflict (read after write, write after read, write after write). A submission starts after all
// earlier ones on the device have finished their writes.
typedef struct fum_command fum_command;

struct fum_binding {
    fum_buffer *buffer;
    uint64_t offset, bytes; // offset: a multiple of binding_align; bytes: at most max_binding
    bool write;             // the shader may write it (and read it)
};

// One dispatch: a kernel with what it is bound to.
struct fum_kernel_call {
    const fum_kernel *kernel;
    const struct fum_binding *bindings; // as many as the kernel has
    const uint32_t *push;               // as many as the kernel has; may be NULL if it has none
    const uint32_t *groups;             // workgroups in x, y and z
    const char *label;                  // copied; names the node in errors and traces
};

struct fum_buffer_copy {
    fum_buffer *src, *dst;
    uint64_t src_offset, dst_offset, bytes;
};

enum fum_result fum_command_create(fum_command **command, fum_device *device, const char *label,
                                   struct fum_error *err);
void fum_command_destroy(fum_command **command);
// Adds a dispatch after checking it against the device's limits.
enum fum_result fum_command_dispatch(fum_command *command, const struct fum_kernel_call *call,
                                     struct fum_error *err);
// Adds a dispatch of no workgroups, with the whole buffer at every binding: computes nothing, but
// drivers that compile at first use compile the kernel.
enum fum_result fum_command_warm(fum_command *command, const fum_kernel *kernel, fum_buffer *buffer,
                                 struct fum_error *err);
enum fum_result fum_command_copy(fum_command *command, const struct fum_buffer_copy *copy,
                                 struct fum_error *err);
// Writes a GPU timestamp into slot `index` of the command (0..1023), after all work recorded so
// far. Does nothing on devices without timestamps.
enum fum_result fum_command_timestamp(fum_command *command, int index, struct fum_error *err);
// Ends recording. Nothing can be added afterwards.
enum fum_result fum_command_end(fum_command *command, struct fum_error *err);

// Barriers between dispatches and copies; those that every command has at its start and end are not
// counted.
int fum_command_dispatches(const fum_command *command);
int fum_command_barriers(const fum_command *command);

// Starts the recorded work; returns at once. *ticket grows with every submission of the device.
enum fum_result fum_command_submit(fum_command *command, uint64_t *ticket, struct fum_error *err);
// Sleeps until the submission with this ticket (and all before it) has finished. A lost device is
// FUM_ERR_DEVICE and names the label of the command that was running.
enum fum_result fum_device_wait(fum_device *device, uint64_t ticket, struct fum_error *err);
// Nanoseconds at slot `index` in the last finished submission, counted from the first slot that was
// recorded; the difference of two slots is a duration.
enum fum_result fum_command_read_timestamp(fum_command *command, int index, double *nanoseconds,
                                           struct fum_error *err);

// Returns the device memory that this device object has allocated now, or at its peak.
uint64_t fum_device_memory_used(const fum_device *device);
uint64_t fum_device_memory_peak(const fum_device *device);
void fum_device_memory_peak_reset(fum_device *device); // to what is allocated now
// Returns what transfers take beside that, at most: the staging ring, which devices with
// host-visible memory do not need.
uint64_t fum_device_staging_bytes(const fum_device *device);
// Returns how much of the device's memory may be used now, including what this object uses. The
// driver states it (VK_EXT_memory_budget), or it is a part of the heap and *stated is false.
uint64_t fum_device_memory_budget(const fum_device *device, bool *stated);

#endif
