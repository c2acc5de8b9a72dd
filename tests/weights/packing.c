// SPDX-License-Identifier: MIT
// Packings by their definitions, by ranges of rows, from memory and from files.

#include "test.h"

#include <math.h>

#include "base/dtype.h"
#include "base/file.h"
#include "base/macros.h"
#include "graph/graph.h"
#include "weights/tensors.h"

// The host's block-wise packing against the definition, element by element, and by ranges of rows.
static void linear_weights_match_their_definition(void **state) {
    (void)state;
    for (int i = 0; i < COUNT - 1; i++) {
        const struct fum_shape *s = &tensors[i].shape;
        int64_t rows = fum_shape_rows(s), columns = fum_shape_channels(s),
                row = fum_shape_row_quads(s) * 4;
        const struct fum_weight weight = weight_at(i, FUM_F32);
        int64_t taps = fum_packing_taps(s), channels = rows / taps;
        float *data = malloc((size_t)(rows * columns) * sizeof *data);
        for (int64_t k = 0; k < rows * columns; k++) data[k] = (float)k;
        struct file file = {FUM_F32, (uint8_t *)data - 2 * i};
        struct fum_view view;
        find(&file, tensors[i].name, &view);
        float *got = malloc((size_t)(rows * row) * sizeof *got);
        for (int64_t first = 0, n; first < rows; first += n) {
            n = rows - first < rows / 3 + 1 ? rows - first : rows / 3 + 1;
            fum_pack_rows(&weight, &view,
                          &(struct fum_pack_target){got + first * row, FUM_F32, row, first, n});
        }
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < row; c++) {
                int64_t from = tensors[i].packing == &fum_packing_plain
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

// Packs the view, which is of memory or of a file, and compares it with the expected rows.
static void check_scaled(const struct fum_view *view, int index, const float *want,
                         const char *way) {
    struct fum_error err = {0};
    const struct fum_shape *s = &tensors[index].shape;
    int64_t rows = fum_shape_rows(s), row = fum_shape_row_quads(s) * 4;
    float *got = calloc((size_t)(rows * row), sizeof *got);
    const struct fum_weight weight = weight_at(index, FUM_F32);
    const struct fum_pack_target to = {.data = got, .type = FUM_F32, .row_elements = row};
    if (fum_pack_tensor(&weight, view, &to, &err)) fail_msg("%s", err.text);
    if (memcmp(got, want, (size_t)(rows * row) * sizeof *got))
        fail_msg("%s, %s", tensors[index].name, way);
    free(got);
}

// Weights with a factor for each row of the file, or one: as if the values had been multiplied in
// the file.
static void factors_of_rows_are_applied(void **state) {
    (void)state;
    const char *path = "weights-packing-scaled.bin"; // beside the test
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
        const struct fum_weight weight = weight_at(index, FUM_F32);
        fum_pack_rows(&weight, &plain, &(struct fum_pack_target){want, FUM_F32, row, 0, rows});
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

// Checks q8_0 against its definition, by ranges of rows: factors and integers, also of zeros and of
// non-finite values.
static void q8_matches_its_definition(void **state) {
    (void)state;
    enum { K = 96, N = 37, ROWS = K / 32 * 9, ROW = 40 };
    const struct fum_weight weight = {.desc = {{2, {ROWS, N}}, FUM_F32},
                                      .packing = &fum_packing_q8_0};
    static float data[N * K];
    static uint32_t got[ROWS * ROW];
    struct fum_why why;
    uint32_t random = 7;
    for (int i = 0; i < N * K; i++) {
        random = random * 1664525u + 1013904223u;
        data[i] = ((float)(random >> 8) * 0x1p-24f - 0.5f) * (i / K % 5 == 4 ? 0 : 3);
    }
    data[3 * K + 40] = INFINITY, data[5 * K + 7] = NAN;
    struct fum_view view = {.dtype = FUM_F32, .rank = 2, .dim = {N, K}, .data = data};
    assert_true(fum_packing_check(&weight, &view, &why));
    for (int first = 0; first < ROWS; first += 7)
        fum_pack_rows(&weight, &view,
                      &(struct fum_pack_target){got + first * ROW, FUM_F32, ROW, first,
                                                FUM_MIN(ROWS - first, 7)});
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
    assert_false(fum_packing_check(&weight, &view, &why));
    assert_string_equal(why.text, "the file has shape [37, 64], the model needs [37, 96]");
}

// Checks that each tap of a convolution is packed as a linear weight of that tap alone would be, by
// any ranges of rows.
static void q8_packs_a_convolution_tap_by_tap(void **state) {
    (void)state;
    enum { K = 64, N = 19, TAPS = 6, ROWS = K / 32 * 9, ROW = 20 };
    const struct fum_weight weight = {.desc = {{4, {3, 2, ROWS, N}}, FUM_F32},
                                      .packing = &fum_packing_q8_0},
                            linear = {.desc = {{2, {ROWS, N}}, FUM_F32},
                                      .packing = &fum_packing_q8_0};
    static float data[N * K * TAPS], tap[N * K];
    static uint32_t got[TAPS * ROWS * ROW], want[ROWS * ROW];
    struct fum_why why;
    for (int i = 0; i < N * K * TAPS; i++) data[i] = (float)(i * 7919 % 4093) / 4093 - 0.5f;
    struct fum_view view = {.dtype = FUM_F32, .rank = 4, .dim = {N, K, 3, 2}, .data = data};
    assert_true(fum_packing_check(&weight, &view, &why));
    for (int first = 0; first < TAPS * ROWS; first += 25) {
        fum_pack_rows(&weight, &view,
                      &(struct fum_pack_target){got + first * ROW, FUM_F32, ROW, first,
                                                FUM_MIN(TAPS * ROWS - first, 25)});
    }
    for (int t = 0; t < TAPS; t++) {
        const struct fum_view of_tap = {.dtype = FUM_F32, .rank = 2, .dim = {N, K}, .data = tap};
        for (int i = 0; i < N * K; i++) tap[i] = data[i * TAPS + t];
        fum_pack_rows(&linear, &of_tap, &(struct fum_pack_target){want, FUM_F32, ROW, 0, ROWS});
        assert_memory_equal(got + t * ROWS * ROW, want, sizeof want);
    }
    view.dim[2] = 2, view.dim[3] = 3;
    assert_false(fum_packing_check(&weight, &view, &why));
    assert_string_equal(why.text,
                        "the file has shape [19, 64, 2, 3], the model needs [19, 64, 3, 2]");
}

// Checks the Winograd packing, by ranges of rows that begin and end within a point. From
// it conv2d_winograd's plain C computes what conv2d's does from the plain weight. The relative RMS
// error lies within [least_off, most_off): rounding to f16 must show in it.
static void winograd(int points, enum fum_dtype type, double least_off, double most_off) {
    enum { HEIGHT = 6, WIDTH = 9, IN = 37, OUT = 21, MOST_ROWS = 36 * IN, ROW = 24 };
    static float data[OUT * IN * 9], taps[9 * IN * OUT], packed[MOST_ROWS * ROW],
        dense[MOST_ROWS * OUT], x[HEIGHT * WIDTH * IN];
    static float row[ROW];
    static double want[HEIGHT * WIDTH * OUT], got[HEIGHT * WIDTH * OUT];
    static double wide_x[HEIGHT * WIDTH * IN], wide_w[MOST_ROWS * OUT];
    const struct fum_weight weight = {.desc = {{3, {points, IN, OUT}}, type},
                                      .packing = &fum_packing_winograd},
                            as_it_is = {.desc = {{4, {3, 3, IN, OUT}}, FUM_F32},
                                        .packing = &fum_packing_conv};
    const int rows = points * IN;
    const size_t row_bytes = ROW * fum_dtype_size(type);
    struct fum_why why;
    uint32_t random = 7;
    for (int i = 0; i < OUT * IN * 9; i++)
        data[i] = (float)((random = random * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
    for (int i = 0; i < HEIGHT * WIDTH * IN; i++)
        x[i] = (float)((random = random * 1664525u + 1013904223u) >> 8) * 0x1p-23f - 1;
    struct fum_view view = {.dtype = FUM_F32, .rank = 4, .dim = {OUT, IN, 3, 3}, .data = data};
    assert_true(fum_packing_check(&weight, &view, &why));
    for (int first = 0; first < rows; first += 50)
        fum_pack_rows(&weight, &view,
                      &(struct fum_pack_target){(uint8_t *)packed + (size_t)first * row_bytes, type,
                                                ROW, first, FUM_MIN(rows - first, 50)});
    fum_pack_rows(&as_it_is, &view, &(struct fum_pack_target){taps, FUM_F32, OUT, 0, 9 * IN});
    for (int r = 0; r < rows; r++) {
        fum_convert_to_f32(row, (const uint8_t *)packed + (size_t)r * row_bytes, type, ROW);
        memcpy(dense + r * OUT, row, OUT * sizeof *dense);
        for (int c = OUT; c < ROW; c++) assert_true(row[c] == 0);
    }
    const char *const names[] = {"conv2d", "conv2d_winograd"};
    for (int i = 0; i < 2; i++) {
        const struct fum_op *op = fum_op_find(names[i]);
        double attr[FUM_MAX_ATTRS] = {0};
        for (int k = 0; op->attrs[k].name; k++) attr[k] = op->attrs[k].default_value;
        attr[fum_op_attr_index(op, "stride")] = attr[fum_op_attr_index(op, "pad")] = 1;
        struct fum_op_call call = {
            .attr = attr,
            .num_inputs = 2,
            .has = {true, true},
            .in = {{{4, {1, HEIGHT, WIDTH, IN}}, FUM_F32}, i ? weight.desc : as_it_is.desc}};
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
    assert_false(fum_packing_check(&weight, &view, &why));
}

static void winograd_matches_its_definition(void **state) {
    (void)state;
    winograd(36, FUM_F32, 0, 1e-6);
    winograd(16, FUM_F32, 0, 1e-6);
    winograd(36, FUM_F16, 1e-3, 3e-3);
    winograd(16, FUM_F16, 1e-4, 5e-4);
    const struct fum_weight weight = {.desc = {{3, {25, 1, 1}}, FUM_F32}, // F(3x3, 3x3): unknown
                                      .packing = &fum_packing_winograd};
    struct fum_view view = {.dtype = FUM_F32, .rank = 4, .dim = {1, 1, 3, 3}};
    struct fum_why why;
    assert_false(fum_packing_check(&weight, &view, &why));
}

// Checks that flipped kernels are packed as the same numbers are that lie flipped in a file. They
// come from memory, by ranges of rows that begin and end within a point, and from a file.
static void flipped_winograd_matches(int points) {
    enum { IN = 37, OUT = 21, MOST_ROWS = 36 * OUT, ROW = 40 };
    static float data[OUT * IN * 9], flipped[IN * OUT * 9], want[MOST_ROWS * ROW],
        got[MOST_ROWS * ROW];
    const char *path = "weights-packing-flipped.bin"; // beside the test
    const struct fum_desc desc = {{3, {points, OUT, IN}}, FUM_F32};
    const struct fum_weight plain = {.desc = desc, .packing = &fum_packing_winograd},
                            weight = {.desc = desc, .packing = &fum_packing_winograd_gradient};
    const int rows = points * OUT;
    struct fum_why why;
    struct fum_error err = {0};
    for (int i = 0; i < OUT * IN * 9; i++) {
        int o = i / (IN * 9), c = i / 9 % IN, tap = i % 9;
        data[i] = (float)(i % 1021);
        flipped[(c * OUT + o) * 9 + 8 - tap] = data[i];
    }
    struct fum_view view = {.dtype = FUM_F32, .rank = 4, .dim = {OUT, IN, 3, 3}, .data = data},
                    other = {.dtype = FUM_F32, .rank = 4, .dim = {IN, OUT, 3, 3}, .data = flipped};
    assert_true(fum_packing_check(&weight, &view, &why));
    assert_false(fum_packing_check(&weight, &other, &why));
    fum_pack_rows(&plain, &other, &(struct fum_pack_target){want, FUM_F32, ROW, 0, rows});
    for (int first = 0; first < rows; first += 50)
        fum_pack_rows(&weight, &view,
                      &(struct fum_pack_target){got + first * ROW, FUM_F32, ROW, first,
                                                FUM_MIN(rows - first, 50)});
    assert_memory_equal(got, want, (size_t)(rows * ROW) * sizeof *got);

    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(data, sizeof data, 1, out), 1);
    assert_int_equal(fclose(out), 0);
    struct fum_file *bytes = NULL;
    assert_int_equal(fum_file_open(&bytes, path, NULL), FUM_OK);
    view.data = NULL;
    view.file = bytes;
    memset(got, 0, sizeof got);
    const struct fum_pack_target to = {.data = got, .type = FUM_F32, .row_elements = ROW};
    if (fum_pack_tensor(&weight, &view, &to, &err)) fail_msg("%s", err.text);
    assert_memory_equal(got, want, (size_t)(rows * ROW) * sizeof *got);
    fum_file_close(&bytes);
    remove(path);
}

static void winograd_of_flipped_kernels_matches(void **state) {
    (void)state;
    flipped_winograd_matches(36);
    flipped_winograd_matches(16);
}

// Checks that every panel of `panels`, `wide` of a point or tap, holds its columns of the same
// weight without panels. It comes from memory, by ranges of rows that begin and end within a panel,
// and from a file.
static void panels_match(const struct fum_weight *plain, const struct fum_weight *panels,
                         struct fum_view view, int64_t wide) {
    enum { MOST = 36 * 320 * 96 };
    static float want[MOST], got[MOST];
    const char *path = "weights-packing-panels.bin"; // beside the test
    struct fum_file *bytes = NULL;
    const struct fum_shape *shape = &panels->desc.shape;
    const int64_t count = fum_shape_count(shape), rows = fum_shape_rows(shape), each = 50;
    int64_t inputs = shape->dim[shape->rank - 2];
    struct fum_why why;
    struct fum_error err = {0};
    assert_true(count <= MOST && fum_packing_check(panels, &view, &why));
    const struct fum_pack_target all = {want, FUM_F32, wide * 32, 0, rows / wide};
    fum_pack_rows(plain, &view, &all);
    for (int pass = 0; pass < 2; pass++) {
        memset(got, 0, sizeof got);
        for (int64_t first = 0; first < rows && !pass; first += each)
            fum_pack_rows(panels, &view,
                          &(struct fum_pack_target){got + first * 32, FUM_F32, 32, first,
                                                    FUM_MIN(rows - first, each)});
        if (pass) {
            FILE *out = fopen(path, "wb");
            size_t size = (size_t)fum_view_count(&view) * sizeof(float);
            assert_true(out && fwrite(view.data, size, 1, out) == 1 && !fclose(out));
            assert_int_equal(fum_file_open(&bytes, path, NULL), FUM_OK);
            view.file = bytes;
            view.data = NULL;
            const struct fum_pack_target to = {.data = got, .type = FUM_F32, .row_elements = 32};
            if (fum_pack_tensor(panels, &view, &to, &err)) fail_msg("%s", err.text);
        }
        for (int64_t i = 0; i < count; i++) {
            int64_t row = i / 32, point = row / inputs / wide, panel = row / inputs % wide,
                    column = panel * 32 + i % 32;
            assert_true(got[i] == want[(point * inputs + row % inputs) * wide * 32 + column]);
        }
    }
    fum_file_close(&bytes);
    remove(path);
}

static void panels_hold_the_same_columns(void **state) {
    (void)state;
    enum { IN = 311, OUT = 96 };
    static float data[OUT * IN * 9];
    for (int i = 0; i < OUT * IN * 9; i++) data[i] = (float)(i % 1021);
    const struct fum_view matrix = {.dtype = FUM_F32, .rank = 2, .dim = {OUT, IN}, .data = data};
    const struct fum_view taps = {
        .dtype = FUM_F32, .rank = 4, .dim = {OUT, IN, 3, 3}, .data = data};
    const struct fum_weight linear = {.desc = {{2, {IN, OUT}}, FUM_F32},
                                      .packing = &fum_packing_linear},
                            panels = {.desc = {{3, {OUT / 32, IN, 32}}, FUM_F32},
                                      .packing = &fum_packing_panels};
    panels_match(&linear, &panels, matrix, OUT / 32);
    const struct fum_weight kernel = {.desc = {{4, {3, 3, IN, OUT}}, FUM_F32},
                                      .packing = &fum_packing_conv},
                            kernel_panels = {.desc = {{4, {3, 3 * (OUT / 32), IN, 32}}, FUM_F32},
                                             .packing = &fum_packing_conv_panels};
    panels_match(&kernel, &kernel_panels, taps, OUT / 32);
    for (int points = 16; points <= 36; points += 20) {
        const struct fum_weight plain = {.desc = {{3, {points, IN, OUT}}, FUM_F32},
                                         .packing = &fum_packing_winograd},
                                in_panels = {.desc = {{4, {points, OUT / 32, IN, 32}}, FUM_F32},
                                             .packing = &fum_packing_winograd_panels};
        panels_match(&plain, &in_panels, taps, OUT / 32);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear_weights_match_their_definition),
                                       cmocka_unit_test(factors_of_rows_are_applied),
                                       cmocka_unit_test(q8_matches_its_definition),
                                       cmocka_unit_test(q8_packs_a_convolution_tap_by_tap),
                                       cmocka_unit_test(winograd_matches_its_definition),
                                       cmocka_unit_test(winograd_of_flipped_kernels_matches),
                                       cmocka_unit_test(panels_hold_the_same_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
