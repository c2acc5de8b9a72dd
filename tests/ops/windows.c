// SPDX-License-Identifier: MIT
// Checks how the ops with windows split tensors that no binding holds. Every window is within the
// limits, and every output row is written exactly once. Every input row that a window of a
// convolution touches is inside its input window. Runs without a GPU, on made-up devices.

#include "test.h"

#include "base/alloc.h"
#include "base/macros.h"
#include "check/case.h"
#include "shaders/attention.pc.h"
#include "shaders/conv2d.pc.h"
#include "shaders/group_norm.pc.h"
#include "shaders/group_norm_apply.pc.h"
#include "shaders/matmul.pc.h"
#include "shaders/repack.pc.h"
#include "shaders/rowwise.pc.h"

// Where a shader's push constants hold the quads to skip at the start of the output's window, and
// which binding that is.
struct layout {
    const char *shader;
    int y_bind;
    size_t y_skip; // word of the push constants
};
#define WORD(push, member) (offsetof(struct push, member) / sizeof(uint32_t))
static const struct layout layouts[] = {
    {"matmul", 5, WORD(fum_matmul_push, y_skip)},
    {"conv2d", 5, WORD(fum_conv2d_push, y_skip)},
    {"attention", 3, WORD(fum_attention_push, y_skip)},
    {"group_norm_apply", 2, WORD(fum_group_norm_apply_push, y_skip)},
    {"group_norm", 3, WORD(fum_group_norm_push, y_skip)},
    {"layer_norm", 3, WORD(fum_rowwise_push, y_skip)},
    {"layer_norm_group", 3, WORD(fum_rowwise_push, y_skip)},
    {"rms_norm", 2, WORD(fum_rowwise_push, y_skip)},
    {"softmax", 1, WORD(fum_rowwise_push, y_skip)},
    {"repack", 1, WORD(fum_repack_push, y_skip)},
};

// Returns true if the dispatch runs that shader, for dense weights or for quantised ones.
static bool runs(const struct fum_dispatch *d, const char *shader) {
    char name[64];
    bool same = !strcmp(d->shader, shader);
    for (int i = 0; fum_quantised_packings[i] && !same; i++) {
        snprintf(name, sizeof name, "%s_%s", shader, fum_quantised_packings[i]->name);
        same = !strcmp(d->shader, name);
    }
    return same;
}

struct range {
    uint64_t begin, end;
};

