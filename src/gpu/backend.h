// SPDX-License-Identifier: MIT
// Declares what the front half keeps, and the table through which it calls a back half. The front
// half is device.c, buffer.c, kernel.c and command.c: arguments, limits, conflicts, counters. A
// back half is Vulkan (vk_*.c) or planning only (null.c). No Vulkan here.
#ifndef FUM_GPU_BACKEND_H
#define FUM_GPU_BACKEND_H

#include "gpu/gpu.h"
#include "gpu/tuning.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FUM_LABEL = 64, FUM_TIMESTAMPS = 1024 };

// Every function may assume that arguments are within limits and ranges. A NULL entry is
// FUM_ERR_UNSUPPORTED.
struct fum_backend {
    void (*device_destroy)(fum_device *device);
    int (*validation_messages)(const fum_device *device);
    // Stores how much this process may have allocated of the heap of FUM_BUFFER_DEVICE. False if
    // the driver does not state it: *bytes is then the heap's size, or unchanged if unknown.
    bool (*memory_budget)(const fum_device *device, uint64_t *bytes);
    enum fum_result (*buffer_create)(fum_buffer *buffer, struct fum_error *err);
    void (*buffer_destroy)(fum_buffer *buffer); // accepts a half-built one
    enum fum_result (*buffer_write)(fum_buffer *buffer, uint64_t offset, const void *data,
                                    uint64_t bytes, struct fum_error *err);
    enum fum_result (*buffer_read)(fum_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                   struct fum_error *err);
    enum fum_result (*upload_begin)(fum_buffer *buffer, void **where, struct fum_error *err);
    enum fum_result (*upload_end)(fum_buffer *buffer, struct fum_error *err);
    enum fum_result (*kernel_create)(fum_kernel *kernel, struct fum_error *err);
    void (*kernel_destroy)(fum_kernel *kernel);
    enum fum_result (*kernel_statistics)(const fum_kernel *kernel,
                                         struct fum_kernel_statistic *list, int most, int *count,
                                         struct fum_error *err);
    enum fum_result (*command_create)(fum_command *command, struct fum_error *err);
    void (*command_destroy)(fum_command *command);
    void (*barrier)(fum_command *command);
    enum fum_result (*dispatch)(fum_command *command, const struct fum_kernel_call *call,
                                struct fum_error *err);
    void (*copy)(fum_command *command, const struct fum_buffer_copy *copy);
    enum fum_result (*timestamp)(fum_command *command, int index, struct fum_error *err);
    enum fum_result (*end)(fum_command *command, struct fum_error *err);
    enum fum_result (*submit)(fum_command *command, uint64_t *ticket, struct fum_error *err);
    enum fum_result (*wait)(fum_device *device, uint64_t ticket, struct fum_error *err);
    enum fum_result (*read_timestamp)(fum_command *command, int index, uint64_t *ticks,
                                      struct fum_error *err);
};

struct fum_device {
    const struct fum_backend *backend;
    void *impl; // of the backend
    struct fum_device_info info;
    struct fum_log log;
    struct fum_tuning tuning;
    char *tuning_path;          // NULL: not kept on disk
    pthread_mutex_t lock;       // guards kernels and the trace
    pthread_mutex_t trace_lock; // one event at a time
    bool lock_made;             // both
    void (*trace)(void *user, const struct fum_trace_event *event);
    void *trace_user;
    fum_kernel **kernels;
    size_t num_kernels, kernel_capacity;
    atomic_uint_fast64_t used, peak;
};

struct fum_buffer {
    fum_device *device;
    void *impl;
    uint64_t bytes, slack; // slack: bytes at the end that only padded views reach
    enum fum_buffer_use use;
    void *map;
    uint64_t upload_offset, upload_bytes;
    bool uploading;
    double upload_start;
    char label[FUM_LABEL];
};

