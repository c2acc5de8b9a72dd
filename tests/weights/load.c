// SPDX-License-Identifier: MIT
// Loading weights in each of its ways: written in place by several threads, through the staging
// ring and a kernel, and through the ring by the host. All give the same bytes, of every type, for
// every value there is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/file.h"
#include "gpu/backend.h"
#include "weights/pack.h"
#include "graph/graph.h"
#include "weights/store.h"

static const struct {
    const char *name;
    struct fum_shape shape;
    enum fum_pack pack;
} tensors[] = {
    {"bias", {1, {37}}, FUM_PACK_NONE},
    {"table", {2, {999, 70}}, FUM_PACK_NONE},
    {"linear", {2, {1280, 320}}, FUM_PACK_LINEAR},
    {"odd", {2, {65, 33}}, FUM_PACK_LINEAR},
    {"conv", {4, {3, 3, 40, 75}}, FUM_PACK_CONV},
    {"patch", {4, {2, 4, 3, 17}}, FUM_PACK_CONV},
    {"large", {4, {3, 3, 640, 512}}, FUM_PACK_CONV}, // over what is uploaded at once
};
enum { COUNT = sizeof tensors / sizeof *tensors };

struct file {
    enum fum_dtype type;
    uint8_t *data; // of any bytes: every value occurs, NaN and subnormal ones too
};

static bool find(void *user, const char *name, struct fum_view *view) {
    const struct file *file = user;
    for (int i = 0; i < COUNT; i++) {
        const int64_t *d = tensors[i].shape.dim;
        if (strcmp(tensors[i].name, name)) continue;
        *view = (struct fum_view){
            .dtype = file->type, .rank = tensors[i].shape.rank, .data = file->data + 2 * i};
        for (int k = 0; k < view->rank; k++) view->dim[k] = d[k];
        if (tensors[i].pack == FUM_PACK_LINEAR) view->dim[0] = d[1], view->dim[1] = d[0];
        if (tensors[i].pack == FUM_PACK_CONV)
            view->dim[0] = d[3], view->dim[1] = d[2], view->dim[2] = d[0], view->dim[3] = d[1];
        return true;
    }
    return false;
}

static bool progress(void *user, uint64_t done, uint64_t total) {
    uint64_t *last = user;
    assert_true(done <= total);
    assert_true(done >= last[0]);
    last[0] = done;
    last[1] = total;
    return true;
}

// A NaN may keep other bits of itself on another way.
static bool same(const uint8_t *a, const uint8_t *b, enum fum_dtype type, size_t count) {
    size_t size = fum_dtype_size(type);
    for (size_t i = 0; i < count; i++) {
        float f[2];
        if (!memcmp(a + i * size, b + i * size, size)) continue;
        fum_convert_to_f32(&f[0], a + i * size, type, 1);
        fum_convert_to_f32(&f[1], b + i * size, type, 1);
        if (f[0] == f[0] || f[1] == f[1]) return false;
    }
    return true;
}

static void load(fum_device *device, struct file *file, enum fum_dtype storage, const char *way) {
    struct fum_error err = {0};
    fum_weights *weights = NULL;
    struct fum_weight list[COUNT];
    uint64_t last[2] = {0};
    for (int i = 0; i < COUNT; i++)
        list[i] = (struct fum_weight){
            .name = tensors[i].name, .desc = {tensors[i].shape, storage}, .pack = tensors[i].pack};
    struct fum_weights_params params = {.device = device,
                                        .source = {.find = find, .user = file},
                                        .label = "test",
                                        .on_progress = progress,
                                        .user = last};
    if (fum_weights_create(&weights, &params, &err) || fum_weights_load(weights, list, COUNT, &err))
        fail_msg("%s", err.text);
    assert_true(last[0] == last[1] && last[0] > 0);
    for (int i = 0; i < COUNT; i++) {
        struct fum_view view;
        struct fum_binding at = fum_weights_find(weights, &list[i]);
        const struct fum_shape *s = &tensors[i].shape;
        int64_t rows = fum_shape_rows(s), row = fum_shape_row_quads(s) * 4;
        uint8_t *want = calloc(1, at.bytes), *got = calloc(1, at.bytes);
        find(file, tensors[i].name, &view);
        fum_pack_rows(&view, tensors[i].pack, s, 0, rows, want, storage, row);
        if (fum_buffer_read(at.buffer, at.offset, got, at.bytes, &err)) fail_msg("%s", err.text);
        if (!same(got, want, storage, (size_t)(rows * row)))
            fail_msg("%s: %s from %s to %s differs from what the host packs", way, tensors[i].name,
                     fum_dtype_name(file->type), fum_dtype_name(storage));
        free(want);
        free(got);
    }
    fum_weights_destroy(&weights);
}

