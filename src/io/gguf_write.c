// SPDX-License-Identifier: MIT
#include "io/gguf_write.h"

#include "base/alloc.h"
#include "base/block.h"
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "io/gguf_scan.h"
#include "io/gguf_types.h"
#include "io/tensor_write.h"

#include <string.h>

enum { VERSION = 3, ALIGNMENT = 32, MAX_DIMS = 4, QUANTISATION = 2 };

// A file that is being written. The first failure sets `result`.
struct writing {
    const struct fum_gguf *file;
    const char *path;
    fum_file_writer *writer;
    struct fum_error *err;
    enum fum_result result;
    uint64_t header; // bytes of it so far
    uint64_t done, total;
};

static const struct fum_gguf_type *find_type(enum fum_dtype dtype) {
    for (int i = 0; i < FUM_GGUF_TYPES; i++)
        if (fum_gguf_types[i].dtype == dtype) return &fum_gguf_types[i];
    return NULL;
}

bool fum_gguf_has_type(enum fum_dtype dtype) {
    return find_type(dtype) != NULL;
}

static uint64_t tensor_bytes(const struct fum_gguf_tensor *t) {
    uint64_t count = fum_view_count(&t->view);
    if (!t->blocks) return fum_view_bytes(&t->view);
    return count / (uint64_t)t->blocks->values * (uint64_t)t->blocks->bytes;
}

static enum fum_result check_tensor(const char *path, const struct fum_gguf_tensor *t,
                                    struct fum_error *err) {
    const char *wrong = NULL;
    int64_t row = t->view.rank ? t->view.dim[t->view.rank - 1] : 1;
    if (t->view.rank > MAX_DIMS)
        wrong = "has more than four dimensions";
    else if (!t->blocks && !fum_gguf_has_type(t->view.dtype))
        wrong = "is of a type that GGUF does not have";
    else if (t->blocks && row % t->blocks->values)
        wrong = "has rows that are no whole blocks";
    if (!wrong) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED, "cannot write %s: tensor %s %s", path,
                         fum_text_show(t->name).text, wrong);
}

// ---- the header ----

static void put_bytes(struct writing *w, const void *bytes, size_t count) {
    if (!w->result) w->result = fum_file_write(w->writer, bytes, count, w->err);
    w->header += count;
}

static void put(struct writing *w, uint64_t value, size_t bytes) {
    uint8_t little[8];
    for (size_t i = 0; i < bytes; i++) little[i] = (uint8_t)(value >> 8 * i);
    put_bytes(w, little, bytes);
}

static void put_text(struct writing *w, const char *text) {
    put(w, strlen(text), 8);
    put_bytes(w, text, strlen(text));
}

static void put_text_key(struct writing *w, const char *key, const char *value) {
    put_text(w, key);
    put(w, FUM_GGUF_TEXT, 4);
    put_text(w, value);
}

static void put_number_key(struct writing *w, const char *key, uint32_t value) {
    put_text(w, key);
    put(w, FUM_GGUF_U32, 4);
    put(w, value, 4);
}

static void put_keys(struct writing *w) {
    const struct fum_gguf *file = w->file;
    put_text_key(w, "general.architecture", file->architecture);
    put_number_key(w, "general.quantization_version", QUANTISATION);
    put_number_key(w, "general.file_type", (uint32_t)file->file_type);
    for (size_t i = 0; i < file->text_count; i++)
        put_text_key(w, file->texts[i].key, file->texts[i].value);
}

// Writes a tensor's entry. A number without dimensions has one here.
static void put_tensor(struct writing *w, const struct fum_gguf_tensor *t, uint64_t offset) {
    put_text(w, t->name);
    put(w, (uint64_t)FUM_MAX(t->view.rank, 1), 4);
    for (int i = t->view.rank - 1; i >= 0; i--) put(w, (uint64_t)t->view.dim[i], 8);
    if (!t->view.rank) put(w, 1, 8);
    put(w, t->blocks ? t->blocks->number : find_type(t->view.dtype)->number, 4);
    put(w, offset, 8);
}

static void put_header(struct writing *w) {
    const struct fum_gguf *file = w->file;
    put_bytes(w, "GGUF", 4);
    put(w, VERSION, 4);
    put(w, file->count, 8);
    put(w, 3 + file->text_count, 8);
    put_keys(w);
    uint64_t offset = 0;
    for (size_t i = 0; i < file->count; i++) {
        put_tensor(w, &file->tensors[i], offset);
        offset += FUM_ALIGN_UP(tensor_bytes(&file->tensors[i]), ALIGNMENT);
    }
}

// ---- tensors ----

static void pad(struct writing *w, uint64_t written) {
    static const uint8_t zeros[ALIGNMENT];
    size_t bytes = (size_t)(FUM_ALIGN_UP(written, ALIGNMENT) - written);
    if (!w->result) w->result = fum_file_write(w->writer, zeros, bytes, w->err);
}

static void report(struct writing *w) {
    const struct fum_gguf *file = w->file;
    if (w->result || !file->on_progress || file->on_progress(file->user, w->done, w->total)) return;
    w->result = fum_error_set(w->err, FUM_ERR_CANCELLED, "writing %s was cancelled", w->path);
}

static void write_tensor(struct writing *w, const struct fum_gguf_tensor *t) {
    report(w);
    if (w->result) return;
    w->result = t->blocks ? fum_tensor_write_blocks(w->writer, &t->view, t->blocks, w->err)
                          : fum_tensor_write(w->writer, &t->view, w->err);
    w->done += tensor_bytes(t);
    pad(w, tensor_bytes(t));
}

enum fum_result fum_gguf_write(const char *path, const struct fum_gguf *file,
                               struct fum_error *err) {
    struct writing w = {.file = file, .path = path, .err = err};
    for (size_t i = 0; i < file->count && !w.result; i++) {
        w.result = check_tensor(path, &file->tensors[i], err);
        w.total += tensor_bytes(&file->tensors[i]);
    }
    if (!w.result) w.result = fum_file_begin(&w.writer, path, err);
    if (!w.result) put_header(&w);
    pad(&w, w.header);
    for (size_t i = 0; i < file->count && !w.result; i++) write_tensor(&w, &file->tensors[i]);
    report(&w);
    if (!w.result) w.result = fum_file_commit(&w.writer, err);
    fum_file_abort(&w.writer);
    return w.result;
}
