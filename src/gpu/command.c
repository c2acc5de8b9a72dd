// SPDX-License-Identifier: MIT
// Recording: limits, conflicts and counts; the same for real and planning-only devices.
#include "gpu/backend.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <string.h>

typedef unsigned long long ull;

enum fum_result fum_command_create(fum_command **command, fum_device *device, const char *label,
                                   struct fum_error *err) {
    *command = NULL;
    fum_command *c = fum_calloc(1, sizeof *c);
    if (!c) return fum_error_set(err, FUM_ERR_NOMEM, "%s: no host memory for a command", label);
    c->device = device;
    c->first_slot = -1;
    c->start = fum_time_now();
    fum_label_copy(c->label, label);
    enum fum_result result = device->backend->command_create(c, err);
    if (result) {
        fum_command_destroy(&c);
        return result;
    }
    *command = c;
    return FUM_OK;
}

void fum_command_destroy(fum_command **command) {
    if (!command || !*command) return;
    fum_command *c = *command;
    c->device->backend->command_destroy(c);
    fum_free(c->tracker.items);
    fum_free(c);
    *command = NULL;
}

static enum fum_result check_open(const fum_command *c, const char *label, struct fum_error *err) {
    if (c->ended)
        return fum_error_set(err, FUM_ERR_ARG, "%s: %s has ended; nothing can be added", label,
                             c->label);
    if (c->failed)
        return fum_error_set(err, FUM_ERR_ARG, "%s: %s failed before; record it anew", label,
                             c->label);
    return FUM_OK;
}

static enum fum_result check_binding(const fum_device *device, const struct fum_binding *b, int i,
                                     const char *label, struct fum_error *err) {
    const struct fum_device_info *info = &device->info;
    if (!b->buffer || b->buffer->device != device)
        return fum_error_set(err, FUM_ERR_ARG, "%s: binding %d has no buffer of this device", label,
                             i);
    const fum_buffer *buffer = b->buffer;
    if (b->offset > buffer->bytes || b->bytes > buffer->bytes - b->offset)
        return fum_error_set(
            err, FUM_ERR_ARG, "%s: binding %d: bytes %llu + %llu are outside the %llu of buffer %s",
            label, i, (ull)b->offset, (ull)b->bytes, (ull)buffer->bytes, buffer->label);
    if (info->binding_align && b->offset % info->binding_align)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s: binding %d: offset %llu is no multiple of the device's %u", label,
                             i, (ull)b->offset, info->binding_align);
    if (b->bytes > info->max_binding)
        return fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "%s: binding %d: %llu bytes, but %s binds at most %llu; split the dispatch", label, i,
            (ull)b->bytes, info->name, (ull)info->max_binding);
    return FUM_OK;
}

static enum fum_result check_groups(const fum_device *device, const uint32_t groups[3],
                                    const char *label, struct fum_error *err) {
    const uint32_t *most = device->info.max_group_count;
    for (int i = 0; i < 3; i++) {
        if (!groups[i])
            return fum_error_set(err, FUM_ERR_ARG, "%s: no workgroups in dimension %d", label, i);
        if (groups[i] > most[i])
            return fum_error_set(
                err, FUM_ERR_UNSUPPORTED,
                "%s: %u × %u × %u workgroups, but %s allows %u × %u × %u; fold them", label,
                groups[0], groups[1], groups[2], device->info.name, most[0], most[1], most[2]);
    }
    return FUM_OK;
}

// Puts a barrier first when these accesses need one, then remembers them.
static enum fum_result order(fum_command *c, const struct fum_access *accesses, int count,
                             const char *label, struct fum_error *err) {
    if (fum_tracker_conflicts(&c->tracker, accesses, count)) {
        c->device->backend->barrier(c);
        c->barriers++;
        c->tracker.count = 0;
    }
    if (fum_tracker_add(&c->tracker, accesses, count)) return FUM_OK;
    c->failed = true;
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no host memory to record it", label);
}

// Returns the window to bind, larger than what the kernel reads where that saves a compilation (see
// fum_padded_view).
static struct fum_binding padded_binding(const struct fum_kernel *kernel,
                                         const struct fum_binding *bindings, int i) {
    struct fum_binding b = bindings[i];
    const struct fum_device_info *info = &kernel->device->info;
    uint64_t padded = fum_padded_view(info, b.bytes);
    bool pad = kernel->desc.texels >> i & 1 && padded / 8 <= info->max_texels &&
               b.offset + padded <= b.buffer->bytes + b.buffer->slack;
    if (pad) b.bytes = padded;
    return b;
}

