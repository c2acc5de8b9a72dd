// SPDX-License-Identifier: MIT
#include "io/gguf.h"

#include "base/block.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"
#include "io/gguf_scan.h"
#include "io/gguf_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

enum {
    MAX_NAME = 65535,   // of a key or a tensor
    MAX_TEXT = 4 << 20, // longer values are skipped
    MAX_DIMS = 4,       // of a tensor
    MAX_ALIGNMENT = 1 << 16,
    LEAST_KEY = 8 + 4 + 1,        // bytes of the shortest key with its value
    LEAST_TENSOR = 8 + 4 + 4 + 8, // and tensor
};

const struct fum_gguf_type fum_gguf_types[FUM_GGUF_TYPES] = {
    {0, FUM_F32, "F32"},  {1, FUM_F16, "F16"},  {24, FUM_I8, "I8"},   {25, FUM_I16, "I16"},
    {26, FUM_I32, "I32"}, {27, FUM_I64, "I64"}, {28, FUM_F64, "F64"}, {30, FUM_BF16, "BF16"},
};

// A shape from the keys, of a tensor that is stored in another one.
struct shape {
    const char *name; // of the tensor
    struct fum_view view;
};

struct reader {
    struct fum_gguf_scan scan;
    struct fum_tensors *tensors;
    size_t first; // of the file's tensors
    uint64_t num_tensors, num_keys, alignment;
    struct shape *shapes;
    size_t num_shapes, shape_capacity;
};

static void no_memory(struct reader *r) {
    r->scan.result = fum_error_set(r->scan.err, FUM_ERR_NOMEM,
                                   "%s: no memory for the list of its tensors", r->scan.file->path);
}

static void refuse_tensor(struct reader *r, const char *name, const char *what) {
    if (r->scan.result) return;
    r->scan.result = fum_error_set(r->scan.err, FUM_ERR_FORMAT, "%s: tensor %s: %s",
                                   r->scan.file->path, fum_text_show(name).text, what);
}

// ---- keys ----

static void read_alignment(struct reader *r, uint32_t kind) {
    bool integer;
    int64_t alignment = fum_gguf_integer(&r->scan, kind, &integer);
    if (!integer || alignment < 1 || alignment > MAX_ALIGNMENT || alignment & (alignment - 1))
        fum_gguf_refuse(&r->scan, "general.alignment is no power of two up to 65536");
    else
        r->alignment = (uint64_t)alignment;
}

// Reads the dimensions that a converter gives for a tensor whose rows it has merged.
static void read_shape(struct reader *r, const char *name) {
    uint32_t of = fum_gguf_u32(&r->scan);
    uint64_t count = fum_gguf_count(&r->scan, 1);
    struct shape shape = {.name = name};
    bool integer = true;
    for (uint64_t i = 0; i < count && !r->scan.result; i++) {
        int64_t dim = fum_gguf_integer(&r->scan, of, &integer);
        if (!integer || dim < 0 || i == FUM_VIEW_MAX_DIMS)
            fum_gguf_refuse(&r->scan, "a shape does not consist of up to 8 whole numbers");
        else
            shape.view.dim[shape.view.rank++] = dim;
    }
    if (r->scan.result) return;
    if (fum_grow((void **)&r->shapes, &r->shape_capacity, r->num_shapes, sizeof *r->shapes))
        r->shapes[r->num_shapes++] = shape;
    else
        no_memory(r);
}

static void read_text(struct reader *r, const char *key) {
    uint64_t begin = r->scan.at, length = fum_gguf_u64(&r->scan);
    r->scan.at = begin;
    if (length > MAX_TEXT) {
        fum_gguf_skip(&r->scan, FUM_GGUF_TEXT);
        return;
    }
    const char *text = fum_gguf_text(&r->scan, MAX_TEXT);
    if (text && !fum_tensors_add_text(r->tensors, key, text)) no_memory(r);
}

