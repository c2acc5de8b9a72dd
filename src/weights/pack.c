// SPDX-License-Identifier: MIT
#include "weights/pack.h"

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Bytes of a block's columns, which are a cache line, and elements of a run: 9 taps of 32 channels.
// Runs lie a little more than themselves apart, so that the same element of all of them falls into
// different sets of the cache.
enum { LINE = 64, RUN = 288, STRIDE = RUN + 8 };
// Of a convolution's kernel in FUM_PACK_Q8.
enum { MOST_TAPS = 9 };
// Reads so many bytes of a file at a time. Sizes from 256 KiB to 8 MiB are about equally fast.
enum { CHUNK_BYTES = 2 << 20 };

bool fum_pack_check(const struct fum_view *view, enum fum_pack pack, const struct fum_shape *shape,
                    char *why, size_t why_size) {
    int64_t want[4] = {0};
    int rank = 0;
    if (!fum_dtype_size(view->dtype)) {
        snprintf(why, why_size, "is stored in a type that fumarole does not read");
        return false;
    }
    const int64_t *d = shape->dim;
    bool ok = (int64_t)fum_view_count(view) == fum_shape_count(shape);
    if (pack == FUM_PACK_LINEAR) {
        ok = ok && shape->rank == 2 && view->rank >= 2 && view->dim[0] == d[1] &&
             view->dim[1] == d[0];
        want[0] = d[1], want[1] = d[0], rank = 2;
    } else if (pack == FUM_PACK_CONV) {
        // A 1x1 convolution may be stored as a linear layer, [out, in].
        bool linear = view->rank == 2 && d[0] == 1 && d[1] == 1;
        ok = ok && shape->rank == 4 && (view->rank == 4 || linear) && view->dim[0] == d[3] &&
             view->dim[1] == d[2] && (linear || (view->dim[2] == d[0] && view->dim[3] == d[1]));
        want[0] = d[3], want[1] = d[2], want[2] = d[0], want[3] = d[1], rank = 4;
    } else if (pack == FUM_PACK_WINOGRAD) {
        ok = shape->rank == 3 && (d[0] == 36 || d[0] == 16) && view->rank == 4 &&
             view->dim[0] == d[2] && view->dim[1] == d[1] && view->dim[2] == 3 && view->dim[3] == 3;
        want[0] = d[2], want[1] = d[1], want[2] = want[3] = 3, rank = 4;
    } else if (pack == FUM_PACK_Q8) {
        bool conv = shape->rank == 4;
        int64_t taps = conv ? d[0] * d[1] : 1;
        want[0] = d[conv ? 3 : 1], want[1] = d[conv ? 2 : 0] / FUM_Q8_ROWS * FUM_Q8_BLOCK, rank = 2;
        if (conv) want[2] = d[0], want[3] = d[1], rank = 4;
        ok = (conv || shape->rank == 2) && taps <= MOST_TAPS && view->rank >= 2 &&
             view->dim[0] == want[0] && view->dim[1] == want[1] &&
             (int64_t)fum_view_count(view) == want[0] * want[1] * taps &&
             (taps == 1 || (view->rank == 4 && view->dim[2] == d[0] && view->dim[3] == d[1]));
    } else {
        for (rank = 0; rank < shape->rank; rank++) want[rank] = d[rank];
    }
    if (ok) return true;
    size_t used = (size_t)snprintf(why, why_size, "the file has shape [");
    for (int i = 0; i < view->rank && used < why_size; i++)
        used += (size_t)snprintf(why + used, why_size - used, "%s%lld", i ? ", " : "",
                                 (long long)view->dim[i]);
    if (used < why_size)
        used += (size_t)snprintf(why + used, why_size - used, "], the model wants [");
    for (int i = 0; i < rank && used < why_size; i++)
        used += (size_t)snprintf(why + used, why_size - used, "%s%lld", i ? ", " : "",
                                 (long long)want[i]);
    if (used < why_size) snprintf(why + used, why_size - used, "]");
    return false;
}

// `count` elements of a view from element `from` on, as type dst_type; the same type bit for bit.
static void convert_run(void *dst, enum fum_dtype dst_type, const struct fum_view *view,
                        int64_t from, int64_t count) {
    size_t size = fum_dtype_size(view->dtype);
    const uint8_t *src = (const uint8_t *)view->data + (size_t)from * size;
    float f[RUN];
    if (view->dtype == dst_type && !view->scales) {
        memcpy(dst, src, (size_t)count * size);
        return;
    }
    for (int64_t at = 0; at < count; at += RUN) {
        size_t n = (size_t)(count - at < RUN ? count - at : RUN);
        uint8_t *to = (uint8_t *)dst + (size_t)at * fum_dtype_size(dst_type);
        float *values = dst_type == FUM_F32 ? (float *)to : f;
        fum_convert_to_f32(values, src + (size_t)at * size, view->dtype, n);
        fum_view_scale(view, (uint64_t)(from + at), values, n);
        if (dst_type != FUM_F32) fum_convert_from_f32(to, dst_type, f, n);
    }
}

