// SPDX-License-Identifier: MIT
// The device as every backend sees it: life, counters, trace.
#include "gpu/backend.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

fum_device *fum_device_new(const struct fum_backend *backend, const struct fum_log *log) {
    fum_device *device = fum_calloc(1, sizeof *device);
    if (!device) return NULL;
    device->backend = backend;
    if (log) device->log = *log;
    device->lock_made = pthread_mutex_init(&device->lock, NULL) == 0;
    if (device->lock_made && pthread_mutex_init(&device->trace_lock, NULL)) {
        pthread_mutex_destroy(&device->lock);
        device->lock_made = false;
    }
    if (!device->lock_made) {
        fum_free(device);
        return NULL;
    }
    return device;
}

void fum_device_destroy(fum_device **device) {
    if (!device || !*device) return;
    fum_device *d = *device;
    for (size_t i = 0; i < d->num_kernels; i++) {
        d->backend->kernel_destroy(d->kernels[i]);
        fum_free(d->kernels[i]);
    }
    fum_free(d->kernels);
    uint64_t left = fum_device_memory_used(d);
    if (left)
        fum_log(&d->log, FUM_LOG_WARN,
                "%s: destroyed while buffers of %llu bytes still live; destroy them first",
                d->info.name, (unsigned long long)left);
    d->backend->device_destroy(d);
    pthread_mutex_destroy(&d->trace_lock);
    pthread_mutex_destroy(&d->lock);
    fum_free(d->tuning_path);
    fum_free(d);
    *device = NULL;
}

const struct fum_device_info *fum_device_get_info(const fum_device *device) {
    return &device->info;
}

const struct fum_log *fum_device_log(const fum_device *device) {
    return &device->log;
}

int fum_device_validation_messages(const fum_device *device) {
    return device->backend->validation_messages ? device->backend->validation_messages(device) : 0;
}

void fum_device_set_trace(fum_device *device,
                          void (*fn)(void *user, const struct fum_trace_event *event), void *user) {
    pthread_mutex_lock(&device->lock);
    device->trace = fn;
    device->trace_user = user;
    pthread_mutex_unlock(&device->lock);
}

void fum_device_trace(fum_device *device, enum fum_trace_kind kind, const char *label,
                      uint64_t bytes, double start) {
    pthread_mutex_lock(&device->lock);
    void (*fn)(void *user, const struct fum_trace_event *event) = device->trace;
    void *user = device->trace_user;
    pthread_mutex_unlock(&device->lock);
    if (!fn) return;
    struct fum_trace_event event = {.kind = kind, .label = label, .bytes = bytes, .start = start};
    event.end = fum_time_now();
    pthread_mutex_lock(&device->trace_lock);
    fn(user, &event);
    pthread_mutex_unlock(&device->trace_lock);
}

void fum_device_memory_add(fum_device *device, uint64_t bytes) {
    uint_fast64_t now = atomic_fetch_add(&device->used, bytes) + bytes;
    uint_fast64_t peak = atomic_load(&device->peak);
    while (now > peak && !atomic_compare_exchange_weak(&device->peak, &peak, now)) continue;
}

void fum_device_memory_sub(fum_device *device, uint64_t bytes) {
    atomic_fetch_sub(&device->used, bytes);
}

uint64_t fum_device_memory_used(const fum_device *device) {
    return atomic_load(&((fum_device *)device)->used);
}

void fum_device_memory_peak_reset(fum_device *device) {
    atomic_store(&device->peak, atomic_load(&device->used));
}

uint64_t fum_device_memory_peak(const fum_device *device) {
    return atomic_load(&((fum_device *)device)->peak);
}

void fum_device_get_memory(const fum_device *device, uint64_t *used, uint64_t *total) {
    *used = fum_device_memory_used(device);
    *total = device->info.memory;
}

uint64_t fum_device_staging_bytes(const fum_device *device) {
    return device->info.unified_memory ? 0 : 2 * (uint64_t)FUM_STAGING_BYTES;
}

uint64_t fum_device_memory_budget(const fum_device *device, bool *stated) {
    uint64_t bytes = device->info.memory;
    *stated = device->backend->memory_budget && device->backend->memory_budget(device, &bytes);
    // A quarter is left for everything else on the machine, a sixteenth where the driver knows it.
    return *stated ? bytes - bytes / 16 : bytes - bytes / 4;
}

void fum_label_copy(char label[FUM_LABEL], const char *text) {
    snprintf(label, FUM_LABEL, "%s", text ? text : "");
}