static void test_ways(void **state) {
    (void)state;
    static const unsigned ways[] = {0, FUM_WITHOUT_UNIFIED,
                                    FUM_WITHOUT_UNIFIED | FUM_WITHOUT_TIMELINE};
    static const char *const names[] = {"in place", "by the kernel", "by the kernel, with fences"};
    static const enum fum_dtype types[] = {FUM_F32, FUM_F16, FUM_BF16};
    size_t bytes = 4 * 3 * 3 * 640 * 512 + 64;
    struct file file = {.data = malloc(bytes)};
    uint32_t random = 7;
    for (size_t i = 0; i < bytes; i++)
        file.data[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
    for (int way = 0; way < 3; way++) {
        struct fum_error err = {0};
        fum_device *device = NULL;
        if (fum_device_create_without(&device, &(struct fum_device_params){.validate = true},
                                      ways[way], &err)) {
            fprintf(stderr, "%s\n", err.text);
            exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
        }
        for (int from = 0; from < 3; from++)
            for (int to = 0; to < 3; to++) {
                file.type = types[from];
                load(device, &file, types[to], names[way]);
            }
        assert_int_equal(fum_device_memory_used(device), 0);
        assert_int_equal(fum_device_validation_messages(device), 0);
        fum_device_destroy(&device);
    }
    free(file.data);
}

// The host's block-wise packing against the definition, element by element, and by ranges of rows.
static void test_pack(void **state) {
    (void)state;
    for (int i = 0; i < COUNT - 1; i++) {
        const struct fum_shape *s = &tensors[i].shape;
        int64_t rows = fum_shape_rows(s), columns = fum_shape_channels(s),
                row = fum_shape_row_quads(s) * 4;
        int64_t taps = tensors[i].pack == FUM_PACK_CONV ? s->dim[0] * s->dim[1] : 1,
                channels = rows / taps;
        float *data = malloc((size_t)(rows * columns) * sizeof *data);
        for (int64_t k = 0; k < rows * columns; k++) data[k] = (float)k;
        struct file file = {FUM_F32, (uint8_t *)data - 2 * i};
        struct fum_view view;
        find(&file, tensors[i].name, &view);
        float *got = malloc((size_t)(rows * row) * sizeof *got);
        for (int64_t first = 0, n; first < rows; first += n) {
            n = rows - first < rows / 3 + 1 ? rows - first : rows / 3 + 1;
            fum_pack_rows(&view, tensors[i].pack, s, first, n, got + first * row, FUM_F32, row);
        }
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < row; c++) {
                int64_t from = tensors[i].pack == FUM_PACK_NONE
                                   ? r * columns + c
                                   : c * rows + r % channels * taps + r / channels;
                float want = c < columns ? (float)from : 0;
                if (got[r * row + c] != want)
                    fail_msg("%s: element %d, %d", tensors[i].name, (int)r, (int)c);
            }
        free(data);
        free(got);
    }
}

