#include "graph/pack.h"

#include "base/dtype.h"

#include <stdio.h>
#include <string.h>

static int64_t view_count(const struct fum_view *view) {
    int64_t n = 1;
    for (int i = 0; i < view->rank; i++) n *= view->dim[i];
    return n;
}

bool fum_pack_check(const struct fum_view *view, enum fum_pack pack, const struct fum_shape *shape, char *why,
                    size_t why_size) {
    int64_t want[4] = {0};
    int rank = 0;
    const int64_t *d = shape->dim;
    bool ok = view_count(view) == fum_shape_count(shape);
    if (pack == FUM_PACK_LINEAR) {
        ok = ok && shape->rank == 2 && view->rank >= 2 && view->dim[0] == d[1] && view->dim[1] == d[0];
        want[0] = d[1], want[1] = d[0], rank = 2;
    } else if (pack == FUM_PACK_CONV) {
        // A 1x1 convolution may be stored as a linear layer, [out, in].
        bool linear = view->rank == 2 && d[0] == 1 && d[1] == 1;
        ok = ok && shape->rank == 4 && (view->rank == 4 || linear) && view->dim[0] == d[3] && view->dim[1] == d[2] &&
             (linear || (view->dim[2] == d[0] && view->dim[3] == d[1]));
        want[0] = d[3], want[1] = d[2], want[2] = d[0], want[3] = d[1], rank = 4;
    } else {
        for (rank = 0; rank < shape->rank; rank++) want[rank] = d[rank];
    }
    if (ok) return true;
    size_t used = (size_t)snprintf(why, why_size, "the file has shape [");
    for (int i = 0; i < view->rank && used < why_size; i++)
        used += (size_t)snprintf(why + used, why_size - used, "%s%lld", i ? ", " : "", (long long)view->dim[i]);
    if (used < why_size) used += (size_t)snprintf(why + used, why_size - used, "], the model wants [");
    for (int i = 0; i < rank && used < why_size; i++)
        used += (size_t)snprintf(why + used, why_size - used, "%s%lld", i ? ", " : "", (long long)want[i]);
    if (used < why_size) snprintf(why + used, why_size - used, "]");
    return false;
}

// Element `from` of a view as type dst_type at dst[to], the same type copied bit for bit.
static inline void put(void *dst, enum fum_dtype dst_type, int64_t to, const struct fum_view *view, int64_t from) {
    const uint8_t *src = view->data;
    if (view->dtype == dst_type) {
        size_t size = dst_type == FUM_F32 ? 4 : 2;
        memcpy((uint8_t *)dst + (size_t)to * size, src + (size_t)from * size, size);
        return;
    }
    float f;
    fum_convert_to_f32(&f, src + (size_t)from * fum_dtype_size(view->dtype), view->dtype, 1);
    if (dst_type == FUM_F32) ((float *)dst)[to] = f;
    else ((uint16_t *)dst)[to] = dst_type == FUM_F16 ? fum_f32_to_f16(f) : fum_f32_to_bf16(f);
}

// Columns written together: a cache line of f32. Rows of real models are multiples of 1,280 bytes apart, so that columns
// written one by one down a tile would fight for a few sets of the cache.
enum { TILE_COLUMNS = 16 };

#define TRANSPOSE(src_type, dst_element, convert)                                                                      \
    for (int64_t o = 0; o < columns; o += TILE_COLUMNS) {                                                              \
        const uint8_t *from = (const uint8_t *)view->data + (size_t)(o * length) * sizeof(src_type);                   \
        int64_t n = columns - o < TILE_COLUMNS ? columns - o : TILE_COLUMNS;                                           \
        for (int64_t r = 0; r < count; r++) {                                                                          \
            const uint8_t *at = from + (size_t)inner[r] * sizeof(src_type);                                            \
            dst_element *to = (dst_element *)dst + r * row_elements + o;                                               \
            for (int64_t k = 0; k < n; k++) {                                                                          \
                src_type v;                                                                                            \
                memcpy(&v, at + (size_t)(k * length) * sizeof v, sizeof v);                                            \
                to[k] = convert(v);                                                                                    \
            }                                                                                                          \
        }                                                                                                              \
    }
#define SAME(v) (v)

// Packed rows are columns of the file's matrix [out, length]: row r takes the column inner[r]. The common pairs of types
// have loops of their own.
static void transpose(const struct fum_view *view, int64_t columns, int64_t length, const int64_t *inner,
                      int64_t count, void *dst, enum fum_dtype dst_type, int64_t row_elements) {
    if (view->dtype == dst_type && dst_type == FUM_F32) {
        TRANSPOSE(uint32_t, uint32_t, SAME)
    } else if (view->dtype == dst_type) {
        TRANSPOSE(uint16_t, uint16_t, SAME)
    } else if (view->dtype == FUM_F16 && dst_type == FUM_F32) {
        TRANSPOSE(uint16_t, float, fum_f16_to_f32)
    } else if (view->dtype == FUM_F32 && dst_type == FUM_F16) {
        TRANSPOSE(float, uint16_t, fum_f32_to_f16)
    } else {
        for (int64_t o = 0; o < columns; o++)
            for (int64_t r = 0; r < count; r++)
                put(dst, dst_type, r * row_elements + o, view, o * length + inner[r]);
    }
}

enum { TILE_ROWS = 128 };

void fum_pack_rows(const struct fum_view *view, enum fum_pack pack, const struct fum_shape *shape, int64_t first,
                   int64_t count, void *dst, enum fum_dtype dst_type, int64_t row_elements) {
    size_t size = fum_dtype_size(dst_type);
    int64_t columns = fum_shape_channels(shape);
    for (int64_t r = 0; r < count && row_elements > columns; r++)
        memset((uint8_t *)dst + (size_t)(r * row_elements + columns) * size, 0, (size_t)(row_elements - columns) * size);
    if (pack == FUM_PACK_NONE) {
        for (int64_t r = 0; r < count; r++) {
            if (view->dtype == dst_type)
                memcpy((uint8_t *)dst + (size_t)(r * row_elements) * size,
                       (const uint8_t *)view->data + (size_t)((first + r) * columns) * size, (size_t)columns * size);
            else
                for (int64_t c = 0; c < columns; c++)
                    put(dst, dst_type, r * row_elements + c, view, (first + r) * columns + c);
        }
        return;
    }
    // Tiles of rows, so that the part of dst being written stays in the cache while the file's rows stream by.
    int64_t inner[TILE_ROWS], length = fum_shape_rows(shape);
    int64_t taps = pack == FUM_PACK_CONV ? shape->dim[0] * shape->dim[1] : 1, channels = length / (taps ? taps : 1);
    for (int64_t tile = 0; tile < count; tile += TILE_ROWS) {
        int64_t rows = count - tile < TILE_ROWS ? count - tile : TILE_ROWS;
        for (int64_t r = 0; r < rows; r++) {
            int64_t row = first + tile + r; // = tap * channels + channel
            inner[r] = row % channels * taps + row / channels;
        }
        transpose(view, columns, length, inner, rows, (uint8_t *)dst + (size_t)(tile * row_elements) * size, dst_type,
                  row_elements);
    }
}
