// SPDX-License-Identifier: MIT
// Computes attention whose heads are not whole quads. Every kernel of attention reads and writes
// heads by quads, and what pads a tensor's rows is undefined. So the heads of q, k and v are copied
// into scratch first, each a row of its own that zeros pad, and the result's heads are copied back.
// Zeros add nothing to a score. Only such heads take the copies, and each variant serves every size
// with the kernels that it has.
#include "base/macros.h"
#include "ops/lib/attention.h"
#include "ops/lib/emit.h"

#include <string.h>

enum { RESULT = 3, TENSORS }; // 0 to 2: q, k and v

// The padded tensors, [batch, tokens, heads · padded channels], and where scratch holds them.
struct padding {
    const struct fum_op_call *call;
    struct fum_dispatches *list;
    int64_t heads, channels; // channels of one head, without padding
    struct fum_desc desc[TENSORS];
    uint64_t at[TENSORS], bytes; // offsets in scratch, and where the last one ends
};

static uint64_t aligned(const struct fum_device_info *info, uint64_t bytes) {
    uint64_t align = info->binding_align < 16 ? 16 : info->binding_align;
    return FUM_ALIGN_UP(bytes, align);
}

static struct padding padding_of(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct fum_attention a = fum_attention_of(call);
    struct padding p = {.call = call, .list = list, .heads = a.heads, .channels = a.channels};
    for (int i = 0; i < TENSORS; i++) {
        p.desc[i] = i == RESULT ? call->out : call->in[i];
        p.desc[i].shape.dim[2] = a.heads * FUM_ALIGN_UP(a.channels, 4);
        p.at[i] = p.bytes;
        p.bytes = aligned(list->info, p.bytes + fum_desc_bytes(&p.desc[i]));
    }
    return p;
}

// Adds the copy of rows [first, first + count) of tensor i: into scratch, or back for the result.
static bool add_copy(const struct padding *p, int i, int64_t first, int64_t count) {
    bool back = i == RESULT;
    const struct fum_desc *dense = back ? &p->call->out : &p->call->in[i], *padded = &p->desc[i];
    int dense_slot = back ? 1 : 0, padded_slot = 1 - dense_slot; // binding 0 is read, 1 is written
    uint64_t quads = (uint64_t)(count * fum_shape_row_quads(back ? &dense->shape : &padded->shape));
    struct fum_dispatch *d = fum_emit(p->list, "repack", fum_raw_variant(dense->dtype), quads);
    if (!d) return false;

    uint32_t skip[2], channels[2];
    fum_bind_rows(p->list, d, dense_slot, back ? FUM_OUT : i, back, dense, first, count,
                  &skip[dense_slot]);
    fum_bind_rows(p->list, d, padded_slot, FUM_SCRATCH, !back, padded, first, count,
                  &skip[padded_slot]);
    d->bind[padded_slot].offset += p->at[i];
    d->num_bind = 2;
    channels[dense_slot] = (uint32_t)(p->heads * p->channels);
    channels[padded_slot] = (uint32_t)p->channels;
    const uint32_t push[] = {(uint32_t)quads, channels[0], channels[1], skip[0], skip[1]};
    for (size_t k = 0; k < FUM_COUNT(push); k++) fum_emit_push(d, push[k]);
    return true;
}

// Adds the copies of tensor i, each of as many rows as fit a binding.
static bool add_copies(const struct padding *p, int i) {
    const struct fum_desc *dense = i == RESULT ? &p->call->out : &p->call->in[i];
    const struct fum_device_info *info = p->list->info;
    int64_t rows = fum_shape_rows(&dense->shape);
    int64_t fit =
        fum_min_i64(fum_rows_per_binding(info, dense), fum_rows_per_binding(info, &p->desc[i]));
    if (fit < 1) return fum_refuse(&p->list->why, "one token is larger than the device's binding");
    for (int64_t first = 0; first < rows; first += fum_min_i64(fit, rows - first))
        if (!add_copy(p, i, first, fum_min_i64(fit, rows - first))) return false;
    return true;
}

// Returns the same attention of the padded tensors; attr is the caller's memory.
static struct fum_op_call padded_call(const struct padding *p, double attr[FUM_ATTENTION_ATTRS]) {
    struct fum_op_call inner = *p->call;
    memcpy(attr, p->call->attr, FUM_ATTENTION_ATTRS * sizeof *attr);
    attr[FUM_ATTENTION_SCALE] = fum_attention_of(p->call).scale; // of the channels without padding
    inner.attr = attr;
    for (int i = 0; i < RESULT; i++) inner.in[i] = p->desc[i];
    inner.out = p->desc[RESULT];
    return inner;
}

// Makes the dispatches from `first` on use the padded tensors, and moves their own scratch behind
// these.
static void move_to_scratch(const struct padding *p, int first) {
    for (int k = first; k < p->list->count; k++)
        for (int i = 0; i < p->list->item[k].num_bind; i++) {
            struct fum_dispatch_bind *b = &p->list->item[k].bind[i];
            int tensor = b->operand == FUM_OUT ? RESULT : b->operand;
            bool own = b->operand == FUM_SCRATCH;
            if (!b->bytes)
                b->bytes = own ? p->list->scratch_bytes : fum_desc_bytes(&p->desc[tensor]);
            b->offset += own ? p->bytes : p->at[tensor];
            b->operand = FUM_SCRATCH;
        }
    p->list->scratch_bytes += p->bytes;
}

bool fum_attention_dispatch_padded(const struct fum_op_call *call, struct fum_dispatches *list) {
    struct padding p = padding_of(call, list);
    double attr[FUM_ATTENTION_ATTRS];
    struct fum_op_call inner = padded_call(&p, attr);
    for (int i = 0; i < RESULT; i++)
        if (!add_copies(&p, i)) return false;
    int first = list->count;
    if (!fum_attention_dispatch_whole(&inner, list)) return false;
    move_to_scratch(&p, first);
    return add_copies(&p, RESULT);
}