// Checks the bindings of a call. Stores what they access, and the windows to bind.
static enum fum_result check_bindings(const struct fum_kernel_call *call,
                                      struct fum_access *accesses, struct fum_binding *padded,
                                      struct fum_error *err) {
    const struct fum_kernel *kernel = call->kernel;
    for (int i = 0; i < kernel->desc.num_bindings; i++) {
        enum fum_result result =
            check_binding(kernel->device, &call->bindings[i], i, call->label, err);
        if (result) return result;
        padded[i] = padded_binding(kernel, call->bindings, i);
        accesses[i] = (struct fum_access){padded[i].buffer, padded[i].offset,
                                          padded[i].offset + padded[i].bytes, padded[i].write};
    }
    return FUM_OK;
}

enum fum_result fum_command_dispatch(fum_command *command, const struct fum_kernel_call *call,
                                     struct fum_error *err) {
    fum_device *device = command->device;
    const fum_kernel *kernel = call->kernel;
    struct fum_access accesses[FUM_MAX_BINDINGS];
    struct fum_binding padded[FUM_MAX_BINDINGS];
    enum fum_result result = check_open(command, call->label, err);
    if (!result && (!kernel || kernel->device != device))
        result = fum_error_set(err, FUM_ERR_ARG, "%s: the kernel belongs to another device",
                               call->label);
    if (!result) result = check_groups(device, call->groups, call->label, err);
    if (!result) result = check_bindings(call, accesses, padded, err);
    if (result) return result;
    struct fum_kernel_call bound = *call;
    bound.bindings = padded;
    result = order(command, accesses, kernel->desc.num_bindings, call->label, err);
    if (!result) result = device->backend->dispatch(command, &bound, err);
    if (result) {
        command->failed = true;
        return result;
    }
    command->dispatches++;
    return FUM_OK;
}

enum fum_result fum_command_warm(fum_command *command, const fum_kernel *kernel, fum_buffer *buffer,
                                 struct fum_error *err) {
    const uint32_t push[FUM_MAX_PUSH] = {0}, groups[3] = {0};
    struct fum_binding bindings[FUM_MAX_BINDINGS];
    struct fum_kernel_call call = {kernel, bindings, push, groups, kernel->desc.shader->name};
    enum fum_result result = check_open(command, call.label, err);
    if (result) return result;
    for (int i = 0; i < FUM_MAX_BINDINGS; i++)
        bindings[i] = (struct fum_binding){buffer, 0, buffer->bytes, true};
    result = command->device->backend->dispatch(command, &call, err);
    if (result) command->failed = true;
    return result;
}

static enum fum_result check_copy(const fum_command *command, const struct fum_buffer_copy *copy,
                                  struct fum_error *err) {
    const fum_buffer *src = copy->src, *dst = copy->dst;
    uint64_t from = copy->src_offset, to = copy->dst_offset, bytes = copy->bytes;
    if (!src || !dst || src->device != command->device || dst->device != command->device)
        return fum_error_set(err, FUM_ERR_ARG, "%s: a copy without two buffers of this device",
                             command->label);
    if (from > src->bytes || bytes > src->bytes - from || to > dst->bytes ||
        bytes > dst->bytes - to)
        return fum_error_set(
            err, FUM_ERR_ARG, "%s: copy of %llu bytes from %s + %llu to %s + %llu is outside them",
            command->label, (ull)bytes, src->label, (ull)from, dst->label, (ull)to);
    if (bytes && src == dst && from < to + bytes && to < from + bytes)
        return fum_error_set(err, FUM_ERR_ARG, "%s: copy of %llu bytes within %s overlaps itself",
                             command->label, (ull)bytes, src->label);
    return FUM_OK;
}

enum fum_result fum_command_copy(fum_command *command, const struct fum_buffer_copy *copy,
                                 struct fum_error *err) {
    enum fum_result result = check_open(command, "copy", err);
    if (!result) result = check_copy(command, copy, err);
    if (result || !copy->bytes) return result;
    const struct fum_access accesses[2] = {
        {copy->src, copy->src_offset, copy->src_offset + copy->bytes, false},
        {copy->dst, copy->dst_offset, copy->dst_offset + copy->bytes, true}};
    result = order(command, accesses, 2, command->label, err);
    if (!result) command->device->backend->copy(command, copy);
    return result;
}

