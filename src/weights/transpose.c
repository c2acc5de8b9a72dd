// SPDX-License-Identifier: MIT
#include "weights/transpose.h"

#include "base/dtype.h"
#include "base/macros.h"

#include <string.h>

enum { LINE = FUM_PACK_LINE, RUN = FUM_PACK_RUN, STRIDE = FUM_PACK_STRIDE };

void fum_pack_convert(void *dst, enum fum_dtype dst_type, const struct fum_view *view, int64_t from,
                      int64_t count) {
    size_t size = fum_dtype_size(view->dtype);
    const uint8_t *src = (const uint8_t *)view->data + (size_t)from * size;
    float f[RUN];
    if (view->dtype == dst_type && !view->scales) {
        memcpy(dst, src, (size_t)count * size);
        return;
    }
    for (int64_t at = 0; at < count; at += RUN) {
        size_t n = (size_t)FUM_MIN(count - at, RUN);
        uint8_t *to = (uint8_t *)dst + (size_t)at * fum_dtype_size(dst_type);
        float *values = dst_type == FUM_F32 ? (float *)to : f;
        fum_convert_to_f32(values, src + (size_t)at * size, view->dtype, n);
        fum_view_scale(view, (uint64_t)(from + at), values, n);
        if (dst_type != FUM_F32) fum_convert_from_f32(to, dst_type, f, n);
    }
}

// Rows of the file are read in runs. A cache line of them is converted into a block that stays in
// the first-level cache. It leaves the block as whole cache lines of packed rows.
struct block {
    int64_t taps, channels;
    int64_t from, length; // elements of the file's rows
    int64_t column, wide; // packed columns
};

#define SCATTER(element)                                                            \
    for (int64_t e = b->from; e < b->from + b->length; e++) {                       \
        int64_t row = e % b->taps * b->channels + e / b->taps - to->first;          \
        if (row < 0 || row >= to->count) continue;                                  \
        const element *at = (const element *)values + (e - b->from);                \
        element *packed = (element *)to->data + row * to->row_elements + b->column; \
        for (int64_t k = 0; k < b->wide; k++) packed[k] = at[k * STRIDE];           \
    }

static void transpose_block(const struct fum_pack_job *job, const struct block *b) {
    uint32_t values[LINE / sizeof(uint32_t) * STRIDE];
    const struct fum_pack_target *to = &job->to;
    size_t size = fum_dtype_size(to->type);
    for (int64_t k = 0; k < b->wide; k++)
        fum_pack_convert((uint8_t *)values + (size_t)(k * STRIDE) * size, to->type, job->view,
                         (b->column + k) * b->taps * b->channels + b->from, b->length);
    if (size == 4) {
        SCATTER(uint32_t)
    } else {
        SCATTER(uint16_t)
    }
}

void fum_pack_transpose(const struct fum_pack_job *job) {
    int64_t taps = FUM_MAX(fum_packing_taps(job->shape), 1);
    struct block b = {.taps = taps, .channels = fum_shape_rows(job->shape) / taps};
    int64_t each = LINE / (int64_t)fum_dtype_size(job->to.type);
    int64_t run = taps > RUN ? RUN : RUN / taps * taps;
    // Packed rows of one tap are elements of the file's rows, so a range of them is a range there
    // too.
    int64_t begin = taps == 1 ? job->to.first : 0,
            end = taps == 1 ? job->to.first + job->to.count : taps * b.channels;
    for (b.from = begin; b.from < end; b.from += run) {
        b.length = FUM_MIN(end - b.from, run);
        for (b.column = 0; b.column < job->columns; b.column += each) {
            b.wide = FUM_MIN(job->columns - b.column, each);
            transpose_block(job, &b);
        }
    }
}