static void read_key(struct reader *r) {
    static const char shape_of[] = "comfy.gguf.orig_shape.";
    const char *key = fum_gguf_text(&r->scan, MAX_NAME);
    uint32_t kind = fum_gguf_u32(&r->scan);
    if (r->scan.result) return;
    if (!strcmp(key, "general.alignment"))
        read_alignment(r, kind);
    else if (kind == FUM_GGUF_ARRAY && !strncmp(key, shape_of, sizeof shape_of - 1))
        read_shape(r, key + sizeof shape_of - 1);
    else if (kind == FUM_GGUF_TEXT)
        read_text(r, key);
    else
        fum_gguf_skip(&r->scan, kind);
}

// ---- tensors ----

// Reads the dimensions, of which files have the innermost first.
static void read_dims(struct reader *r, const char *name, struct fum_view *view) {
    uint32_t rank = fum_gguf_u32(&r->scan);
    if (rank > MAX_DIMS) {
        refuse_tensor(r, name, "it has more than four dimensions");
        return;
    }
    view->rank = (int)rank;
    uint64_t count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t dim = fum_gguf_u64(&r->scan);
        if (dim > (uint64_t)INT64_MAX / 8 / FUM_MAX(count, 1))
            refuse_tensor(r, name, "the product of its shape overflows");
        view->dim[rank - 1 - i] = (int64_t)dim;
        if (!r->scan.result) count *= dim;
    }
}

// Finds what a type's number means: elements, or blocks. *bytes: what the tensor takes.
static const char *find_type(struct reader *r, uint32_t number, struct fum_loader_tensor *t) {
    uint64_t count = fum_view_count(&t->view);
    int64_t row = t->view.rank ? t->view.dim[t->view.rank - 1] : 1;
    const struct fum_block_type *blocks = fum_block_of_number(number);
    for (int i = 0; i < FUM_GGUF_TYPES; i++) {
        if (fum_gguf_types[i].number != number) continue;
        t->view.dtype = fum_gguf_types[i].dtype;
        t->bytes = count * fum_dtype_size(t->view.dtype);
        return fum_gguf_types[i].title;
    }
    if (!blocks) {
        t->view.dtype = FUM_DTYPE_UNKNOWN;
        char *title = fum_arena_printf(r->scan.arena, "type %u of GGUF", (unsigned)number);
        if (!title) no_memory(r);
        return title;
    }
    if (row % blocks->values) refuse_tensor(r, t->name, "its rows are no whole blocks");
    t->view.dtype = FUM_F32;
    t->view.blocks = blocks;
    t->bytes = count / (uint64_t)blocks->values * (uint64_t)blocks->bytes;
    return blocks->title;
}

// Reads a tensor's entry. Its offset counts from where the tensors begin, which is not known yet.
static void read_tensor(struct reader *r) {
    struct fum_loader_tensor t = {.file = r->scan.file->index};
    t.name = fum_gguf_text(&r->scan, MAX_NAME);
    if (!t.name) return;
    read_dims(r, t.name, &t.view);
    uint32_t number = fum_gguf_u32(&r->scan);
    t.offset = fum_gguf_u64(&r->scan);
    if (r->scan.result) return;
    t.type = find_type(r, number, &t);
    if (r->scan.result) return;
    if (t.offset % r->alignment) refuse_tensor(r, t.name, "its offset is not aligned");
    if (!r->scan.result && !fum_tensors_add(r->tensors, &t)) no_memory(r);
}

// Points a tensor to its bytes, which must lie in the file.
static void place_tensor(struct reader *r, struct fum_loader_tensor *t, uint64_t base) {
    uint64_t size = r->scan.size;
    const struct fum_view *bytes = &r->scan.file->bytes;
    if (base > size || t->offset > size - base || t->bytes > size - base - t->offset) {
        r->scan.result =
            fum_error_set(r->scan.err, FUM_ERR_FORMAT,
                          "%s: tensor %s ends after the file's %llu bytes: cut off? Get it again",
                          r->scan.file->path, fum_text_show(t->name).text, (ull)size);
        return;
    }
    t->offset += base;
    t->view.file = bytes->file;
    const uint8_t *data = bytes->data;
    if (t->view.blocks) {
        t->view.block_data = data ? data + t->offset : NULL;
        t->view.block_offset = t->offset;
    } else {
        t->view.data = data;
        fum_view_skip(&t->view, t->offset);
    }
}

