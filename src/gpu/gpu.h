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

// ---- buffers
// -------------------------------------------------------------------------------------------------

// Raw GPU bytes: one VkBuffer with its own memory. At most the smaller of max_buffer and
// max_allocation.
typedef struct fum_buffer fum_buffer;

enum fum_buffer_use {
    // device-local; reached by fum_buffer_write/read through staging (or directly where the
    FUM_BUFFER_DEVICE = 0,
    // memory is host-visible: integrated GPUs, lavapipe)
    // host-visible and coherent, for small things the host reads or writes often
    FUM_BUFFER_HOST,
};

// Whatever shares a buffer begins at multiples of this: no device may ask for more (Vulkan's limits
// on minStorageBufferOffsetAlignment and minTexelBufferOffsetAlignment), so one plan's offsets
// serve them all.
enum { FUM_BUFFER_ALIGN = 256 };
static inline uint64_t fum_buffer_align(uint64_t bytes) {
    return (bytes + FUM_BUFFER_ALIGN - 1) / FUM_BUFFER_ALIGN * FUM_BUFFER_ALIGN;
}

// llvmpipe compiles a kernel anew for every combination of two traits of each texel buffer that it
// reads: whether the whole buffer's size is a power of two, and whether bits 8 to 15 of the view's
// size are zero (it reads them as a mip level). So on CPU devices no buffer and no view has either
// trait.
enum { FUM_VIEW_SLACK = 256 };
// Returns how many bytes a view of `bytes` covers: on CPU devices up to FUM_VIEW_SLACK more,
// elsewhere `bytes`.
uint64_t fum_padded_view(const struct fum_device_info *info, uint64_t bytes);

// `label` is copied and named in errors. Contents are undefined at first.
enum fum_result fum_buffer_create(fum_buffer **buffer, fum_device *device, uint64_t bytes,
                                  enum fum_buffer_use use, const char *label,
                                  struct fum_error *err);
void fum_buffer_destroy(fum_buffer **buffer);
uint64_t fum_buffer_size(const fum_buffer *buffer);
// What the next transfers are of, for traces and errors; copied. A buffer holds many tensors.
void fum_buffer_set_label(fum_buffer *buffer, const char *label);
// Host address of the bytes, or NULL when they are not host-visible. Writes are seen by later
// submissions.
void *fum_buffer_map(fum_buffer *buffer);

// For the trace: that bytes were written through fum_buffer_map since `start`, of what. On any
// thread.
void fum_buffer_wrote(fum_buffer *buffer, const char *label, uint64_t bytes, double start);

// Copies host bytes to the buffer or back. They are complete on return; large ones go through a
// staging ring of bounded size. No submission that uses the buffer may be in flight.
enum fum_result fum_buffer_write(fum_buffer *buffer, uint64_t offset, const void *data,
                                 uint64_t bytes, struct fum_error *err);
enum fum_result fum_buffer_read(fum_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                struct fum_error *err);

// Streams a large upload without a host copy of it: gives the address where the next `bytes` (at
// most FUM_STAGING_BYTES, unless the buffer is host-visible) for `offset` are to be written;
// fum_buffer_upload_end sends them. Begin and end belong together on one thread, which may have one
// upload open at a time.
enum { FUM_STAGING_BYTES = 16 << 20 };
enum fum_result fum_buffer_upload_begin(fum_buffer *buffer, uint64_t offset, uint64_t bytes,
                                        void **where, struct fum_error *err);
enum fum_result fum_buffer_upload_end(fum_buffer *buffer, struct fum_error *err);

// ---- kernels
// -------------------------------------------------------------------------------------------------

enum { FUM_MAX_SPEC = 24, FUM_MAX_BINDINGS = 8, FUM_MAX_PUSH = 32 };

// A SPIR-V module embedded at build time; shaders.c holds the table that meson makes from
// src/ops/ops.def.
struct fum_shader {
    const char *name;     // "conv2d"
    enum fum_dtype dtype; // storage type of the variant
    const uint32_t *words;
    size_t bytes;
};
// NULL when there is no such shader in that storage type.
const struct fum_shader *fum_shader_find(const char *name, enum fum_dtype dtype);

// SPIR-V + specialisation constants (ids 0, 1, 2, … in order; ids 0..2 are the workgroup size x, y,
// z by convention of all our shaders) + layout: `bindings` storage buffers 0..n-1 in set 0, `push`
// 32-bit push constants. A binding whose bit is set in `texels` is a uniform texel buffer instead,
// one texel a quad of the shader's storage type (f32 and f16 as RGBA floats, bf16 as RGBA 16-bit
// integers), or of four f32 or f16 where the bit FUM_TEXELS_F32 or FUM_TEXELS_F16 further up is set
// too: on CPU drivers reading those is much cheaper.
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

// What the driver says of a kernel: stores up to `most` statistics and in *count how many. None
// where the driver knows no VK_KHR_pipeline_executable_properties or the device was not opened with
// compile_only.
enum fum_result fum_kernel_statistics(const fum_kernel *kernel, struct fum_kernel_statistic *list,
                                      int most, int *count, struct fum_error *err);

// ---- commands
// ------------------------------------------------------------------------------------------------

// A recorded command buffer that can be submitted any number of times. Dispatches run in order of
// recording; barriers are put between two dispatches only where their byte ranges conflict (read
// after write, write after read, write after write), found by the ranges given here. A submission
// starts after all earlier ones on the device have finished their writes.
typedef struct fum_command fum_command;

struct fum_binding {
    fum_buffer *buffer;
    uint64_t offset, bytes; // offset: a multiple of binding_align; bytes: at most max_binding
    bool write;             // the shader may write it (and read it)
};

enum fum_result fum_command_create(fum_command **command, fum_device *device, const char *label,
                                   struct fum_error *err);
void fum_command_destroy(fum_command **command);
// Adds a dispatch; `label` (copied) names the node in errors and traces. groups are checked against
// the limits.
enum fum_result fum_command_dispatch(fum_command *command, const fum_kernel *kernel,
                                     const struct fum_binding *bindings, const uint32_t *push,
                                     const uint32_t groups[3], const char *label,
                                     struct fum_error *err);
// Adds a dispatch of no workgroups, with the whole buffer at every binding: computes nothing, but
// drivers that compile at first use compile the kernel.
enum fum_result fum_command_warm(fum_command *command, const fum_kernel *kernel, fum_buffer *buffer,
                                 struct fum_error *err);
enum fum_result fum_command_copy(fum_command *command, fum_buffer *src, uint64_t src_offset,
                                 fum_buffer *dst, uint64_t dst_offset, uint64_t bytes,
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

// Device memory now allocated by this device object, and its peak.
uint64_t fum_device_memory_used(const fum_device *device);
uint64_t fum_device_memory_peak(const fum_device *device);
void fum_device_memory_peak_reset(fum_device *device); // to what is allocated now
// What transfers take beside that, at the most: the staging ring of devices whose memory is not
// host-visible.
uint64_t fum_device_staging_bytes(const fum_device *device);
// How much of the device's memory may be used now, what is in use here included: what the driver
// states (VK_EXT_memory_budget), or a part of the heap (*stated false).
uint64_t fum_device_memory_budget(const fum_device *device, bool *stated);

#endif
