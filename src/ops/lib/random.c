// SPDX-License-Identifier: MIT
#include "ops/lib/random.h"

#include "ops/lib/emit.h"
#include "shaders/random.pc.h"

#include <math.h>

bool fum_random_check_key(const struct fum_desc *key, struct fum_why *why) {
    if (key->dtype == FUM_I32 && fum_shape_count(&key->shape) == 4 && key->shape.rank == 1)
        return true;
    return fum_refuse(why, "the key must be i32 [4]: seed low, seed high, offset, 0");
}

bool fum_random_infer_shape(struct fum_op_call *call, struct fum_why *why) {
    const struct fum_attr_range offsets = {"offset", 0, INT32_MAX};
    int64_t offset;
    if (!fum_shape_from_attrs(call->attr, &call->out.shape, why) ||
        !fum_attr_int(call->attr[FUM_RANDOM_OFFSET], offsets, &offset, why))
        return false;
    if (fum_shape_count(&call->out.shape) > UINT32_MAX)
        return fum_refuse(why, "more elements than the generator's 32-bit counter");
    return fum_random_check_key(&call->in[0], why);
}

bool fum_random_infer(struct fum_op_call *call, struct fum_why *why) {
    return fum_attr_storage(call->attr[FUM_RANDOM_DTYPE], &call->out.dtype, why) &&
           fum_random_infer_shape(call, why);
}

static void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53u * c[0], p1 = (uint64_t)0xcd9e8d57u * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        for (int i = 0; i < 4; i++) c[i] = next[i];
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
}

static double draw(enum fum_random kind, const uint32_t words[4], uint32_t limit) {
    if (kind == FUM_RANDOM_INTEGER) return (double)((uint64_t)words[0] * limit >> 32);
    float u = (float)words[0] * 0x1p-32f + 0x1p-33f,
          v = (float)words[1] * 0x1.921fb6p-30f + 0x1.921fb6p-31f;
    return kind == FUM_RANDOM_NORMAL ? (float)(sqrt(-2 * log(u)) * sin(v)) : u;
}

void fum_random_reference(const struct fum_op_call *call, enum fum_random kind,
                          const double *const *in, double *out) {
    uint32_t key[3], limit = 0; // exact below 2^24, as all integers of a reference are
    for (int i = 0; i < 3; i++) key[i] = (uint32_t)(int32_t)in[0][i];
    if (kind == FUM_RANDOM_INTEGER) limit = (uint32_t)call->attr[FUM_RANDOM_LIMIT];
    for (int64_t i = 0; i < fum_shape_count(&call->out.shape); i++) {
        uint32_t c[4] = {key[2] + (uint32_t)call->attr[FUM_RANDOM_OFFSET], 0, (uint32_t)i, 0};
        philox(c, key[0], key[1]);
        out[i] = draw(kind, c, limit);
    }
}

bool fum_random_dispatch(const struct fum_op_call *call, enum fum_random kind,
                         struct fum_dispatches *list) {
    enum fum_dtype dtype = call->out.dtype;
    bool integer = kind == FUM_RANDOM_INTEGER;
    struct fum_span span = {0};
    while (fum_span_next(&span, fum_desc_quads(&call->out),
                         fum_quads_per_binding(list->info, dtype))) {
        struct fum_dispatch *d = fum_emit_quads(list, integer ? "random_integer" : "random",
                                                integer ? FUM_F32 : dtype, span.count);
        if (!d) return false;
        if (!integer) fum_emit_spec(d, kind == FUM_RANDOM_NORMAL);
        fum_emit_operand(d, 0);
        fum_emit_span(d, FUM_OUT, dtype, &span);
        const struct fum_random_push push = {
            .quads = (uint32_t)span.count,
            .channels = (uint32_t)fum_shape_channels(&call->out.shape),
            .first = (uint32_t)span.first,
            .offset = (uint32_t)call->attr[FUM_RANDOM_OFFSET],
            .limit = integer ? (uint32_t)call->attr[FUM_RANDOM_LIMIT] : 0};
        FUM_EMIT_PUSH(d, push);
    }
    return true;
}