// Packs the view, which is of memory or of a file, and compares it with `want`.
static void check_scaled(const struct fum_view *view, int index, const float *want,
                         const char *way) {
    struct fum_error err = {0};
    const struct fum_shape *s = &tensors[index].shape;
    int64_t rows = fum_shape_rows(s), row = fum_shape_row_quads(s) * 4;
    float *got = calloc((size_t)(rows * row), sizeof *got);
    struct fum_pack_target to = {got, FUM_F32, row};
    if (fum_pack_tensor(view, tensors[index].pack, s, &to, &err)) fail_msg("%s", err.text);
    if (memcmp(got, want, (size_t)(rows * row) * sizeof *got))
        fail_msg("%s, %s", tensors[index].name, way);
    free(got);
}

// Weights with a factor for each row of the file, or one: as if the values had been multiplied in
// the file.
static void test_scales(void **state) {
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/scaled.bin",
             getenv("FUMAROLE_CACHE") ? getenv("FUMAROLE_CACHE") : ".");
    for (int i = 0; i < 2 * COUNT; i++) {
        int index = i / 2;
        bool each = i % 2;
        const struct fum_shape *s = &tensors[index].shape;
        int64_t rows = fum_shape_rows(s), count = fum_shape_count(s),
                row = fum_shape_row_quads(s) * 4;
        float *data = malloc((size_t)count * sizeof *data),
              *scaled = malloc((size_t)count * sizeof *scaled);
        float *want = calloc((size_t)(rows * row), sizeof *want),
              *factors = malloc((size_t)count * sizeof *factors);
        struct file file = {FUM_F32, (uint8_t *)data - 2 * index};
        struct fum_view view, plain;
        find(&file, tensors[index].name, &view);
        int64_t length = count / view.dim[0];
        for (int64_t k = 0; k < count; k++) {
            factors[k] = (float)(1 + k % 5);
            data[k] = (float)(k % 1021);
            scaled[k] = data[k] * (each ? (float)(1 + k / length % 5) : 1);
        }
        plain = view;
        plain.data = scaled;
        fum_pack_rows(&plain, tensors[index].pack, s, 0, rows, want, FUM_F32, row);
        view.scales = factors;
        view.scale_each = each ? (uint64_t)length : 0;
        check_scaled(&view, index, want, "in memory");
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(data, sizeof *data, (size_t)count, out), count);
        assert_int_equal(fclose(out), 0);
        struct fum_file *bytes = NULL;
        assert_int_equal(fum_file_open(&bytes, path, NULL), FUM_OK);
        view.data = NULL;
        view.file = bytes;
        check_scaled(&view, index, want, "from a file");
        fum_file_close(&bytes);
        remove(path);
        free(data), free(scaled), free(want), free(factors);
    }
}

// FUM_PACK_Q8 by its definition, by ranges of rows: factors and integers, of zeros and of what is
// not finite too.
static void test_q8(void **state) {
    (void)state;
    enum { K = 96, N = 37, ROWS = K / 32 * 9, ROW = 40 };
    const struct fum_shape shape = {2, {ROWS, N}};
    static float data[N * K];
    static uint32_t got[ROWS * ROW];
    char why[128];
    uint32_t random = 7;
    for (int i = 0; i < N * K; i++) {
        random = random * 1664525u + 1013904223u;
        data[i] = ((float)(random >> 8) * 0x1p-24f - 0.5f) * (i / K % 5 == 4 ? 0 : 3);
    }
    data[3 * K + 40] = INFINITY, data[5 * K + 7] = NAN;
    struct fum_view view = {.dtype = FUM_F32, .rank = 2, .dim = {N, K}, .data = data};
    assert_true(fum_pack_check(&view, FUM_PACK_Q8, &shape, why, sizeof why));
    for (int first = 0; first < ROWS; first += 7)
        fum_pack_rows(&view, FUM_PACK_Q8, &shape, first, ROWS - first < 7 ? ROWS - first : 7,
                      got + first * ROW, FUM_F32, ROW);
    for (int n = 0; n < N; n++)
        for (int b = 0; b < K / 32; b++) {
            const float *x = data + n * K + 32 * b;
            float most = 0, factor;
            bool finite = true;
            for (int k = 0; k < 32; k++)
                finite = finite && isfinite(x[k]), most = fmaxf(most, fabsf(x[k]));
            memcpy(&factor, &got[(9 * b + 8) * ROW + n], sizeof factor);
            if (!finite) {
                assert_true(isnan(factor));
                continue;
            }
            assert_true(factor == fum_round_to(FUM_F16, most / 127));
            for (int k = 0; k < 32; k++) {
                int q = (int8_t)(got[(9 * b + k / 4) * ROW + n] >> 8 * (k % 4) & 0xff);
                if (q != (most > 0 ? (int)roundf(x[k] * (1 / (most / 127))) : 0))
                    fail_msg("%d, %d: %d", n, 32 * b + k, q);
            }
        }
    view.dim[1] = 64;
    assert_false(fum_pack_check(&view, FUM_PACK_Q8, &shape, why, sizeof why));
    assert_string_equal(why, "the file has shape [37, 64], the model wants [37, 96]");
}