// Packed rows are columns of the file's matrix [columns, length], whose rows are read in runs: a
// cache line of them is converted into a block that stays in the first-level cache and leaves it as
// whole cache lines of packed rows. Element e of a file's row belongs to packed row e % taps *
// channels + e / taps.
struct block {
    int64_t taps, channels;
    int64_t first, count; // packed rows that are wanted
    int64_t row_elements;
};

#define SCATTER(element)                                                                    \
    for (int64_t e = 0; e < n; e++) {                                                       \
        int64_t row = (from + e) % b->taps * b->channels + (from + e) / b->taps - b->first; \
        if (row < 0 || row >= b->count) continue;                                           \
        const element *at = (const element *)block + e;                                     \
        element *to = (element *)dst + row * b->row_elements + o;                           \
        for (int64_t k = 0; k < wide; k++) to[k] = at[k * STRIDE];                          \
    }

static void transpose(const struct fum_view *view, int64_t columns, const struct block *b,
                      void *dst, enum fum_dtype dst_type) {
    uint32_t block[LINE / sizeof(uint32_t) * STRIDE];
    size_t size = fum_dtype_size(dst_type);
    int64_t each = LINE / (int64_t)size, length = b->taps * b->channels,
            run = RUN / b->taps * b->taps;
    if (!run) run = RUN;
    // Of a linear weight packed rows are elements of the file's rows, so a range of them is a range
    // there too.
    int64_t begin = b->taps == 1 ? b->first : 0, end = b->taps == 1 ? b->first + b->count : length;
    for (int64_t from = begin; from < end; from += run) {
        int64_t n = end - from < run ? end - from : run;
        for (int64_t o = 0; o < columns; o += each) {
            int64_t wide = columns - o < each ? columns - o : each;
            for (int64_t k = 0; k < wide; k++)
                convert_run((uint8_t *)block + (size_t)(k * STRIDE) * size, dst_type, view,
                            (o + k) * length + from, n);
            if (size == 4) {
                SCATTER(uint32_t)
            } else {
                SCATTER(uint16_t)
            }
        }
    }
}

// U = G g G^T of Winograd's F(4x4, 3x3), of 36 points, or F(2x2, 3x3), of 16 (Lavin and Gray 2016):
// packed row point * channels + channel holds that point of all outputs. By a cache line of outputs
// and a run of input channels, as above.
struct winograd {
    int64_t points, channels, columns;
    int64_t first, count; // packed rows that are wanted
    int64_t row_elements;
};

enum { OUTPUTS = LINE / sizeof(float) };

static void winograd_point(const struct winograd *w, int64_t p, float (*g)[OUTPUTS], float *u) {
    static const float G4[6][3] = {{1 / 4.f, 0, 0},
                                   {-1 / 6.f, -1 / 6.f, -1 / 6.f},
                                   {-1 / 6.f, 1 / 6.f, -1 / 6.f},
                                   {1 / 24.f, 1 / 12.f, 1 / 6.f},
                                   {1 / 24.f, -1 / 12.f, 1 / 6.f},
                                   {0, 0, 1}};
    static const float G2[4][3] = {{1, 0, 0}, {.5f, .5f, .5f}, {.5f, -.5f, .5f}, {0, 0, 1}};
    int64_t side = w->points == 36 ? 6 : 4;
    const float *row = side == 6 ? G4[p / 6] : G2[p / 4],
                *column = side == 6 ? G4[p % 6] : G2[p % 4];
    memset(u, 0, OUTPUTS * sizeof *u);
    for (int64_t t = 0; t < 9; t++) {
        float factor = row[t / 3] * column[t % 3];
        for (int64_t k = 0; k < OUTPUTS; k++) u[k] += factor * g[t][k];
    }
}