// Returns the slack that lets a buffer of `bytes` hold padded views (see fum_padded_view) and be no
// power of two.
uint64_t fum_padding_slack(uint64_t bytes);

struct fum_kernel {
    fum_device *device;
    void *impl;
    bool warm; // compiled or being compiled by a fum_warming; guarded by the device's lock
    struct fum_kernel_desc desc; // entries beyond num_spec are zero, so that descs compare as bytes
    uint64_t hash;
};

// Accesses since the last barrier; see track.c.
struct fum_access {
    const fum_buffer *buffer;
    uint64_t first, end;
    bool write;
};
struct fum_tracker {
    struct fum_access *items;
    size_t count, capacity;
};
// True if these accesses conflict with any since the last barrier.
bool fum_tracker_conflicts(const struct fum_tracker *tracker, const struct fum_access *accesses,
                           int count);
// Remembers them. False when memory is out.
bool fum_tracker_add(struct fum_tracker *tracker, const struct fum_access *accesses, int count);

struct fum_command {
    fum_device *device;
    void *impl;
    struct fum_tracker tracker;
    int dispatches, barriers;
    bool ended, failed;
    int first_slot; // the first timestamp recorded, -1: none
    uint32_t slots[FUM_TIMESTAMPS / 32];
    uint64_t ticket; // of the last submission
    double start;    // of recording
    char label[FUM_LABEL];
};

// Ticks from one timestamp to a later one of a counter with so many valid bits, which may have
// wrapped in between.
uint64_t fum_ticks_between(uint64_t first, uint64_t last, uint32_t bits);

// Returns a device with everything but a backend's parts, or NULL when out of memory. Destroy it
// with fum_device_destroy.
fum_device *fum_device_new(const struct fum_backend *backend, const struct fum_log *log);
void fum_device_trace(fum_device *device, enum fum_trace_kind kind, const char *label,
                      uint64_t bytes, double start);
void fum_device_memory_add(fum_device *device, uint64_t bytes);
void fum_device_memory_sub(fum_device *device, uint64_t bytes);
void fum_label_copy(char label[FUM_LABEL], const char *text);

// Returns the path of this kind of file for a device and its driver in a cache folder (as
// fum_device_params has it). NULL: nothing is kept on disk. Free it with fum_free.
char *fum_cache_path(const struct fum_device_info *info, const char *dir, const char *kind);
uint64_t fum_cache_sum(const void *data, size_t bytes);
// Reads what was measured on this device before, if anything; a file that cannot be used is only
// logged.
void fum_device_load_tuning(fum_device *device, const char *cache_dir);

// The devices of a machine.
struct fum_device_candidates {
    const struct fum_device_info *infos;
    const char *const *refusals; // why each cannot be used; NULL for usable devices
    int count;
};
// Finds the device that `select` means (see fum_device_params). Errors state why it is refused.
enum fum_result fum_device_choose(int *index, const char *select,
                                  const struct fum_device_candidates *candidates,
                                  struct fum_error *err);

extern const struct fum_backend fum_backend_null, fum_backend_vulkan;

// Returns the limits of the i-th planning device; NULL past the last.
const struct fum_device_info *fum_planning_info(int index);

// Opens a Vulkan device as fum_device_create does, leaving some of what it offers unused.
enum {
    FUM_WITHOUT_TIMELINE = 1, // fences instead
    FUM_WITHOUT_UNIFIED = 2,  // staging even where memory is host-visible
    FUM_WITHOUT_STORAGE16 = 4,
};
enum fum_result fum_device_create_without(fum_device **device,
                                          const struct fum_device_params *params, unsigned without,
                                          struct fum_error *err);

// Tests: the Vulkan call that comes after `after` more checked ones on this device is not made but
// fails. A lost device stays lost. Negative: off.
enum fum_injection { FUM_INJECT_DEVICE_LOST, FUM_INJECT_DEVICE_MEMORY };
void fum_device_inject(fum_device *device, int after, enum fum_injection what);

#endif