enum fum_result fum_command_timestamp(fum_command *command, int index, struct fum_error *err) {
    enum fum_result result = check_open(command, "timestamp", err);
    if (result) return result;
    if (index < 0 || index >= FUM_TIMESTAMPS)
        return fum_error_set(err, FUM_ERR_ARG, "%s: timestamp %d; slots are 0 to %d",
                             command->label, index, FUM_TIMESTAMPS - 1);
    if (!command->device->info.timestamp_bits || !command->device->backend->timestamp)
        return FUM_OK;
    uint32_t bit = 1u << (index % 32);
    if (command->slots[index / 32] & bit)
        return fum_error_set(err, FUM_ERR_ARG, "%s: timestamp %d is written twice", command->label,
                             index);
    result = command->device->backend->timestamp(command, index, err);
    if (result) {
        command->failed = true;
        return result;
    }
    command->slots[index / 32] |= bit;
    if (command->first_slot < 0) command->first_slot = index;
    return FUM_OK;
}

enum fum_result fum_command_end(fum_command *command, struct fum_error *err) {
    enum fum_result result = check_open(command, "end", err);
    if (!result) result = command->device->backend->end(command, err);
    if (result) {
        command->failed = true;
        return result;
    }
    command->ended = true;
    fum_free(command->tracker.items);
    command->tracker = (struct fum_tracker){0};
    fum_device_trace(command->device, FUM_TRACE_RECORD, command->label,
                     (uint64_t)command->dispatches, command->start);
    return FUM_OK;
}

int fum_command_dispatches(const fum_command *command) {
    return command->dispatches;
}

int fum_command_barriers(const fum_command *command) {
    return command->barriers;
}

static enum fum_result unsupported(const fum_device *device, const char *label,
                                   struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: %s is a planning-only device and runs nothing", label,
                         device->info.name);
}

enum fum_result fum_command_submit(fum_command *command, uint64_t *ticket, struct fum_error *err) {
    fum_device *device = command->device;
    if (!device->backend->submit) return unsupported(device, command->label, err);
    if (!command->ended)
        return fum_error_set(err, FUM_ERR_ARG, "%s: submitted before its recording ended",
                             command->label);
    double start = fum_time_now();
    uint64_t number = 0;
    enum fum_result result = device->backend->submit(command, &number, err);
    if (result) return result;
    command->ticket = number;
    if (ticket) *ticket = number;
    fum_device_trace(device, FUM_TRACE_SUBMIT, command->label, (uint64_t)command->dispatches,
                     start);
    return FUM_OK;
}

enum fum_result fum_device_wait(fum_device *device, uint64_t ticket, struct fum_error *err) {
    if (!device->backend->wait) return unsupported(device, "wait", err);
    double start = fum_time_now();
    enum fum_result result = device->backend->wait(device, ticket, err);
    if (!result) fum_device_trace(device, FUM_TRACE_WAIT, "", 0, start);
    return result;
}

uint64_t fum_ticks_between(uint64_t first, uint64_t last, uint32_t bits) {
    uint64_t mask = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    return (last - first) & mask;
}

enum fum_result fum_command_read_timestamp(fum_command *command, int index, double *nanoseconds,
                                           struct fum_error *err) {
    *nanoseconds = 0;
    const fum_device *device = command->device;
    if (!device->backend->read_timestamp) return unsupported(device, command->label, err);
    if (!device->info.timestamp_bits)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: %s has no timestamps", command->label,
                             device->info.name);
    if (index < 0 || index >= FUM_TIMESTAMPS ||
        !(command->slots[index / 32] & (1u << (index % 32))))
        return fum_error_set(err, FUM_ERR_ARG, "%s: timestamp %d was not recorded", command->label,
                             index);
    if (!command->ticket)
        return fum_error_set(err, FUM_ERR_ARG, "%s: timestamp read before a submission",
                             command->label);
    uint64_t base = 0, ticks = 0;
    enum fum_result result =
        device->backend->read_timestamp(command, command->first_slot, &base, err);
    if (!result) result = device->backend->read_timestamp(command, index, &ticks, err);
    if (result) return result;
    *nanoseconds = (double)fum_ticks_between(base, ticks, device->info.timestamp_bits) *
                   (double)device->info.timestamp_period;
    return FUM_OK;
}
