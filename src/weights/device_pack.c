// SPDX-License-Identifier: MIT
#include "weights/device_pack.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "gpu/groups.h"

#include <string.h>

enum { MAX_CHUNKS = 256, COMMANDS = 2 };

struct chunk {
    struct fum_device_pack_chunk what;
    struct fum_binding to;
    uint64_t offset, bytes; // of its bytes in the raw buffer
};

struct fum_device_packer {
    fum_device *device;
    fum_buffer *raw;
    uint8_t *where;    // of the upload that is open; NULL: none
    const char *label; // of the tensor that is added
    uint64_t used;
    struct chunk chunks[MAX_CHUNKS];
    int num_chunks;
    fum_command *commands[COMMANDS]; // the last ones submitted, in turn
    int next;
    uint64_t ticket;
};

enum fum_result fum_device_packer_create(fum_device_packer **out, fum_device *device,
                                         struct fum_error *err) {
    fum_device_packer *u = *out = fum_calloc(1, sizeof *u);
    if (!u) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to load weights");
    u->device = device;
    enum fum_result result = fum_buffer_create(
        &u->raw, device,
        &(struct fum_buffer_params){
            .bytes = FUM_DEVICE_PACK_BYTES, .use = FUM_BUFFER_DEVICE, .label = "weights"},
        err);
    if (result) fum_device_packer_destroy(out);
    return result;
}

void fum_device_packer_destroy(fum_device_packer **packer) {
    if (!packer || !*packer) return;
    fum_device_packer *u = *packer;
    if (u->where) fum_buffer_upload_end(u->raw, NULL);
    for (int i = 0; i < COMMANDS; i++) fum_command_destroy(&u->commands[i]); // waits
    fum_buffer_destroy(&u->raw);
    fum_free(u);
    *packer = NULL;
}

static bool known(enum fum_dtype type) {
    return type == FUM_F32 || type == FUM_F16 || type == FUM_BF16;
}

// Returns the bytes between two rows of the file. Its rows are those of the weight, or its columns
// where it is transposed.
static uint64_t file_row_bytes(const struct fum_weight *part, const struct fum_view *view) {
    const struct fum_shape *shape = &part->desc.shape;
    int64_t elements =
        part->packing->transposed ? fum_shape_rows(shape) : fum_shape_channels(shape);
    return (uint64_t)elements * fum_dtype_size(view->dtype);
}

bool fum_device_pack_possible(const struct fum_device_info *info, const struct fum_weight *part,
                              const struct fum_view *view) {
    const struct fum_desc *desc = &part->desc;
    return part->packing->device_shader && !view->scales && known(view->dtype) &&
           known(desc->dtype) && fum_desc_bytes(desc) <= info->max_binding &&
           fum_shape_count(&desc->shape) < INT32_MAX &&
           4 * file_row_bytes(part, view) <= FUM_DEVICE_PACK_BYTES &&
           FUM_DEVICE_PACK_BYTES <= info->max_binding;
}

// Returns the type's number in device_pack.comp.
static uint32_t type_code(enum fum_dtype type) {
    if (type == FUM_F32) return 0;
    return type == FUM_F16 ? 1 : 2;
}

bool fum_device_pack_fill(const struct fum_device_info *info, const struct fum_device_pack_chunk *c,
                          uint32_t spec[FUM_DEVICE_PACK_SPEC], struct fum_device_pack_push *push,
                          uint32_t groups[3]) {
    uint32_t lanes = fum_lanes(info);
    const uint32_t specs[] = {lanes, 1, 1, type_code(c->from), type_code(c->to), c->transposed};
    memcpy(spec, specs, sizeof specs);
    *push = (struct fum_device_pack_push){.rows = (uint32_t)c->rows,
                                          .columns = (uint32_t)c->columns,
                                          .row_quads = (uint32_t)c->row_quads,
                                          .first_quad = (uint32_t)c->first_quad,
                                          .taps = (uint32_t)c->taps,
                                          .channels = (uint32_t)(c->rows / c->taps)};
    uint64_t items = (uint64_t)c->rows * (uint64_t)FUM_DIV_UP(c->columns, 4);
    return fum_groups_1d(info, FUM_DIV_UP(items, lanes), groups);
}

