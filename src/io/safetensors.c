// SPDX-License-Identifier: MIT
#include "io/safetensors.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

enum {
    MAX_HEADER_BYTES = 100 * 1000 * 1000, // the reference reader's limit
    MAX_HEADER_DEPTH = 4,                 // header { tensor { shape [ … ] } }
    MAX_HEADER_VALUES = 4 << 20,          // parsed values take far more memory than their text
};

static const char *const dtype_names[FUM_DTYPE_COUNT] = {
    [FUM_F32] = "F32", [FUM_F16] = "F16",   [FUM_BF16] = "BF16",       [FUM_I32] = "I32",
    [FUM_F64] = "F64", [FUM_I64] = "I64",   [FUM_I16] = "I16",         [FUM_I8] = "I8",
    [FUM_U8] = "U8",   [FUM_BOOL] = "BOOL", [FUM_F8_E4M3] = "F8_E4M3", [FUM_F8_E5M2] = "F8_E5M2",
};

const char *fum_safetensors_dtype_name(enum fum_dtype dtype) {
    return dtype_names[dtype];
}

bool fum_safetensors_dtype_parse(const char *name, enum fum_dtype *dtype) {
    for (int i = 0; i < FUM_DTYPE_COUNT; i++) {
        if (strcmp(dtype_names[i], name)) continue;
        *dtype = (enum fum_dtype)i;
        return true;
    }
    return false;
}

// What every function here needs to say where it is.
struct reader {
    struct fum_tensors *tensors;
    size_t file;
    const char *path;
    const struct fum_view *bytes; // the whole file
    uint64_t size;                // of the tensors' bytes, after the header
    uint64_t base;                // where they begin in the file
    struct fum_error *err;
};

static enum fum_result bad_tensor(const struct reader *r, const char *name, const char *what) {
    return fum_error_set(r->err, FUM_ERR_FORMAT, "%s: tensor %s: %s", r->path,
                         fum_text_show(name).text, what);
}

static enum fum_result no_memory(const struct reader *r) {
    return fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory for the list of its tensors",
                         r->path);
}

// Checks depth and number of values of the header's text, before any of it is turned into objects.
static const char *check_nesting(const char *text, size_t bytes) {
    size_t depth = 0, values = 0;
    bool quoted = false;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
            continue;
        }
        if (c == '"') quoted = true;
        if (c == ',' || c == '{' || c == '[') values++;
        if ((c == '{' || c == '[') && ++depth > MAX_HEADER_DEPTH) return "is nested too deeply";
        if ((c == '}' || c == ']') && depth) depth--;
    }
    return values > MAX_HEADER_VALUES ? "has too many values" : NULL;
}

// Reads a whole number of JSON that a uint64_t holds exactly.
static bool whole_number(const cJSON *item, uint64_t *value) {
    if (!cJSON_IsNumber(item) ||
        !(item->valuedouble >= 0 && item->valuedouble <= 9007199254740992.0))
        return false;
    *value = (uint64_t)item->valuedouble;
    return (double)*value == item->valuedouble;
}

// Reads dtype and shape into `view`. *bytes: what they take.
static enum fum_result read_shape(const struct reader *r, const cJSON *item, struct fum_view *view,
                                  uint64_t *bytes) {
    const char *dtype = fum_json_string(item, "dtype", NULL), *name = item->string;
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape");
    if (!dtype) return bad_tensor(r, name, "has no dtype");
    // A type that is not read matters only where the tensor is needed.
    if (!fum_safetensors_dtype_parse(dtype, &view->dtype)) view->dtype = FUM_DTYPE_UNKNOWN;
    if (!cJSON_IsArray(shape)) return bad_tensor(r, name, "has no shape");
    *bytes = view->dtype == FUM_DTYPE_UNKNOWN ? 1 : fum_dtype_size(view->dtype);
    bool overflow = false, empty = false;
    for (const cJSON *d = shape->child; d; d = d->next) {
        uint64_t dim;
        if (!whole_number(d, &dim))
            return bad_tensor(r, name, "its shape holds something that is no whole number");
        if (view->rank == FUM_VIEW_MAX_DIMS)
            return fum_error_set(r->err, FUM_ERR_UNSUPPORTED,
                                 "%s: tensor %s has more than %d dimensions", r->path,
                                 fum_text_show(name).text, FUM_VIEW_MAX_DIMS);
        view->dim[view->rank++] = (int64_t)dim;
        empty |= dim == 0;
        overflow |= dim && *bytes > (uint64_t)INT64_MAX / dim;
        if (!overflow && dim) *bytes *= dim;
    }
    if (overflow) return bad_tensor(r, name, "the product of its shape overflows");
    if (empty) *bytes = 0;
    return FUM_OK;
}

