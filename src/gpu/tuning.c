// SPDX-License-Identifier: MIT
#include "gpu/tuning.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "gpu/backend.h"

#include <stdlib.h>
#include <string.h>

const struct fum_tuning *fum_device_tuning(const fum_device *device) {
    return &device->tuning;
}

void fum_device_set_variant(fum_device *device, const struct fum_variant *variant) {
    device->tuning.variant = variant;
}

static int by_key(const void *x, const void *y) {
    uint64_t a = ((const struct fum_tuned *)x)->key, b = ((const struct fum_tuned *)y)->key;
    return a < b ? -1 : a > b;
}

static struct fum_tuned *find_tuned(const struct fum_tuning *tuning, uint64_t key) {
    const struct fum_tuned wanted = {.key = key};
    return tuning->count
               ? bsearch(&wanted, tuning->items, (size_t)tuning->count, sizeof wanted, by_key)
               : NULL;
}

void fum_device_set_tuned(fum_device *device, const struct fum_tuned *items, int count) {
    struct fum_tuning *t = &device->tuning;
    if (!count) t->count = 0;
    for (int i = 0; i < count; i++) {
        struct fum_tuned *old = find_tuned(t, items[i].key);
        if (old) {
            *old = items[i];
        } else if (t->count < FUM_MAX_TUNED) {
            t->items[t->count++] = items[i];
            qsort(t->items, (size_t)t->count, sizeof *items, by_key);
        }
    }
}

uint32_t fum_tuning_find(const struct fum_tuning *tuning, uint64_t key, uint32_t default_value) {
    const struct fum_tuned *found = tuning ? find_tuned(tuning, key) : NULL;
    return found ? found->value : default_value;
}

// ---- on disk ----

// Never leaves the machine, so it is written as it lies in memory. No padding.
struct header {
    char magic[8];
    uint32_t header_bytes, driver_version;
    uint8_t device_uuid[16];
    uint64_t count, sum;
};

static struct header make_header(const fum_device *device, const struct fum_tuned *items,
                                 int count) {
    struct header h = {.magic = "FUMTUNE",
                       .header_bytes = sizeof h,
                       .driver_version = device->info.driver_version,
                       .count = (uint64_t)count,
                       .sum = fum_cache_sum(items, (size_t)count * sizeof *items)};
    memcpy(h.device_uuid, device->info.uuid, sizeof h.device_uuid);
    return h;
}

// Adds the file's choices to the device's. Returns NULL, or why the file cannot be used.
static const char *use_file(fum_device *device, const char *file, size_t size) {
    struct fum_tuned items[FUM_MAX_TUNED];
    struct header h;
    if (size < sizeof h || (size - sizeof h) % sizeof *items || size - sizeof h > sizeof items)
        return "its size is wrong";
    size_t bytes = size - sizeof h;
    memcpy(&h, file, sizeof h);
    memcpy(items, file + sizeof h, bytes);
    struct header wanted = make_header(device, items, (int)(bytes / sizeof *items));
    if (memcmp(h.magic, wanted.magic, sizeof h.magic) || h.header_bytes != wanted.header_bytes)
        return "it holds no choices of this version";
    if (h.driver_version != wanted.driver_version ||
        memcmp(h.device_uuid, wanted.device_uuid, sizeof h.device_uuid))
        return "it belongs to another device or driver";
    if (h.count != wanted.count || h.sum != wanted.sum) return "it is damaged";
    fum_device_set_tuned(device, items, (int)wanted.count);
    return NULL;
}

void fum_device_load_tuning(fum_device *device, const char *cache_dir) {
    const size_t most = sizeof(struct header) + FUM_MAX_TUNED * sizeof(struct fum_tuned);
    struct fum_error err = {0};
    char *file = NULL;
    size_t bytes = 0;
    device->tuning_path = fum_cache_path(&device->info, cache_dir, "tuning");
    if (!device->tuning_path || !fum_path_may_exist(device->tuning_path)) return;
    if (fum_file_read(device->tuning_path, most, &file, &bytes, &err)) {
        fum_log(&device->log, FUM_LOG_WARN,
                "the tuning is ignored: %s; fumarole tune makes a new one", err.text);
        return;
    }
    const char *why = use_file(device, file, bytes);
    fum_free(file);
    if (why)
        fum_log(&device->log, FUM_LOG_WARN,
                "tuning %s is ignored: %s; fumarole tune makes a new one", device->tuning_path,
                why);
    else
        fum_log(&device->log, FUM_LOG_INFO, "tuning %s: %d choices", device->tuning_path,
                device->tuning.count);
}

enum fum_result fum_device_save_tuning(const fum_device *device, struct fum_error *err) {
    const struct fum_tuning *t = &device->tuning;
    if (!device->tuning_path) return FUM_OK;
    struct header h = make_header(device, t->items, t->count);
    fum_file_writer *writer = NULL;
    enum fum_result result = fum_file_begin_own(&writer, device->tuning_path, err);
    if (!result) result = fum_file_write(writer, &h, sizeof h, err);
    if (!result)
        result = fum_file_write(writer, t->items, (size_t)t->count * sizeof *t->items, err);
    if (!result) result = fum_file_commit(&writer, err);
    fum_file_abort(&writer);
    return result;
}
