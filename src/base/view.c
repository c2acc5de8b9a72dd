// SPDX-License-Identifier: MIT
#include "base/view.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"

#include <string.h>

enum fum_result fum_view_read(const struct fum_view *view, uint64_t from, uint64_t bytes, void *to,
                              struct fum_error *err) {
    if (!view->data)
        return bytes ? fum_file_read_at(view->file, view->offset + from, bytes, to, err) : FUM_OK;
    memcpy(to, (const uint8_t *)view->data + from, (size_t)bytes);
    return FUM_OK;
}

enum fum_result fum_view_load(struct fum_view *view, uint64_t bytes, void **copy,
                              struct fum_error *err) {
    *copy = NULL;
    if (view->data) return FUM_OK;
    *copy = fum_alloc((size_t)bytes, 1);
    if (!*copy)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for %llu bytes of a tensor",
                             (unsigned long long)bytes);
    const struct fum_computed *computed = view->computed;
    enum fum_result result = computed ? computed->write(computed->user, *copy, err)
                                      : fum_view_read(view, 0, bytes, *copy, err);
    if (!result) {
        view->data = *copy;
        view->computed = NULL;
        return FUM_OK;
    }
    fum_free(*copy);
    *copy = NULL;
    return result;
}

enum fum_result fum_view_read_f32(const struct fum_view *view, float *values,
                                  struct fum_error *err) {
    struct fum_view loaded = *view;
    size_t count = (size_t)fum_view_count(view);
    void *copy = NULL;
    enum fum_result result =
        fum_view_load(&loaded, count * fum_dtype_size(view->dtype), &copy, err);
    if (!result) fum_convert_to_f32(values, loaded.data, loaded.dtype, count);
    if (!result) fum_view_scale(&loaded, 0, values, count);
    fum_free(copy);
    return result;
}

void fum_view_skip(struct fum_view *view, uint64_t bytes) {
    if (view->data) view->data = (const uint8_t *)view->data + bytes;
    view->offset += bytes;
    if (view->scale_each) view->scale_from += bytes / fum_dtype_size(view->dtype);
}

void fum_view_scale(const struct fum_view *view, uint64_t from, float *values, size_t count) {
    for (size_t i = 0; i < count && view->scales; i++)
        values[i] *=
            view->scales[view->scale_each ? (view->scale_from + from + i) / view->scale_each : 0];
}

uint64_t fum_view_count(const struct fum_view *view) {
    uint64_t n = 1;
    for (int i = 0; i < view->rank; i++) n *= (uint64_t)view->dim[i];
    return n;
}