// Of a convolution: each tap is packed as a linear weight of that tap alone would be, whatever
// ranges of rows are asked for.
static void test_q8_conv(void **state) {
    (void)state;
    enum { K = 64, N = 19, TAPS = 6, ROWS = K / 32 * 9, ROW = 20 };
    const struct fum_shape shape = {4, {3, 2, ROWS, N}}, linear = {2, {ROWS, N}};
    static float data[N * K * TAPS], tap[N * K];
    static uint32_t got[TAPS * ROWS * ROW], want[ROWS * ROW];
    char why[128];
    for (int i = 0; i < N * K * TAPS; i++) data[i] = (float)(i * 7919 % 4093) / 4093 - 0.5f;
    struct fum_view view = {.dtype = FUM_F32, .rank = 4, .dim = {N, K, 3, 2}, .data = data};
    assert_true(fum_pack_check(&view, FUM_PACK_Q8, &shape, why, sizeof why));
    for (int first = 0; first < TAPS * ROWS; first += 25) {
        int count = TAPS * ROWS - first < 25 ? TAPS * ROWS - first : 25;
        fum_pack_rows(&view, FUM_PACK_Q8, &shape, first, count, got + first * ROW, FUM_F32, ROW);
    }
    for (int t = 0; t < TAPS; t++) {
        const struct fum_view of_tap = {.dtype = FUM_F32, .rank = 2, .dim = {N, K}, .data = tap};
        for (int i = 0; i < N * K; i++) tap[i] = data[i * TAPS + t];
        fum_pack_rows(&of_tap, FUM_PACK_Q8, &linear, 0, ROWS, want, FUM_F32, ROW);
        assert_memory_equal(got + t * ROWS * ROW, want, sizeof want);
    }
    view.dim[2] = 2, view.dim[3] = 3;
    assert_false(fum_pack_check(&view, FUM_PACK_Q8, &shape, why, sizeof why));
    assert_string_equal(why, "the file has shape [19, 64, 2, 3], the model wants [19, 64, 3, 2]");
}

