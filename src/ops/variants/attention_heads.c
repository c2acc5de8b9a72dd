// SPDX-License-Identifier: MIT
// Computes attention whose heads are not whole quads. Every kernel of attention reads and writes
// heads by quads, and what pads a tensor's rows is undefined. So the heads of q, k and v are copied
// into scratch first, each a row of its own that zeros pad. The result's heads are copied back.
// Zeros add nothing to a score. Only such heads take the copies, and each variant serves every size
// with the kernels that it has.
#include "ops/variants/variant.h"
#include "shaders/repack.pc.h"

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
    return FUM_ALIGN_UP(bytes, FUM_MAX(info->binding_align, 16));
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
    uint64_t quads = (uint64_t)(count * fum_shape_row_quads(back ? &dense->shape : &padded->shape));
    struct fum_dispatch *d =
        fum_emit_quads(p->list, "repack", fum_raw_variant(dense->dtype), quads);
    if (!d) return false;
    uint32_t dense_channels = (uint32_t)(p->heads * p->channels),
             padded_channels = (uint32_t)p->channels, dense_skip, padded_skip;
    struct fum_dispatch_bind outside = fum_bind_rows(
        p->list, back ? FUM_OUT : i, (struct fum_rows){dense, first, count}, &dense_skip);
    struct fum_dispatch_bind inside =
        fum_bind_rows(p->list, FUM_SCRATCH, (struct fum_rows){padded, first, count}, &padded_skip);
    inside.offset += p->at[i];
    inside.write = !back;
    fum_emit_bind(d, back ? inside : outside);
    fum_emit_bind(d, back ? outside : inside);
    const struct fum_repack_push push = {
        .quads = (uint32_t)quads,
        .x_channels = back ? padded_channels : dense_channels,
        .y_channels = back ? dense_channels : padded_channels,
        .x_skip = back ? padded_skip : dense_skip,
        .y_skip = back ? dense_skip : padded_skip,
    };
    FUM_EMIT_PUSH(d, push);
    return true;
}

// Adds the copies of tensor i, each of as many rows as fit a binding.
static bool add_copies(const struct padding *p, int i) {
    const struct fum_desc *dense = i == RESULT ? &p->call->out : &p->call->in[i];
    const struct fum_device_info *info = p->list->info;
    int64_t rows = fum_shape_rows(&dense->shape);
    int64_t fit =
        FUM_MIN(fum_rows_per_binding(info, dense), fum_rows_per_binding(info, &p->desc[i]));
    if (fit < 1) return fum_refuse_size(&p->list->why, info, "one token");
    for (int64_t first = 0; first < rows; first += FUM_MIN(fit, rows - first))
        if (!add_copy(p, i, first, FUM_MIN(fit, rows - first))) return false;
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
    struct fum_attention attention = fum_attention_of(&inner);
    if (!fum_variant_attention(&inner, &attention, list)) return false;
    move_to_scratch(&p, first);
    return add_copies(&p, RESULT);
}
