// SPDX-License-Identifier: MIT
#include "weights/device_pack.h"

#include "base/alloc.h"
#include "base/error.h"
#include "gpu/groups.h"

#include <string.h>

enum { MAX_PARTS = 256, COMMANDS = 2 };

struct part {
    struct fum_device_pack_chunk p;
    struct fum_binding to;
    uint64_t offset, bytes; // of its bytes in the raw buffer
};

struct fum_device_packer {
    fum_device *device;
    fum_buffer *raw;
    uint8_t *where; // of the upload that is open; NULL: none
    uint64_t used;
    struct part parts[MAX_PARTS];
    int num_parts;
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

static int64_t taps_of(enum fum_pack pack, const struct fum_desc *desc) {
    int64_t taps = pack == FUM_PACK_CONV ? desc->shape.dim[0] * desc->shape.dim[1] : 1;
    return taps ? taps : 1;
}

// The file's bytes are cut between its own rows: those of the weight, or its columns where it is
// transposed.
static uint64_t file_row_bytes(const struct fum_view *view, enum fum_pack pack,
                               const struct fum_desc *desc) {
    int64_t elements =
        pack == FUM_PACK_NONE ? fum_shape_channels(&desc->shape) : fum_shape_rows(&desc->shape);
    return (uint64_t)elements * fum_dtype_size(view->dtype);
}

bool fum_device_pack_possible(const struct fum_device_info *info, const struct fum_view *view,
                              enum fum_pack pack, const struct fum_desc *desc) {
    return pack <= FUM_PACK_CONV && !view->scales && known(view->dtype) && known(desc->dtype) &&
           fum_desc_bytes(desc) <= info->max_binding && fum_shape_count(&desc->shape) < INT32_MAX &&
           4 * file_row_bytes(view, pack, desc) <= FUM_DEVICE_PACK_BYTES &&
           FUM_DEVICE_PACK_BYTES <= info->max_binding;
}

static uint32_t type_code(enum fum_dtype type) { // as in device_pack.comp
    return type == FUM_F32 ? 0 : type == FUM_F16 ? 1 : 2;
}

bool fum_device_pack_fill(const struct fum_device_info *info, const struct fum_device_pack_chunk *p,
                          uint32_t spec[FUM_DEVICE_PACK_SPEC], uint32_t push[FUM_DEVICE_PACK_PUSH],
                          uint32_t groups[3]) {
    uint32_t lanes = fum_lanes(info);
    const uint32_t specs[] = {
        lanes, 1, 1, type_code(p->from), type_code(p->to), p->pack != FUM_PACK_NONE};
    const uint32_t pushed[] = {(uint32_t)p->rows,      (uint32_t)p->columns,
                               (uint32_t)p->row_quads, (uint32_t)p->first_quad,
                               (uint32_t)p->taps,      (uint32_t)(p->rows / p->taps)};
    memcpy(spec, specs, sizeof specs);
    memcpy(push, pushed, sizeof pushed);
    uint64_t items = (uint64_t)p->rows * (uint64_t)((p->columns + 3) / 4);
    return fum_groups_1d(info, (items + lanes - 1) / lanes, groups);
}

static enum fum_result record(fum_device_packer *u, fum_command *command, const struct part *part,
                              struct fum_error *err) {
    struct fum_kernel_desc desc = {.shader = fum_shader_find("device_pack", FUM_F32),
                                   .num_spec = FUM_DEVICE_PACK_SPEC,
                                   .num_bindings = 2,
                                   .num_push = FUM_DEVICE_PACK_PUSH};
    const fum_kernel *kernel = NULL;
    uint32_t push[FUM_DEVICE_PACK_PUSH], groups[3];
    if (!desc.shader ||
        !fum_device_pack_fill(fum_device_get_info(u->device), &part->p, desc.spec, push, groups))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "a weight needs more workgroups than the device has");
    enum fum_result result = fum_kernel_get(&kernel, u->device, &desc, err);
    const struct fum_binding bindings[] = {
        {.buffer = u->raw, .offset = part->offset, .bytes = part->bytes}, part->to};
    return result ? result
                  : fum_command_dispatch(command,
                                         &(struct fum_kernel_call){.kernel = kernel,
                                                                   .bindings = bindings,
                                                                   .push = push,
                                                                   .groups = groups,
                                                                   .label = "device_pack"},
                                         err);
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
    for (int i = 0; i < u->num_parts && !result; i++)
        result = record(u, *command, &u->parts[i], err);
    if (!result) result = fum_command_end(*command, err);
    if (!result) result = fum_command_submit(*command, &u->ticket, err);
    u->num_parts = 0;
    u->used = 0;
    return result;
}

// Adds a part: `part->bytes` bytes of the view from byte `from` on.
static enum fum_result add(fum_device_packer *u, const struct part *part,
                           const struct fum_view *view, uint64_t from, const char *name,
                           struct fum_error *err) {
    enum fum_result result = FUM_OK;
    if (u->num_parts == MAX_PARTS || u->used + part->bytes > FUM_DEVICE_PACK_BYTES)
        result = flush(u, err);
    if (!result && !u->where) {
        void *where = NULL;
        fum_buffer_set_label(u->raw, name);
        result = fum_buffer_upload_begin(u->raw, 0, FUM_DEVICE_PACK_BYTES, &where, err);
        u->where = where;
    }
    if (!result) result = fum_view_read(view, from, part->bytes, u->where + u->used, err);
    if (result) return result;
    u->parts[u->num_parts] = *part;
    u->parts[u->num_parts].offset = u->used;
    u->parts[u->num_parts++].bytes = (part->bytes + 3) / 4 * 4; // whole words are read
    u->used = fum_buffer_align(u->used + part->bytes);
    return FUM_OK;
}

enum fum_result fum_device_pack(fum_device_packer *u, const struct fum_view *view,
                                enum fum_pack pack, const struct fum_desc *desc,
                                const struct fum_binding *to, const char *name,
                                struct fum_error *err) {
    uint64_t row_bytes = file_row_bytes(view, pack, desc);
    int64_t rows = fum_shape_rows(&desc->shape), columns = fum_shape_channels(&desc->shape);
    int64_t count = pack == FUM_PACK_NONE ? rows : columns; // of the file's rows
    int64_t each = row_bytes ? (int64_t)(FUM_DEVICE_PACK_BYTES / row_bytes) / 4 * 4 : 0;
    struct part part = {.to = *to};
    part.to.write = true;
    part.p = (struct fum_device_pack_chunk){.from = view->dtype,
                                            .to = desc->dtype,
                                            .pack = pack,
                                            .rows = rows,
                                            .columns = columns,
                                            .row_quads = fum_shape_row_quads(&desc->shape),
                                            .taps = taps_of(pack, desc)};
    enum fum_result result = FUM_OK;
    for (int64_t first = 0; first < count && row_bytes && !result; first += each) {
        int64_t n = count - first < each ? count - first : each;
        part.bytes = (uint64_t)n * row_bytes;
        if (pack == FUM_PACK_NONE)
            part.p.rows = n, part.p.first_quad = first * part.p.row_quads;
        else
            part.p.columns = n, part.p.first_quad = first / 4;
        result = add(u, &part, view, (uint64_t)first * row_bytes, name, err);
    }
    return result;
}

enum fum_result fum_device_packer_finish(fum_device_packer *u, struct fum_error *err) {
    enum fum_result result = flush(u, err);
    if (!result && u->ticket) result = fum_device_wait(u->device, u->ticket, err);
    return result;
}