// FUM_PACK_WINOGRAD, by ranges of rows that begin and end within a point: conv2d_winograd's plain C
// with it computes what conv2d's does with the same weight as it is, as exactly as tiles and
// weights allow: off is the largest relative RMS error, and rounding to f16 must be seen in it.
static void winograd(int points, enum fum_dtype type, double least_off, double most_off) {
    enum { HEIGHT = 6, WIDTH = 9, IN = 37, OUT = 21, MOST_ROWS = 36 * IN, ROW = 24 };
    static float data[OUT * IN * 9], taps[9 * IN * OUT], packed[MOST_ROWS * ROW],
        dense[MOST_ROWS * OUT], x[HEIGHT * WIDTH * IN];
    static float row[ROW];
    static double want[HEIGHT * WIDTH * OUT], got[HEIGHT * WIDTH * OUT];
    static double wide_x[HEIGHT * WIDTH * IN], wide_w[MOST_ROWS * OUT];
    const struct fum_shape shape = {3, {points, IN, OUT}}, as_it_is = {4, {3, 3, IN, OUT}};
    const int rows = points * IN;
    const size_t row_bytes = ROW * fum_dtype_size(type);
    char why[128];
    uint32_t random = 7;
    for (int i = 0; i < OUT * IN * 9; i++)
        data[i] = (float)((random = random * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
    for (int i = 0; i < HEIGHT * WIDTH * IN; i++)
        x[i] = (float)((random = random * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
    struct fum_view view = {.dtype = FUM_F32, .rank = 4, .dim = {OUT, IN, 3, 3}, .data = data};
    assert_true(fum_pack_check(&view, FUM_PACK_WINOGRAD, &shape, why, sizeof why));
    for (int first = 0; first < rows; first += 50)
        fum_pack_rows(&view, FUM_PACK_WINOGRAD, &shape, first,
                      rows - first < 50 ? rows - first : 50,
                      (uint8_t *)packed + (size_t)first * row_bytes, type, ROW);
    fum_pack_rows(&view, FUM_PACK_CONV, &as_it_is, 0, 9 * IN, taps, FUM_F32, OUT);
    for (int r = 0; r < rows; r++) {
        fum_convert_to_f32(row, (const uint8_t *)packed + (size_t)r * row_bytes, type, ROW);
        memcpy(dense + r * OUT, row, OUT * sizeof *dense);
        for (int c = OUT; c < ROW; c++) assert_true(row[c] == 0);
    }
    const char *const names[] = {"conv2d", "conv2d_winograd"};
    for (int i = 0; i < 2; i++) {
        const struct fum_op *op = fum_op_find(names[i]);
        double attr[FUM_MAX_ATTRS] = {0};
        attr[fum_op_attr_index(op, "stride")] = attr[fum_op_attr_index(op, "pad")] = 1;
        struct fum_op_call call = {.attr = attr,
                                   .num_inputs = 2,
                                   .has = {true, true},
                                   .in = {{{4, {1, HEIGHT, WIDTH, IN}}, FUM_F32},
                                          {i ? shape : as_it_is, i ? type : FUM_F32}}};
        assert_true(op->infer(&call, NULL));
        fum_widen_f32(wide_x, x, HEIGHT * WIDTH * IN);
        fum_widen_f32(wide_w, i ? dense : taps, (size_t)fum_shape_count(&call.in[1].shape));
        op->reference(&call, (const double *[FUM_MAX_INPUTS]){wide_x, wide_w}, i ? got : want);
    }
    double off = 0, norm = 0;
    for (int i = 0; i < HEIGHT * WIDTH * OUT; i++) {
        off += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    off = sqrt(off / norm);
    print_message("%d points, %s: %.2e off\n", points, fum_dtype_name(type), off);
    assert_true(norm > 1 && off >= least_off && off < most_off);
    view.dim[3] = 1;
    assert_false(fum_pack_check(&view, FUM_PACK_WINOGRAD, &shape, why, sizeof why));
}

static void test_winograd(void **state) {
    (void)state;
    winograd(36, FUM_F32, 0, 1e-6);
    winograd(16, FUM_F32, 0, 1e-6);
    winograd(36, FUM_F16, 1e-3, 3e-3);
    winograd(16, FUM_F16, 1e-4, 5e-4);
    const struct fum_shape shape = {3, {25, 1, 1}}; // F(3x3, 3x3) is none of ours
    struct fum_view view = {.dtype = FUM_F32, .rank = 4, .dim = {1, 1, 3, 3}};
    char why[128];
    assert_false(fum_pack_check(&view, FUM_PACK_WINOGRAD, &shape, why, sizeof why));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),    cmocka_unit_test(test_pack),
        cmocka_unit_test(test_scales),  cmocka_unit_test(test_q8),
        cmocka_unit_test(test_q8_conv), cmocka_unit_test(test_winograd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