// Reads where the tensor's bytes begin. *bytes is what its shape needs if `sized`, and is set
// otherwise.
static enum fum_result read_range(const struct reader *r, const cJSON *item, bool sized,
                                  uint64_t *bytes, uint64_t *begin) {
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    const cJSON *first = cJSON_IsArray(offsets) ? offsets->child : NULL;
    uint64_t end;
    if (!first || !first->next || first->next->next || !whole_number(first, begin) ||
        !whole_number(first->next, &end))
        return bad_tensor(r, item->string, "its data_offsets are not two whole numbers");
    const char *name = item->string;
    if (*begin > end)
        return fum_error_set(r->err, FUM_ERR_FORMAT,
                             "%s: tensor %s: begins at byte %llu, after its end at %llu", r->path,
                             fum_text_show(name).text, (ull)*begin, (ull)end);
    if (!sized) *bytes = end - *begin;
    if (end - *begin != *bytes)
        return fum_error_set(r->err, FUM_ERR_FORMAT,
                             "%s: tensor %s at byte %llu: its shape needs %llu bytes, found %llu",
                             r->path, fum_text_show(name).text, (ull)(r->base + *begin),
                             (ull)*bytes, (ull)(end - *begin));
    if (end > r->size)
        return fum_error_set(r->err, FUM_ERR_FORMAT,
                             "%s: tensor %s ends at byte %llu of the file, which has %llu: cut "
                             "off? Get the file again",
                             r->path, fum_text_show(name).text, (ull)(r->base + end),
                             (ull)(r->base + r->size));
    return FUM_OK;
}

static enum fum_result read_tensor(const struct reader *r, const cJSON *item) {
    struct fum_loader_tensor tensor = {.name = item->string, .file = r->file};
    uint64_t begin = 0;
    if (!cJSON_IsObject(item))
        return bad_tensor(r, item->string, "its entry in the header is not an object");
    enum fum_result result = read_shape(r, item, &tensor.view, &tensor.bytes);
    bool sized = tensor.view.dtype != FUM_DTYPE_UNKNOWN;
    if (!result) result = read_range(r, item, sized, &tensor.bytes, &begin);
    if (result) return result;
    tensor.type = fum_json_string(item, "dtype", "");
    tensor.offset = r->base + begin;
    tensor.view.data = r->bytes->data;
    tensor.view.file = r->bytes->file;
    fum_view_skip(&tensor.view, tensor.offset);
    return fum_tensors_add(r->tensors, &tensor) ? FUM_OK : no_memory(r);
}

static enum fum_result read_metadata(const struct reader *r, const cJSON *object) {
    if (!cJSON_IsObject(object))
        return fum_error_set(r->err, FUM_ERR_FORMAT, "%s: __metadata__ is not an object", r->path);
    for (const cJSON *item = object->child; item; item = item->next) {
        if (!cJSON_IsString(item))
            return fum_error_set(r->err, FUM_ERR_FORMAT, "%s: __metadata__ %s is not a text",
                                 r->path, fum_text_show(item->string).text);
        if (!fum_tensors_add_text(r->tensors, item->string, item->valuestring)) return no_memory(r);
    }
    return FUM_OK;
}

