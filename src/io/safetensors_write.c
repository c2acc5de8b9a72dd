// SPDX-License-Identifier: MIT
// Writes safetensors files.
#include "io/safetensors.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/require.h"
#include "base/text.h"
#include "io/tensor_write.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    const struct fum_safetensors_tensor *tensor;
    size_t index;
    uint64_t bytes;
};

// Orders larger elements first, then as the caller does. Every tensor then starts at a multiple of
// its element size.
static int by_element(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    size_t m = fum_dtype_size(x->tensor->view.dtype), n = fum_dtype_size(y->tensor->view.dtype);
    if (m != n) return m > n ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool view_bytes(const struct fum_view *view, uint64_t *bytes) {
    *bytes = fum_dtype_size(view->dtype);
    if (view->rank < 0 || view->rank > FUM_VIEW_MAX_DIMS) return false;
    for (int i = 0; i < view->rank; i++) {
        if (view->dim[i] < 0 ||
            (view->dim[i] && *bytes > (uint64_t)INT64_MAX / (uint64_t)view->dim[i]))
            return false;
        *bytes *= (uint64_t)view->dim[i];
    }
    return true;
}

static bool add_tensor(cJSON *header, const struct entry *e, uint64_t begin) {
    cJSON *item = cJSON_AddObjectToObject(header, e->tensor->name);
    if (!item ||
        !cJSON_AddStringToObject(item, "dtype", fum_safetensors_dtype_name(e->tensor->view.dtype)))
        return false;
    cJSON *shape = cJSON_AddArrayToObject(item, "shape"),
          *range = cJSON_AddArrayToObject(item, "data_offsets");
    if (!shape || !range) return false;
    for (int i = 0; i < e->tensor->view.rank; i++)
        if (!cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)e->tensor->view.dim[i])))
            return false;
    return cJSON_AddItemToArray(range, cJSON_CreateNumber((double)begin)) &&
           cJSON_AddItemToArray(range, cJSON_CreateNumber((double)(begin + e->bytes)));
}

// Returns the header's text, padded with blanks so that the tensors begin at a multiple of 8. Freed
// with cJSON_free.
static char *header_text(const struct entry *entries, const struct fum_safetensors *file) {
    size_t n = file->count, texts = file->metadata_count;
    const struct fum_safetensors_text *metadata = file->metadata;
    cJSON *header = cJSON_CreateObject(),
          *meta = texts ? cJSON_AddObjectToObject(header, "__metadata__") : NULL;
    bool good = header && (!texts || meta);
    for (size_t i = 0; good && i < texts; i++)
        good = cJSON_AddStringToObject(meta, metadata[i].key, metadata[i].value) != NULL;
    uint64_t at = 0;
    for (size_t i = 0; good && i < n; i++) {
        good = add_tensor(header, &entries[i], at);
        at += entries[i].bytes;
    }
    char *text = good ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return text;
}

static enum fum_result report(const struct fum_safetensors *file, uint64_t done, uint64_t total,
                              struct fum_error *err) {
    if (!file->on_progress || file->on_progress(file->user, done, total)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "writing tensors was cancelled");
}

static enum fum_result write_all(fum_file_writer *writer, const char *text,
                                 const struct entry *entries, const struct fum_safetensors *file,
                                 struct fum_error *err) {
    size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    uint64_t total = 0, done = 0;
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++) prefix[i] = (uint8_t)((uint64_t)padded >> (8 * i));
    for (size_t i = 0; i < file->count; i++) total += entries[i].bytes;
    enum fum_result result = fum_file_write(writer, prefix, 8, err);
    if (!result) result = fum_file_write(writer, text, length, err);
    if (!result) result = fum_file_write(writer, "       ", padded - length, err);
    for (size_t i = 0; i < file->count && !result; i++) {
        result = report(file, done, total, err);
        if (!result) result = fum_tensor_write(writer, &entries[i].tensor->view, err);
        done += entries[i].bytes;
    }
    return result ? result : report(file, done, total, err);
}

static enum fum_result list_entries(const char *path, const struct fum_safetensors *file,
                                    struct entry *entries, struct fum_error *err) {
    for (size_t i = 0; i < file->count; i++) {
        entries[i] = (struct entry){&file->tensors[i], i, 0};
        if (!view_bytes(&file->tensors[i].view, &entries[i].bytes))
            return fum_error_set(err, FUM_ERR_ARG,
                                 "cannot write %s: tensor %s has an impossible shape", path,
                                 fum_text_show(file->tensors[i].name).text);
    }
    if (file->count) qsort(entries, file->count, sizeof *entries, by_element);
    return FUM_OK;
}

enum fum_result fum_safetensors_write(const char *path, const struct fum_safetensors *file,
                                      struct fum_error *err) {
    fum_file_writer *writer = NULL;
    char *text = NULL;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    struct entry *entries = fum_alloc(file->count, sizeof *entries);
    if (!entries) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
    enum fum_result result = list_entries(path, file, entries, err);
    if (result) goto done;
    text = header_text(entries, file);
    if (!text) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
        goto done;
    }
    result = fum_file_begin(&writer, path, err);
    if (!result) result = write_all(writer, text, entries, file, err);
    if (!result) result = fum_file_commit(&writer, err);
done:
    fum_file_abort(&writer);
    cJSON_free(text);
    fum_free(entries);
    return result;
}