static void winograd(const struct fum_view *view, const struct winograd *w, uint8_t *dst,
                     enum fum_dtype dst_type) {
    float block[OUTPUTS * STRIDE];
    int64_t channels = w->channels;
    size_t size = fum_dtype_size(dst_type);
    if (!channels || !w->count) return;
    int64_t first_point = w->first / channels, last_point = (w->first + w->count - 1) / channels;
    for (int64_t o = 0; o < w->columns; o += OUTPUTS) {
        int64_t wide = w->columns - o < OUTPUTS ? w->columns - o : OUTPUTS;
        for (int64_t from = 0; from < channels; from += RUN / 9) {
            int64_t n = channels - from < RUN / 9 ? channels - from : RUN / 9;
            for (int64_t k = 0; k < wide; k++)
                convert_run(block + k * STRIDE, FUM_F32, view, ((o + k) * channels + from) * 9,
                            n * 9);
            for (int64_t c = 0; c < n; c++) {
                float g[9][OUTPUTS] = {{0}}, u[OUTPUTS];
                for (int64_t k = 0; k < wide; k++)
                    for (int64_t t = 0; t < 9; t++) g[t][k] = block[k * STRIDE + c * 9 + t];
                for (int64_t p = first_point; p <= last_point; p++) {
                    int64_t row = p * channels + from + c - w->first;
                    if (row < 0 || row >= w->count) continue;
                    winograd_point(w, p, g, u);
                    uint8_t *to = dst + (size_t)(row * w->row_elements + o) * size;
                    if (dst_type == FUM_F32)
                        memcpy(to, u, (size_t)wide * size);
                    else
                        fum_convert_from_f32(to, dst_type, u, (size_t)wide);
                }
            }
        }
    }
}

// One block of one output as ggml's quantize_row_q8_0_ref has it; word 8 is the factor. What is not
// finite is not lost: the factor is NaN then.
static void quantise(const float *x, uint32_t *words) {
    float most = 0, d;
    bool finite = true;
    for (int i = 0; i < FUM_Q8_BLOCK; i++) {
        finite = finite && isfinite(x[i]);
        most = fmaxf(most, fabsf(x[i]));
    }
    d = most / 127;
    float inverse = finite && d > 0 ? 1 / d : 0, stored = finite ? fum_round_to(FUM_F16, d) : NAN;
    memset(words, 0, (FUM_Q8_ROWS - 1) * sizeof *words);
    for (int i = 0; i < FUM_Q8_BLOCK && isfinite(inverse) && finite; i++)
        words[i / 4] |= (uint32_t)(uint8_t)(int8_t)roundf(x[i] * inverse) << 8 * (i % 4);
    memcpy(&words[FUM_Q8_ROWS - 1], &stored, sizeof stored);
}

// Rows [first, first + count) of FUM_PACK_Q8, by a cache line of outputs and a block: 32 channels
// in each of the taps, which lie together in the file and `blocks` blocks apart in the packed
// weight.
static void quantise_rows(const struct fum_view *view, int64_t taps, int64_t columns, int64_t first,
                          int64_t count, uint32_t *dst, int64_t row_elements) {
    enum { EACH = LINE / sizeof(uint32_t) };
    int64_t blocks = view->dim[1] / FUM_Q8_BLOCK, from = taps > 1 ? 0 : first / FUM_Q8_ROWS;
    int64_t to = taps > 1 ? blocks : (first + count + FUM_Q8_ROWS - 1) / FUM_Q8_ROWS;
    for (int64_t o = 0; o < columns; o += EACH) {
        int64_t wide = columns - o < EACH ? columns - o : EACH;
        for (int64_t b = from; b < to; b++) {
            float run[EACH][FUM_Q8_BLOCK * MOST_TAPS];
            for (int64_t k = 0; k < wide; k++)
                convert_run(run[k], FUM_F32, view, ((o + k) * blocks + b) * FUM_Q8_BLOCK * taps,
                            FUM_Q8_BLOCK * taps);
            for (int64_t t = 0; t < taps; t++) {
                int64_t top = (t * blocks + b) * FUM_Q8_ROWS - first;
                for (int64_t k = 0; k < wide && top < count && top + FUM_Q8_ROWS > 0; k++) {
                    uint32_t words[FUM_Q8_ROWS];
                    float x[FUM_Q8_BLOCK];
                    for (int64_t i = 0; i < FUM_Q8_BLOCK; i++) x[i] = run[k][i * taps + t];
                    quantise(x, words);
                    for (int64_t r = 0; r < FUM_Q8_ROWS; r++)
                        if (top + r >= 0 && top + r < count)
                            dst[(top + r) * row_elements + o + k] = words[r];
                }
            }
        }
    }
}

// Part of a packed weight: its rows [first, first + count), each with its first `columns` columns.
struct part {
    enum fum_pack pack;
    const struct fum_shape *shape;
    int64_t first, count, columns;
    uint8_t *dst;
    enum fum_dtype type;
    int64_t row_elements;
};