static int by_offset(const void *a, const void *b) {
    const struct fum_loader_tensor *x = *(const struct fum_loader_tensor *const *)a;
    const struct fum_loader_tensor *y = *(const struct fum_loader_tensor *const *)b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

// Checks that the tensors cover the bytes after the header exactly: no overlap, no gap, nothing
// left over.
static enum fum_result check_cover(const struct reader *r, size_t first) {
    size_t n = r->tensors->count - first;
    const struct fum_loader_tensor **sorted = fum_alloc(n, sizeof *sorted);
    if (!sorted)
        return fum_error_set(r->err, FUM_ERR_NOMEM, "%s: no memory to check its tensors", r->path);
    for (size_t i = 0; i < n; i++) sorted[i] = &r->tensors->items[first + i];
    if (n) qsort(sorted, n, sizeof *sorted, by_offset);
    uint64_t at = r->base;
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < n && !result; i++) {
        if (sorted[i]->offset < at)
            result =
                fum_error_set(r->err, FUM_ERR_FORMAT,
                              "%s: tensor %s at byte %llu overlaps tensor %s, which ends at %llu",
                              r->path, fum_text_show(sorted[i]->name).text, (ull)sorted[i]->offset,
                              i ? fum_text_show(sorted[i - 1]->name).text : "", (ull)at);
        else if (sorted[i]->offset > at)
            result = fum_error_set(r->err, FUM_ERR_FORMAT,
                                   "%s: bytes %llu to %llu, before tensor %s, belong to no tensor",
                                   r->path, (ull)at, (ull)sorted[i]->offset,
                                   fum_text_show(sorted[i]->name).text);
        at = sorted[i]->offset + sorted[i]->bytes;
    }
    if (!result && at != r->base + r->size)
        result = fum_error_set(r->err, FUM_ERR_FORMAT,
                               "%s: %llu bytes after the last tensor belong to none (file of %llu)",
                               r->path, (ull)(r->base + r->size - at), (ull)(r->base + r->size));
    fum_free(sorted);
    return result;
}

static enum fum_result read_header(const struct reader *r, const cJSON *header) {
    size_t first = r->tensors->count;
    enum fum_result result = FUM_OK;
    if (!cJSON_IsObject(header))
        return fum_error_set(r->err, FUM_ERR_FORMAT, "%s: the header is not a JSON object",
                             r->path);
    for (const cJSON *item = header->child; item && !result; item = item->next)
        result =
            strcmp(item->string, "__metadata__") ? read_tensor(r, item) : read_metadata(r, item);
    return result ? result : check_cover(r, first);
}

// Reads the header's text, which is freed with fum_free, also on failure.
static enum fum_result read_text(const struct fum_view *bytes, const char *path, char **text,
                                 uint64_t *length, struct fum_error *err) {
    uint64_t size = fum_view_count(bytes);
    uint8_t prefix[8];
    if (size < 8)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: %llu bytes are too few for a safetensors file", path, (ull)size);
    enum fum_result result = fum_view_read(bytes, 0, 8, prefix, err);
    if (result) return result;
    for (int i = 7; i >= 0; i--) *length = *length << 8 | prefix[i];
    if (*length > MAX_HEADER_BYTES)
        return fum_error_set(
            err, FUM_ERR_FORMAT,
            "%s: a header of %llu bytes is over the limit of %d: not a safetensors file?", path,
            (ull)*length, MAX_HEADER_BYTES);
    if (*length > size - 8)
        return fum_error_set(
            err, FUM_ERR_FORMAT,
            "%s: the header needs %llu bytes, the file has %llu: cut off? Get it again", path,
            (ull)(*length + 8), (ull)size);
    *text = fum_alloc((size_t)*length + 1, 1);
    if (!*text)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its header of %llu bytes", path,
                             (ull)*length);
    return fum_view_read(bytes, 8, *length, *text, err);
}

static enum fum_result check_text(const char *text, uint64_t length, const char *path,
                                  struct fum_error *err) {
    if (!length || text[0] != '{')
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: no JSON header at byte 8: not a safetensors file", path);
    const char *wrong = check_nesting(text, (size_t)length);
    return wrong ? fum_error_set(err, FUM_ERR_FORMAT, "%s: the header %s", path, wrong) : FUM_OK;
}

static enum fum_result parse(struct fum_tensors *tensors, const struct fum_format_file *file,
                             struct fum_error *err) {
    uint64_t length = 0;
    char *text = NULL;
    cJSON *header = NULL;
    enum fum_result result = read_text(&file->bytes, file->path, &text, &length, err);
    if (!result) result = check_text(text, length, file->path, err);
    if (!result) result = fum_json_parse(&header, text, (size_t)length, file->path, err);
    fum_free(text);
    struct reader r = {.tensors = tensors,
                       .file = file->index,
                       .path = file->path,
                       .bytes = &file->bytes,
                       .err = err,
                       .size = fum_view_count(&file->bytes) - 8 - length,
                       .base = 8 + length};
    if (!result) result = read_header(&r, header);
    cJSON_Delete(header);
    return result;
}

// True if eight bytes that may be the header's length come before a '{'. Lengths are far below
// 2^56.
static bool probe(const uint8_t *begin, size_t bytes) {
    return bytes > 8 && begin[7] == 0 && begin[8] == '{';
}

const struct fum_format fum_format_safetensors = {
    .name = "a safetensors file", .probe = probe, .parse = parse};