static int by_offset(const void *a, const void *b) {
    const struct fum_loader_tensor *x = *(const struct fum_loader_tensor *const *)a;
    const struct fum_loader_tensor *y = *(const struct fum_loader_tensor *const *)b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static void check_overlaps(struct reader *r) {
    size_t n = r->tensors->count - r->first;
    const struct fum_loader_tensor **sorted = fum_alloc(n, sizeof *sorted);
    if (!sorted) {
        no_memory(r);
        return;
    }
    for (size_t i = 0; i < n; i++) sorted[i] = &r->tensors->items[r->first + i];
    if (n) qsort(sorted, n, sizeof *sorted, by_offset);
    for (size_t i = 1; i < n; i++)
        if (sorted[i]->offset < sorted[i - 1]->offset + sorted[i - 1]->bytes)
            refuse_tensor(r, sorted[i]->name, "its bytes overlap those of another tensor");
    fum_free(sorted);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct shape *)a)->name, ((const struct shape *)b)->name);
}

static void restore_shape(struct fum_view *view, const struct fum_view *shape) {
    uint64_t left = fum_view_count(view);
    for (int k = 0; k < shape->rank && left; k++) {
        uint64_t dim = (uint64_t)shape->dim[k];
        left = dim && left % dim == 0 ? left / dim : 0;
    }
    if (left != 1) return;
    view->rank = shape->rank;
    memcpy(view->dim, shape->dim, sizeof view->dim);
}

// Gives tensors the shapes that keys state for them, if the elements are as many.
static void restore_shapes(struct reader *r) {
    if (!r->num_shapes) return;
    qsort(r->shapes, r->num_shapes, sizeof *r->shapes, by_name);
    for (size_t i = r->first; i < r->tensors->count; i++) {
        struct fum_loader_tensor *t = &r->tensors->items[i];
        const struct shape wanted = {.name = t->name},
                           *found =
                               bsearch(&wanted, r->shapes, r->num_shapes, sizeof wanted, by_name);
        if (found) restore_shape(&t->view, &found->view);
    }
}

// ---- the file ----

static void read_start(struct reader *r) {
    fum_gguf_u32(&r->scan); // the magic
    uint32_t version = fum_gguf_u32(&r->scan);
    if (r->scan.result) return;
    if (version < 2 || version > 3) {
        r->scan.result =
            fum_error_set(r->scan.err, FUM_ERR_UNSUPPORTED,
                          "%s: GGUF version %u%s; versions 2 and 3 are read", r->scan.file->path,
                          (unsigned)version, version & 0xffff ? "" : ", or a big-endian file");
        return;
    }
    r->num_tensors = fum_gguf_count(&r->scan, LEAST_TENSOR);
    r->num_keys = fum_gguf_count(&r->scan, LEAST_KEY);
}

static enum fum_result parse(struct fum_tensors *tensors, const struct fum_format_file *file,
                             struct fum_error *err) {
    struct reader r = {.tensors = tensors, .first = tensors->count, .alignment = 32};
    r.scan = (struct fum_gguf_scan){
        .file = file, .arena = tensors->arena, .err = err, .size = fum_view_count(&file->bytes)};
    read_start(&r);
    for (uint64_t i = 0; i < r.num_keys && !r.scan.result; i++) read_key(&r);
    for (uint64_t i = 0; i < r.num_tensors && !r.scan.result; i++) read_tensor(&r);
    uint64_t base = FUM_ALIGN_UP(r.scan.at, r.alignment);
    for (size_t i = r.first; i < tensors->count && !r.scan.result; i++)
        place_tensor(&r, &tensors->items[i], base);
    if (!r.scan.result) check_overlaps(&r);
    if (!r.scan.result) restore_shapes(&r);
    fum_free(r.shapes);
    return r.scan.result;
}

const struct fum_format fum_format_gguf = {
    .name = "a GGUF file", .magic = "GGUF", .magic_bytes = 4, .parse = parse};