static enum fum_result record_chunk(fum_device_packer *u, fum_command *command,
                                    const struct chunk *chunk, struct fum_error *err) {
    const char *name = "device_pack";
    struct fum_kernel_desc desc = {.shader = fum_shader_find(name, FUM_F32),
                                   .num_spec = FUM_DEVICE_PACK_SPEC,
                                   .num_bindings = 2,
                                   .num_push =
                                       sizeof(struct fum_device_pack_push) / sizeof(uint32_t)};
    const fum_kernel *kernel = NULL;
    struct fum_device_pack_push push;
    uint32_t groups[3];
    if (!desc.shader || !fum_device_pack_fill(fum_device_get_info(u->device), &chunk->what,
                                              desc.spec, &push, groups))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "a weight needs more workgroups than the device has");
    enum fum_result result = fum_kernel_get(&kernel, u->device, &desc, err);
    if (result) return result;
    const struct fum_binding bindings[] = {
        {.buffer = u->raw, .offset = chunk->offset, .bytes = chunk->bytes}, chunk->to};
    const struct fum_kernel_call call = {.kernel = kernel,
                                         .bindings = bindings,
                                         .push = &push.rows,
                                         .groups = groups,
                                         .label = name};
    return fum_command_dispatch(command, &call, err);
}

// Sends what has been gathered, and the kernels after it.
static enum fum_result flush(fum_device_packer *u, struct fum_error *err) {
    if (!u->where) return FUM_OK;
    u->where = NULL;
    enum fum_result result = fum_buffer_upload_end(u->raw, err);
    fum_command **command = &u->commands[u->next];
    u->next = (u->next + 1) % COMMANDS;
    fum_command_destroy(command);
    if (!result) result = fum_command_create(command, u->device, "device_pack", err);
    for (int i = 0; i < u->num_chunks && !result; i++)
        result = record_chunk(u, *command, &u->chunks[i], err);
    if (!result) result = fum_command_end(*command, err);
    if (!result) result = fum_command_submit(*command, &u->ticket, err);
    u->num_chunks = 0;
    u->used = 0;
    return result;
}

// Adds a chunk: chunk->bytes bytes of the view from byte `from` on.
static enum fum_result add_chunk(fum_device_packer *u, const struct chunk *chunk,
                                 const struct fum_view *view, uint64_t from,
                                 struct fum_error *err) {
    enum fum_result result = FUM_OK;
    if (u->num_chunks == MAX_CHUNKS || u->used + chunk->bytes > FUM_DEVICE_PACK_BYTES)
        result = flush(u, err);
    if (!result && !u->where) {
        void *where = NULL;
        fum_buffer_set_label(u->raw, u->label);
        result = fum_buffer_upload_begin(u->raw, 0, FUM_DEVICE_PACK_BYTES, &where, err);
        u->where = where;
    }
    if (!result) result = fum_view_read(view, from, chunk->bytes, u->where + u->used, err);
    if (result) return result;
    u->chunks[u->num_chunks] = *chunk;
    u->chunks[u->num_chunks].offset = u->used;
    u->chunks[u->num_chunks++].bytes = FUM_ALIGN_UP(chunk->bytes, 4); // whole words are read
    u->used = fum_buffer_align(u->used + chunk->bytes);
    return FUM_OK;
}

enum fum_result fum_device_pack(fum_device_packer *u, const struct fum_weight *part,
                                const struct fum_view *view, const struct fum_binding *to,
                                struct fum_error *err) {
    const struct fum_shape *shape = &part->desc.shape;
    bool transposed = part->packing->transposed;
    uint64_t row_bytes = file_row_bytes(part, view);
    int64_t rows = fum_shape_rows(shape), columns = fum_shape_channels(shape);
    int64_t count = transposed ? columns : rows; // of the file's rows
    int64_t each = row_bytes ? (int64_t)(FUM_DEVICE_PACK_BYTES / row_bytes) / 4 * 4 : 0;
    struct chunk chunk = {
        .what = {.from = view->dtype,
                 .to = part->desc.dtype,
                 .transposed = transposed,
                 .rows = rows,
                 .columns = columns,
                 .row_quads = fum_shape_row_quads(shape),
                 .taps = transposed ? FUM_MAX(fum_packing_taps(shape), 1) : 1},
        .to = *to,
    };
    chunk.to.write = true;
    u->label = fum_weight_label(part);
    enum fum_result result = FUM_OK;
    for (int64_t first = 0; first < count && row_bytes && !result; first += each) {
        int64_t n = FUM_MIN(count - first, each);
        chunk.bytes = (uint64_t)n * row_bytes;
        *(transposed ? &chunk.what.columns : &chunk.what.rows) = n;
        chunk.what.first_quad = transposed ? first / 4 : first * chunk.what.row_quads;
        result = add_chunk(u, &chunk, view, (uint64_t)first * row_bytes, err);
    }
    return result;
}

enum fum_result fum_device_packer_finish(fum_device_packer *u, struct fum_error *err) {
    enum fum_result result = flush(u, err);
    if (!result && u->ticket) result = fum_device_wait(u->device, u->ticket, err);
    return result;
}