static int by_begin(const void *a, const void *b) {
    const struct range *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static void check_limits(const struct fum_op_call *call, const struct fum_dispatches *list,
                         const struct fum_dispatch *d) {
    for (int i = 0; i < d->num_bind; i++) {
        const struct fum_dispatch_bind *b = &d->bind[i];
        struct fum_desc operand = call->out;
        if (b->operand >= 0) operand = fum_call_memory(call, b->operand);
        uint64_t whole = b->operand == FUM_SCRATCH ? list->scratch_bytes : fum_desc_bytes(&operand);
        uint64_t bytes = b->bytes ? b->bytes : whole;
        assert_int_equal(b->offset % list->info->binding_align, 0);
        assert_true(bytes <= list->info->max_binding);
        assert_true(b->offset + bytes <= whole);
    }
    for (int i = 0; i < 3; i++) assert_in_range(d->groups[i], 1, list->info->max_group_count[i]);
}

// The input rows of pixels that the output rows of this dispatch touch lie in its input window.
static void check_halo(const struct fum_op_call *call, const struct fum_dispatch *d) {
    const int64_t *x = call->in[0].shape.dim, *w = call->in[1].shape.dim, *y = call->out.shape.dim;
    int64_t stride = d->push[8], pad = d->push[9], up = d->push[11] ? 2 : 1;
    int64_t rows = d->push[15] / y[2], batches = d->push[16], first = d->push[18],
            first_in = d->push[19];
    assert_int_equal(d->push[15] % y[2], 0);
    int64_t low = first * stride - pad, high = (first + rows - 1) * stride - pad + w[0] - 1;
    low = low < 0 ? 0 : low / up;
    high = high / up >= x[1] ? x[1] - 1 : high / up;
    if (high < low || x[3] == 0) return; // only padding, or nothing to read
    assert_true(low >= first_in);
    // Bytes from the window's first used row to the end of row `high` of the last image.
    uint64_t row = fum_desc_row_bytes(&call->in[0]) * (uint64_t)x[2];
    uint64_t skip = (uint64_t)d->push[20] * 4 * fum_dtype_size(call->in[0].dtype);
    assert_true(skip + (uint64_t)((batches - 1) * x[1] + high - first_in + 1) * row <=
                d->bind[0].bytes);
    // The window's first row is row first_in of an image.
    assert_int_equal((d->bind[0].offset + skip) % (row * (uint64_t)x[1]), (uint64_t)first_in * row);
}

// There are as many workgroups as tiles.
static void check_tiles(const struct fum_dispatch *d) {
    uint64_t groups = (uint64_t)d->groups[0] * d->groups[1] * d->groups[2], want = 1;
    if (!strcmp(d->shader, "matmul")) want = (uint64_t)d->push[4] * d->push[7] * d->push[8];
    if (!strcmp(d->shader, "conv2d")) want = (uint64_t)d->push[4] * d->push[17];
    if (!strcmp(d->shader, "attention"))
        want = (uint64_t)d->push[2] * d->push[3] * d->push[9] * d->push[11];
    assert_true(groups >= want);
    assert_true(want < UINT32_MAX);
}

// Returns how many dispatches the call takes, 0 when it is refused.
static int check_call(const struct fum_op *op, const struct fum_op_call *call,
                      const struct fum_device_info *info) {
    struct fum_dispatches *list = fum_calloc(1, sizeof *list);
    struct range written[FUM_MAX_DISPATCHES];
    int windows = 0;
    assert_non_null(list);
    list->info = info;
    if (!op->dispatch(call, list)) {
        assert_true(list->why.text[0]);
        fum_free(list);
        return 0;
    }
    for (int i = 0; i < list->count; i++) {
        const struct fum_dispatch *d = &list->item[i];
        check_limits(call, list, d);
        check_tiles(d);
        if (runs(d, "conv2d")) check_halo(call, d);
        for (size_t k = 0; k < FUM_COUNT(layouts); k++) {
            const struct fum_dispatch_bind *b = &d->bind[layouts[k].y_bind];
            if (!runs(d, layouts[k].shader)) continue;
            // Attention also runs products, a softmax and copies between its operands and its
            // scratch.
            if (!strcmp(op->name, "attention") && b->operand == FUM_SCRATCH) continue;
            assert_int_equal(b->operand, FUM_OUT);
            uint64_t skip =
                (uint64_t)d->push[layouts[k].y_skip] * 4 * fum_dtype_size(call->out.dtype);
            uint64_t bytes = b->bytes ? b->bytes : fum_desc_bytes(&call->out);
            written[windows++] = (struct range){b->offset + skip, b->offset + bytes};
        }
    }
    qsort(written, (size_t)windows, sizeof *written, by_begin);
    uint64_t end = 0;
    for (int i = 0; i < windows; i++) {
        assert_int_equal(written[i].begin, end);
        end = written[i].end;
    }
    assert_int_equal(end, fum_desc_bytes(&call->out));
    int count = list->count;
    fum_free(list);
    return count;
}

static struct fum_device_info made_up(enum fum_device_type type, uint64_t max_binding,
                                      uint32_t groups) {
    return (struct fum_device_info){.type = type,
                                    .max_binding = max_binding,
                                    .binding_align = 256,
                                    .max_group_invocations = 128,
                                    .max_group_size = {128, 128, 64},
                                    .max_group_count = {groups, groups, groups},
                                    .max_push_bytes = 128,
                                    .max_bindings = 8,
                                    .planning_only = true};
}

static void cases_on(const struct fum_device_info *info) {
    for (int o = 0; o < fum_op_count; o++)
        for (size_t k = 0; k < FUM_COUNT(layouts); k++) {
            bool mine = !strcmp(fum_ops[o]->name, layouts[k].shader);
            for (int i = 0; mine && i < fum_op_cases[o]->count; i++) {
                struct fum_op_call call;
                double attr[FUM_MAX_ATTRS];
                struct fum_why why = {{0}};
                for (enum fum_dtype dtype = FUM_F32; dtype <= FUM_BF16; dtype++) {
                    const struct fum_op_case *c = &fum_op_cases[o]->cases[i];
                    const struct fum_case_use use = {fum_ops[o], c, dtype, fum_case_packing(c, 0)};
                    assert_true(fum_case_call(&use, &call, attr, &why));
                    check_call(fum_ops[o], &call, info);
                }
            }
        }
}

static void every_case_in_small_windows(void **state) {
    (void)state;
    for (uint64_t binding = 2048; binding <= 1 << 20; binding *= 2) {
        struct fum_device_info cpu = made_up(FUM_DEVICE_CPU, binding, 65535);
        struct fum_device_info phone = made_up(FUM_DEVICE_INTEGRATED, binding, 65535);
        struct fum_device_info narrow = made_up(FUM_DEVICE_DISCRETE, binding, 300);
        cases_on(&cpu);
        cases_on(&phone);
        cases_on(&narrow);
    }
}

struct big {
    const char *op;
    struct fum_shape in[3];
    struct fum_attr attrs[3];
    uint64_t binding;
    int dispatches;
};

#define MIB ((uint64_t)1 << 20)
#define ANY (MIB * 4095)
#define CONV_ATTRS    \
    {                 \
        {"pad", 1}, { \
            0         \
        }             \
    }
#define NORM_IN(c, ...) \
    { FUM_DIMS(__VA_ARGS__, c), FUM_DIMS(c), FUM_DIMS(c) }

static const struct big bigs[] = {
    // 256 MiB in and out, as in a 512 x 512 picture's decoder.
    {"conv2d", {FUM_DIMS(1, 512, 512, 256), FUM_DIMS(3, 3, 256, 256)}, CONV_ATTRS, 128 * MIB, 3},
    {"conv2d", {FUM_DIMS(1, 512, 512, 256), FUM_DIMS(1, 1, 256, 128)}, {{0}}, 128 * MIB, 3},
    {"group_norm", NORM_IN(256, 1, 512, 512), {{"groups", 32}, {0}}, 128 * MIB, 7},
    {"group_norm", NORM_IN(256, 2, 512, 512), {{"groups", 32}, {0}}, 128 * MIB, 13},
    {"layer_norm", NORM_IN(256, 1, 512, 512), {{0}}, 128 * MIB, 3},
    {"softmax", {FUM_DIMS(1, 512, 512, 256)}, {{0}}, 128 * MIB, 3},
    // Over 2^32 bytes; more workgroups than one dimension has.
    {"matmul", {FUM_DIMS(1 << 25, 40), FUM_DIMS(40, 3)}, {{0}}, ANY, 2},
    {"matmul", {FUM_DIMS(1 << 26, 4), FUM_DIMS(4, 40)}, {{0}}, 2048 * MIB, 6},
    {"matmul", {FUM_DIMS(1 << 23, 1), FUM_DIMS(1, 1)}, {{0}}, ANY, 1},
    {"conv2d", {FUM_DIMS(1, 16384, 16384, 8), FUM_DIMS(3, 3, 8, 8)}, CONV_ATTRS, ANY, 3},
    {"conv2d", {FUM_DIMS(70000, 64, 64, 4), FUM_DIMS(3, 3, 4, 4)}, CONV_ATTRS, ANY, 2},
    {"attention",
     {FUM_DIMS(1, 1 << 22, 512), FUM_DIMS(1, 77, 512), FUM_DIMS(1, 77, 512)},
     {{"heads", 8}, {0}},
     ANY,
     3},
    {"layer_norm", NORM_IN(4, 1 << 29), {{0}}, ANY, 3},
    // Refused: a weight over a binding, a row over a binding, too many windows.
    {"matmul", {FUM_DIMS(4, 8192), FUM_DIMS(8192, 8192)}, {{0}}, 128 * MIB, 0},
    {"conv2d", {FUM_DIMS(1, 8, 8, 2560), FUM_DIMS(3, 3, 2560, 2560)}, CONV_ATTRS, 128 * MIB, 0},
    {"layer_norm", NORM_IN(1 << 26, 2), {{0}}, 128 * MIB, 0},
    {"softmax", {FUM_DIMS(1 << 20, 4096)}, {{0}}, 128 * MIB, 0},
};

static void big_tensors(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(bigs); i++) {
        const struct big *b = &bigs[i];
        const struct fum_op *op = fum_op_find(b->op);
        struct fum_op_case c = {.name = b->op};
        struct fum_op_call call;
        double attr[FUM_MAX_ATTRS];
        struct fum_why why = {{0}};
        for (int k = 0; k < 3; k++) c.in[k].shape = b->in[k];
        memcpy(c.attrs, b->attrs, sizeof b->attrs);
        const struct fum_case_use use = {.op = op, .c = &c, .dtype = FUM_F32};
        if (!fum_case_call(&use, &call, attr, &why)) fail_msg("%s: %s", b->op, why.text);
        struct fum_device_info cpu = made_up(FUM_DEVICE_CPU, b->binding, 65535);
        int dispatches = check_call(op, &call, &cpu);
        if (dispatches != b->dispatches)
            fail_msg("%s, number %d: %d dispatches, not %d", b->op, (int)i, dispatches,
                     b->dispatches);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_in_small_windows),
                                       cmocka_unit_test(big_tensors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
