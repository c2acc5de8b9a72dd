// Attention whose heads are not whole quads. Every kernel of attention reads and writes heads by quads, and what pads a
// tensor's rows is undefined. So the heads of q, k and v are copied into scratch first, each a row of its own that zeros
// pad, and the result's heads are copied back. Zeros add nothing to a score. The copies cost little beside the attention,
// only such heads pay them, and each variant serves every size with the kernels it has.
#include "ops/attention.h"
#include "ops/emit.h"

#include <string.h>

// Where scratch holds q, k, v and the result, as [batch, tokens, heads · padded channels].
struct padding {
    int64_t heads, channels, padded; // channels of one head
    struct fum_desc desc[4];
    uint64_t at[4], bytes; // offsets in scratch, and where the last one ends
};

enum { RESULT = 3 };

static uint64_t aligned(const struct fum_device_info *info, uint64_t bytes) {
    uint64_t align = info->binding_align < 16 ? 16 : info->binding_align;
    return (bytes + align - 1) / align * align;
}

static struct padding padding_of(const struct fum_op_call *call, const struct fum_device_info *info) {
    struct fum_attention a = fum_attention_of(call);
    struct padding p = {.heads = a.heads, .channels = a.channels, .padded = (a.channels + 3) / 4 * 4};
    for (int i = 0; i < 4; i++) {
        p.desc[i] = i == RESULT ? call->out : call->in[i];
        p.desc[i].shape.dim[2] = p.heads * p.padded;
        p.at[i] = p.bytes;
        p.bytes = aligned(info, p.bytes + fum_desc_bytes(&p.desc[i]));
    }
    return p;
}

// Copies rows between a tensor and its padded form, as many at once as fit a binding: into scratch, or for the result back.
static bool add_copies(const struct fum_op_call *call, const struct padding *p, int i, struct fum_dispatches *list,
                       char *why, size_t why_size) {
    const struct fum_desc *dense = i == RESULT ? &call->out : &call->in[i], *padded = &p->desc[i];
    const struct fum_desc *to = i == RESULT ? dense : padded;
    int64_t rows = fum_shape_rows(&dense->shape);
    int64_t most = fum_min_i64(fum_rows_per_binding(list->info, dense), fum_rows_per_binding(list->info, padded));
    most = fum_min_i64(most, rows);
    if (rows && most < 1) return fum_refuse(why, why_size, "one token is larger than the device's binding");
    for (int64_t first = 0; first < rows; first += most) {
        int64_t count = fum_min_i64(most, rows - first);
        uint64_t quads = (uint64_t)(count * fum_shape_row_quads(&to->shape));
        struct fum_dispatch *d = fum_emit(list, "repack", fum_raw_variant(to->dtype), quads, why, why_size);
        if (!d) return false;
        uint32_t skip[2];
        int in = i == RESULT ? 1 : 0; // binding of the dense tensor: 0 is read, 1 is written
        fum_bind_rows(list, d, in, i == RESULT ? FUM_OUT : i, in == 1, dense, first, count, &skip[in]);
        fum_bind_rows(list, d, 1 - in, FUM_SCRATCH, in == 0, padded, first, count, &skip[1 - in]);
        d->bind[1 - in].offset += p->at[i];
        d->num_bind = 2;
        int64_t dense_row = p->heads * p->channels;
        fum_emit_push(d, (uint32_t)quads);
        fum_emit_push(d, (uint32_t)(i == RESULT ? p->channels : dense_row));
        fum_emit_push(d, (uint32_t)(i == RESULT ? dense_row : p->channels));
        fum_emit_push(d, skip[0]);
        fum_emit_push(d, skip[1]);
    }
    return true;
}

// The same attention of the padded tensors; attr is the caller's memory.
static struct fum_op_call padded_call(const struct fum_op_call *call, const struct padding *p, double attr[3]) {
    struct fum_op_call inner = *call;
    memcpy(attr, call->attr, 3 * sizeof *attr);
    attr[FUM_ATTENTION_SCALE] = fum_attention_of(call).scale; // of the channels without padding
    inner.attr = attr;
    for (int i = 0; i < RESULT; i++) inner.in[i] = p->desc[i];
    inner.out = p->desc[RESULT];
    return inner;
}

// Makes the dispatches from `first` on use the padded tensors in scratch, and moves their own scratch behind these.
static void move_to_scratch(struct fum_dispatches *list, int first, const struct padding *p) {
    for (int k = first; k < list->count; k++)
        for (int i = 0; i < list->item[k].num_bind; i++) {
            struct fum_dispatch_bind *b = &list->item[k].bind[i];
            int tensor = b->operand == FUM_OUT ? RESULT : b->operand;
            bool own = b->operand == FUM_SCRATCH;
            if (!b->bytes) b->bytes = own ? list->scratch_bytes : fum_desc_bytes(&p->desc[tensor]);
            b->offset += own ? p->bytes : p->at[tensor];
            b->operand = FUM_SCRATCH;
        }
    list->scratch_bytes += p->bytes;
}

bool fum_attention_dispatch_padded(const struct fum_op_call *call, struct fum_dispatches *list, char *why,
                                   size_t why_size) {
    struct padding p = padding_of(call, list->info);
    double attr[3];
    struct fum_op_call inner = padded_call(call, &p, attr);
    for (int i = 0; i < RESULT; i++)
        if (!add_copies(call, &p, i, list, why, why_size)) return false;
    int first = list->count;
    if (!fum_attention_dispatch_whole(&inner, list, why, why_size)) return false;
    move_to_scratch(list, first, &p);
    return add_copies(call, &p, RESULT, list, why, why_size);
}
