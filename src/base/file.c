// SPDX-License-Identifier: MIT
// Reads and writes files as far as that is the same on every operating system.
#include "base/file_system.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/require.h"

#include <string.h>

enum fum_result fum_file_open(struct fum_file **file, const char *path, struct fum_error *err) {
    *file = NULL;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    struct fum_file *f = *file = fum_calloc(1, sizeof *f);
    if (f) {
        f->fd = -1;
        f->path = fum_strdup(path);
    }
    enum fum_result result = FUM_OK;
    if (!f || !f->path) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to open %s", path);
    if (!result) result = fum_system_open(f, err);
    if (result) fum_file_close(file);
    return result;
}

void fum_file_close(struct fum_file **file) {
    if (!file || !*file) return;
    fum_system_close(*file);
    fum_free((*file)->path);
    fum_free(*file);
    *file = NULL;
}

uint64_t fum_file_size(const struct fum_file *file) {
    return file->size;
}

struct fum_file_stamp fum_file_get_stamp(const struct fum_file *file) {
    return file->stamp;
}

enum fum_result fum_file_read_at(const struct fum_file *file, uint64_t offset, uint64_t bytes,
                                 void *to, struct fum_error *err) {
    uint8_t *p = to;
    while (bytes) {
        uint64_t got = 0;
        if (fum_system_read(file, offset, bytes, p, &got))
            return fum_system_error(err, "read", file->path);
        if (!got)
            return fum_error_set(
                err, FUM_ERR_IO,
                "cannot read %s: it now has %llu bytes, not %llu; is it being replaced?",
                file->path, (unsigned long long)fum_system_size(file),
                (unsigned long long)file->size);
        p += got;
        offset += got;
        bytes -= got;
    }
    return FUM_OK;
}

enum fum_result fum_file_read(const char *path, size_t max_bytes, char **text, size_t *bytes,
                              struct fum_error *err) {
    struct fum_file *file = NULL;
    enum fum_result result = fum_file_open(&file, path, err);
    if (result) return result;
    uint64_t size = fum_file_size(file);
    *text = NULL;
    if (size > max_bytes)
        result = fum_error_set(err, FUM_ERR_FORMAT,
                               "%s: %llu bytes, more than the %zu that such a file may have", path,
                               (unsigned long long)size, max_bytes);
    else if (!(*text = fum_alloc((size_t)size + 1, 1)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its %zu bytes", path,
                               (size_t)size);
    else
        result = fum_file_read_at(file, 0, size, *text, err);
    fum_file_close(&file);
    if (result) {
        fum_free(*text);
        *text = NULL;
        return result;
    }
    (*text)[size] = 0;
    if (bytes) *bytes = (size_t)size;
    return FUM_OK;
}

enum fum_result fum_file_save(const char *path, const void *data, size_t bytes,
                              struct fum_error *err) {
    fum_file_writer *w = NULL;
    enum fum_result result = fum_file_begin(&w, path, err);
    if (!result) result = fum_file_write(w, data, bytes, err);
    if (!result) result = fum_file_commit(&w, err);
    fum_file_abort(&w);
    return result;
}

enum fum_result fum_file_check(const char *path, struct fum_error *err) {
    fum_file_writer *w = NULL;
    enum fum_result result = fum_file_begin(&w, path, err);
    fum_file_abort(&w);
    return result;
}

enum fum_result fum_file_write(fum_file_writer *w, const void *data, size_t bytes,
                               struct fum_error *err) {
    struct fum_write_buffer *buffer = (struct fum_write_buffer *)(void *)w;
    if (bytes > sizeof buffer->bytes - buffer->used) {
        enum fum_result result = fum_writer_flush(w, err);
        if (result) return result;
    }
    if (bytes > sizeof buffer->bytes) return fum_system_write(w, data, bytes, err);
    if (bytes) memcpy(buffer->bytes + buffer->used, data, bytes);
    buffer->used += bytes;
    return FUM_OK;
}

enum fum_result fum_file_copy_bytes(const struct fum_file *from, fum_file_writer *to,
                                    struct fum_error *err) {
    enum { BLOCK = 1 << 20 };
    uint64_t size = fum_file_size(from);
    uint8_t *block = fum_alloc(BLOCK, 1);
    enum fum_result result =
        block ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory to copy a file");
    for (uint64_t at = 0; at < size && !result; at += BLOCK) {
        size_t bytes = (size_t)FUM_MIN(size - at, (uint64_t)BLOCK);
        result = fum_file_read_at(from, at, bytes, block, err);
        if (!result) result = fum_file_write(to, block, bytes, err);
    }
    fum_free(block);
    return result;
}

enum fum_result fum_file_copy(const char *from, const char *to, struct fum_error *err) {
    struct fum_file *file = NULL;
    fum_file_writer *writer = NULL;
    enum fum_result result = fum_file_open(&file, from, err);
    if (!result) result = fum_file_begin(&writer, to, err);
    if (!result) result = fum_file_copy_bytes(file, writer, err);
    if (!result) result = fum_file_commit(&writer, err);
    fum_file_abort(&writer);
    fum_file_close(&file);
    return result;
}

void fum_bytes_free(struct fum_bytes *bytes) {
    fum_free(bytes->data);
    *bytes = (struct fum_bytes){0};
}