static void pack_part(const struct fum_view *view, const struct part *p) {
    const struct fum_shape *shape = p->shape;
    size_t row_bytes = (size_t)p->row_elements * fum_dtype_size(p->type);
    int64_t taps = shape->rank == 4 ? shape->dim[0] * shape->dim[1] : 1;
    if (p->pack == FUM_PACK_NONE) {
        for (int64_t r = 0; r < p->count; r++)
            convert_run(p->dst + (size_t)r * row_bytes, p->type, view, (p->first + r) * p->columns,
                        p->columns);
    } else if (p->pack == FUM_PACK_WINOGRAD) {
        struct winograd w = {shape->dim[0], shape->dim[1], p->columns,
                             p->first,      p->count,      p->row_elements};
        winograd(view, &w, p->dst, p->type);
    } else if (p->pack == FUM_PACK_Q8) {
        quantise_rows(view, taps, p->columns, p->first, p->count, (uint32_t *)(void *)p->dst,
                      p->row_elements);
    } else {
        if (p->pack == FUM_PACK_LINEAR || !taps) taps = 1;
        struct block b = {taps, fum_shape_rows(shape) / taps, p->first, p->count, p->row_elements};
        transpose(view, p->columns, &b, p->dst, p->type);
    }
}

// Zeroes what follows the columns in each row.
static void pad(const struct part *p, int64_t columns) {
    size_t size = fum_dtype_size(p->type), bytes = (size_t)(p->row_elements - columns) * size;
    for (int64_t r = 0; r < p->count && bytes; r++)
        memset(p->dst + (size_t)(r * p->row_elements + columns) * size, 0, bytes);
}

void fum_pack_rows(const struct fum_view *view, enum fum_pack pack, const struct fum_shape *shape,
                   int64_t first, int64_t count, void *dst, enum fum_dtype dst_type,
                   int64_t row_elements) {
    struct part part = {pack, shape,    first,       count, fum_shape_channels(shape),
                        dst,  dst_type, row_elements};
    pad(&part, part.columns);
    pack_part(view, &part);
}

// Returns the part of the weight that rows [first, first + count) of the file make.
static struct part part_of_file(const struct part *whole, int64_t first, int64_t count) {
    struct part part = *whole;
    size_t size = fum_dtype_size(whole->type);
    if (whole->pack == FUM_PACK_NONE) {
        part.count = count;
        part.dst += (size_t)(first * whole->row_elements) * size;
    } else {
        part.columns = count;
        part.dst += (size_t)first * size;
    }
    return part;
}

enum fum_result fum_pack_tensor(const struct fum_view *view, enum fum_pack pack,
                                const struct fum_shape *shape, const struct fum_pack_target *to,
                                struct fum_error *err) {
    int64_t rows = fum_shape_rows(shape), columns = fum_shape_channels(shape);
    struct part whole = {pack, shape, 0, rows, columns, to->data, to->type, to->row_elements};
    // Rows of the file are rows of the weight, or its columns.
    int64_t count = pack == FUM_PACK_NONE ? rows : columns,
            lines = LINE / (int64_t)fum_dtype_size(to->type);
    uint64_t row_bytes =
        count ? fum_view_count(view) / (uint64_t)count * fum_dtype_size(view->dtype) : 0;
    int64_t each = row_bytes ? (int64_t)(CHUNK_BYTES / row_bytes) / lines * lines : count;
    enum fum_result result = FUM_OK;
    pad(&whole, columns);
    if (view->data || !count) {
        pack_part(view, &whole);
        return FUM_OK;
    }
    if (each < lines) each = lines;
    if (each > count) each = count;
    uint8_t *chunk = fum_alloc((size_t)each, (size_t)row_bytes);
    if (!chunk)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to read %llu bytes of a weight",
                             (unsigned long long)(row_bytes * (uint64_t)each));
    struct fum_view in_memory = *view;
    in_memory.data = chunk;
    uint64_t row_elements_read = row_bytes / fum_dtype_size(view->dtype);
    for (int64_t first = 0; first < count && !result; first += each) {
        int64_t n = count - first < each ? count - first : each;
        result =
            fum_view_read(view, (uint64_t)first * row_bytes, (uint64_t)n * row_bytes, chunk, err);
        in_memory.scale_from = view->scale_from + (uint64_t)first * row_elements_read;
        struct part part = part_of_file(&whole, first, n);
        if (!result) pack_part(&in_memory, &part);
    }
    fum_free(chunk);
    return result;
}
