// SPDX-License-Identifier: MIT
// Keeps the pipeline cache on disk. Drivers check little of their input, so the file has a header
// of its own. A file that is corrupt or belongs to another driver is ignored.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <string.h>

enum { CACHE_MAX = 512 << 20 };

// Never leaves the machine, so it is written as it lies in memory. No padding.
struct header {
    char magic[8];
    uint32_t header_bytes, driver_version;
    uint8_t device_uuid[16], cache_uuid[VK_UUID_SIZE];
    uint64_t bytes, sum;
};

static struct header make_header(const struct fum_vk *vk, const uint8_t *data, size_t bytes) {
    VkPhysicalDeviceProperties properties;
    vk->instance->GetPhysicalDeviceProperties(vk->physical, &properties);
    struct header h = {.magic = "FUMPIPE",
                       .header_bytes = sizeof h,
                       .driver_version = properties.driverVersion,
                       .bytes = bytes,
                       .sum = fum_cache_sum(data, bytes)};
    memcpy(h.device_uuid, vk->front->info.uuid, sizeof h.device_uuid);
    memcpy(h.cache_uuid, properties.pipelineCacheUUID, sizeof h.cache_uuid);
    return h;
}

// Returns the driver's part of the file, or NULL, with a warning in the log, if it cannot be used.
static const uint8_t *find_driver_part(const struct fum_vk *vk, const char *file, size_t size,
                                       size_t *bytes) {
    struct header h;
    const char *why = NULL;
    if (size < sizeof h) {
        why = "its size is wrong";
    } else {
        memcpy(&h, file, sizeof h);
        const uint8_t *data = (const uint8_t *)file + sizeof h;
        size_t rest = size - sizeof h;
        struct header wanted = make_header(vk, data, rest);
        if (memcmp(h.magic, wanted.magic, sizeof h.magic) || h.header_bytes != wanted.header_bytes)
            why = "it is no pipeline cache of this version";
        else if (h.driver_version != wanted.driver_version ||
                 memcmp(h.device_uuid, wanted.device_uuid, sizeof h.device_uuid) ||
                 memcmp(h.cache_uuid, wanted.cache_uuid, sizeof h.cache_uuid))
            why = "it belongs to another device or driver";
        else if (h.bytes != rest || h.sum != wanted.sum)
            why = "it is damaged";
        *bytes = rest;
        if (!why) return data;
    }
    fum_log(&vk->front->log, FUM_LOG_WARN, "pipeline cache %s is ignored: %s", vk->cache_path, why);
    return NULL;
}

VkResult fum_vk_cache_open(struct fum_vk *vk, const char *cache_dir) {
    VkResult vr = VK_SUCCESS;
    struct fum_error err = {0};
    char *file = NULL;
    const uint8_t *data = NULL;
    size_t bytes = 0, size = 0;
    vk->cache_path = fum_cache_path(&vk->front->info, cache_dir, "pipelines");
    if (vk->cache_path && fum_path_may_exist(vk->cache_path)) {
        enum fum_result result = fum_file_read(vk->cache_path, CACHE_MAX, &file, &size, &err);
        // Where memory is out, what follows reports it, and one line is enough.
        enum fum_log_level level = result == FUM_ERR_NOMEM ? FUM_LOG_INFO : FUM_LOG_WARN;
        if (result)
            fum_log(&vk->front->log, level, "the pipeline cache is ignored: %s", err.text);
        else
            data = find_driver_part(vk, file, size, &bytes);
    }
    VkPipelineCacheCreateInfo create = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                        .initialDataSize = data ? bytes : 0,
                                        .pInitialData = data};
    VK_FILL(&vk->cache, vk->fn.vkCreatePipelineCache(vk->device, &create, NULL, &vk->cache));
    if (data) {
        vk->cache_sum = fum_cache_sum(data, bytes);
        fum_log(&vk->front->log, FUM_LOG_INFO, "pipeline cache %s: %zu bytes", vk->cache_path,
                bytes);
    }
error:
    fum_free(file);
    return vr;
}

static enum fum_result write_file(struct fum_vk *vk, const uint8_t *data, size_t bytes,
                                  struct fum_error *err) {
    struct header h = make_header(vk, data, bytes);
    fum_file_writer *writer = NULL;
    enum fum_result result = fum_file_begin_own(&writer, vk->cache_path, err);
    if (!result) result = fum_file_write(writer, &h, sizeof h, err);
    if (!result) result = fum_file_write(writer, data, bytes, err);
    if (!result) return fum_file_commit(&writer, err);
    fum_file_abort(&writer);
    return result;
}

// Copies the driver's cache; free it with fum_free. *data stays NULL if the cache is empty or too
// large to keep. It also stays NULL without memory for a copy, which the run itself reports.
static VkResult get_data(struct fum_vk *vk, uint8_t **data, size_t *bytes) {
    VkResult vr = VK_SUCCESS;
    VK_FILL(bytes, vk->fn.vkGetPipelineCacheData(vk->device, vk->cache, bytes, NULL));
    if (!*bytes || *bytes > CACHE_MAX - sizeof(struct header)) return vr;
    if (!(*data = fum_alloc(*bytes, 1))) return vr;
    VK_FILL(bytes, vk->fn.vkGetPipelineCacheData(vk->device, vk->cache, bytes, *data));
error:
    return vr;
}

void fum_vk_cache_save(struct fum_vk *vk) {
    if (!vk->cache || !vk->cache_path || !atomic_load(&vk->compiled) || atomic_load(&vk->lost))
        return;
    uint8_t *data = NULL;
    size_t bytes = 0;
    struct fum_error err = {0};
    enum fum_result result = FUM_OK;
    VkResult vr = get_data(vk, &data, &bytes);
    if (vr < 0)
        result = fum_vk_error(&err, vr, vk->front->info.name, "reading the pipeline cache");
    else if (data && fum_cache_sum(data, bytes) != vk->cache_sum)
        result = write_file(vk, data, bytes, &err);
    if (result)
        fum_log(&vk->front->log, FUM_LOG_WARN, "the pipeline cache is not kept: %s", err.text);
    fum_free(data);
}
