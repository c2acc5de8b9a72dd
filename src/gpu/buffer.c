// SPDX-License-Identifier: MIT
// Buffers: ranges and limits checked here, bytes moved by the backend.
#include "gpu/backend.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"

#include <string.h>

uint64_t fum_padded_view(const struct fum_device_info *info, uint64_t bytes) {
    bool pad = info->type == FUM_DEVICE_CPU && !(bytes >> 8 & 0xff);
    return pad ? bytes + FUM_VIEW_SLACK : bytes;
}

uint64_t fum_padding_slack(uint64_t bytes) {
    uint64_t padded = bytes + FUM_VIEW_SLACK;
    return padded & (padded - 1) ? FUM_VIEW_SLACK : FUM_VIEW_SLACK + 16;
}

enum fum_result fum_buffer_create(fum_buffer **buffer, fum_device *device,
                                  const struct fum_buffer_params *params, struct fum_error *err) {
    *buffer = NULL;
    const struct fum_device_info *info = &device->info;
    uint64_t bytes = params->bytes, limit = FUM_MIN(info->max_buffer, info->max_allocation);
    if (bytes > limit)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "buffer %s: %llu bytes, but %s allows %llu in one buffer; split it",
                             params->label, (unsigned long long)bytes, info->name,
                             (unsigned long long)limit);
    fum_buffer *b = fum_calloc(1, sizeof *b);
    if (!b) return fum_error_set(err, FUM_ERR_NOMEM, "buffer %s: no host memory", params->label);
    b->device = device;
    b->bytes = bytes;
    uint64_t slack = fum_padding_slack(bytes);
    b->slack = info->type == FUM_DEVICE_CPU && slack <= limit - bytes ? slack : 0;
    b->use = params->use;
    fum_label_copy(b->label, params->label);
    double start = fum_time_now();
    enum fum_result result = device->backend->buffer_create(b, err);
    if (result) {
        device->backend->buffer_destroy(b);
        fum_free(b);
        return result;
    }
    fum_device_memory_add(device, bytes);
    fum_device_trace(device, FUM_TRACE_ALLOC, b->label, bytes, start);
    *buffer = b;
    return FUM_OK;
}

void fum_buffer_destroy(fum_buffer **buffer) {
    if (!buffer || !*buffer) return;
    fum_buffer *b = *buffer;
    fum_device_memory_sub(b->device, b->bytes);
    b->device->backend->buffer_destroy(b);
    fum_free(b);
    *buffer = NULL;
}

uint64_t fum_buffer_size(const fum_buffer *buffer) {
    return buffer->bytes;
}

void fum_buffer_set_label(fum_buffer *buffer, const char *label) {
    fum_label_copy(buffer->label, label);
}

void *fum_buffer_map(fum_buffer *buffer) {
    return buffer->map;
}

void fum_buffer_wrote(fum_buffer *buffer, const char *label, uint64_t bytes, double start) {
    fum_device_trace(buffer->device, FUM_TRACE_UPLOAD, label, bytes, start);
}

static enum fum_result check_range(const fum_buffer *b, uint64_t offset, uint64_t bytes,
                                   struct fum_error *err) {
    if (offset <= b->bytes && bytes <= b->bytes - offset) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG, "buffer %s: bytes %llu + %llu are outside its %llu",
                         b->label, (unsigned long long)offset, (unsigned long long)bytes,
                         (unsigned long long)b->bytes);
}

static enum fum_result check_runs(const fum_device *device, const char *label,
                                  struct fum_error *err) {
    if (!device->info.planning_only) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: %s is a planning-only device and runs nothing", label,
                         device->info.name);
}

enum fum_result fum_buffer_write(fum_buffer *buffer, uint64_t offset, const void *data,
                                 uint64_t bytes, struct fum_error *err) {
    enum fum_result result = check_range(buffer, offset, bytes, err);
    if (!result) result = check_runs(buffer->device, buffer->label, err);
    if (result || !bytes) return result;
    double start = fum_time_now();
    if (buffer->map) {
        memcpy((char *)buffer->map + offset, data, (size_t)bytes);
    } else {
        result = buffer->device->backend->buffer_write(buffer, offset, data, bytes, err);
    }
    if (!result) fum_device_trace(buffer->device, FUM_TRACE_UPLOAD, buffer->label, bytes, start);
    return result;
}

enum fum_result fum_buffer_read(fum_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                struct fum_error *err) {
    enum fum_result result = check_range(buffer, offset, bytes, err);
    if (!result) result = check_runs(buffer->device, buffer->label, err);
    if (result || !bytes) return result;
    double start = fum_time_now();
    if (buffer->map) {
        memcpy(data, (const char *)buffer->map + offset, (size_t)bytes);
    } else {
        result = buffer->device->backend->buffer_read(buffer, offset, data, bytes, err);
    }
    if (!result) fum_device_trace(buffer->device, FUM_TRACE_READBACK, buffer->label, bytes, start);
    return result;
}

enum fum_result fum_buffer_upload_begin(fum_buffer *buffer, uint64_t offset, uint64_t bytes,
                                        void **where, struct fum_error *err) {
    *where = NULL;
    enum fum_result result = check_range(buffer, offset, bytes, err);
    if (!result) result = check_runs(buffer->device, buffer->label, err);
    if (result) return result;
    if (bytes > FUM_STAGING_BYTES && !buffer->map)
        return fum_error_set(err, FUM_ERR_ARG,
                             "buffer %s: an upload of %llu bytes; at most %d go at once",
                             buffer->label, (unsigned long long)bytes, FUM_STAGING_BYTES);
    if (buffer->uploading)
        return fum_error_set(err, FUM_ERR_ARG, "buffer %s: the upload before has not ended",
                             buffer->label);
    buffer->upload_offset = offset;
    buffer->upload_bytes = bytes;
    buffer->upload_start = fum_time_now();
    if (buffer->map) {
        *where = (char *)buffer->map + offset;
    } else {
        result = buffer->device->backend->upload_begin(buffer, where, err);
    }
    buffer->uploading = !result;
    return result;
}

enum fum_result fum_buffer_upload_end(fum_buffer *buffer, struct fum_error *err) {
    if (!buffer->uploading)
        return fum_error_set(err, FUM_ERR_ARG, "buffer %s: no upload has begun", buffer->label);
    buffer->uploading = false;
    enum fum_result result =
        buffer->map ? FUM_OK : buffer->device->backend->upload_end(buffer, err);
    if (!result)
        fum_device_trace(buffer->device, FUM_TRACE_UPLOAD, buffer->label, buffer->upload_bytes,
                         buffer->upload_start);
    return result;
}
