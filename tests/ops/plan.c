// SPDX-License-Identifier: MIT
// Checks what every op requires of a device against the limits of every device that is known as
// data: windows, workgroups, push constants. Runs without a GPU.

#include "test.h"

#include "base/alloc.h"
#include "base/macros.h"
#include "check/case.h"
#include "ops/variants/variant.h"

static uint64_t operand_bytes(const struct fum_op_call *call, const struct fum_dispatches *list,
                              int operand) {
    if (operand == FUM_SCRATCH) return list->scratch_bytes;
    if (operand == FUM_OUT) return fum_desc_bytes(&call->out);
    const struct fum_desc desc = fum_call_memory(call, operand);
    return fum_desc_bytes(&desc);
}

static void check_dispatch(const struct fum_op_call *call, const struct fum_dispatches *list,
                           const struct fum_dispatch *d) {
    const struct fum_device_info *info = list->info;
    assert_non_null(fum_shader_find(d->shader, d->dtype));
    assert_in_range(d->num_spec, 3, FUM_MAX_SPEC);
    assert_in_range(d->num_bind, 1, info->max_bindings);
    assert_true((uint32_t)d->num_push * 4 <= info->max_push_bytes);
    assert_true((uint64_t)d->spec[0] * d->spec[1] * d->spec[2] <= info->max_group_invocations);
    for (int i = 0; i < 3; i++) {
        assert_in_range(d->spec[i], 1, info->max_group_size[i]);
        assert_in_range(d->groups[i], 1, info->max_group_count[i]);
    }
    for (int i = 0; i < d->num_bind; i++) {
        const struct fum_dispatch_bind *b = &d->bind[i];
        uint64_t whole = operand_bytes(call, list, b->operand), bytes = b->bytes ? b->bytes : whole;
        if (b->operand >= 0) assert_true(call->has[b->operand]);
        assert_int_equal(b->offset % info->binding_align, 0);
        assert_true(bytes > 0 && bytes <= info->max_binding);
        assert_true(b->offset + bytes <= whole);
    }
}

// True when the device can run the call; then all of its dispatches are within the limits.
static bool check_call(const struct fum_op *op, const struct fum_op_call *call,
                       const struct fum_device_info *info, const struct fum_tuning *tuning) {
    struct fum_dispatches *list = fum_calloc(1, sizeof *list);
    assert_non_null(list);
    list->info = info;
    list->tuning = tuning;
    bool fits = !op->dispatch || op->dispatch(call, list);
    if (!fits) assert_true(list->why.text[0]);
    for (int i = 0; fits && i < list->count; i++) {
        check_dispatch(call, list, &list->item[i]);
        // Kernels for CPU drivers stay there unless their variant is forced.
        bool insisted = tuning && tuning->variant == &fum_variant_texel;
        if (info->type != FUM_DEVICE_CPU && !insisted) assert_int_equal(list->item[i].texels, 0);
    }
    fum_free(list);
    return fits;
}

// Returns true if the case, with one packing in one type, fits the device.
static bool case_fits(const struct fum_case_use *use, const struct fum_device_info *info,
                      const struct fum_tuning *tuning) {
    struct fum_op_call call;
    double attr[FUM_MAX_ATTRS];
    struct fum_why why = {{0}};
    if (!fum_case_call(use, &call, attr, &why))
        fail_msg("%s, case '%s': %s", use->op->name, use->c->name, why.text);
    bool fits = check_call(use->op, &call, info, tuning);
    if (!fits && !use->c->bench)
        fail_msg("%s, case '%s' on %s", use->op->name, use->c->name, info->name);
    return fits;
}

static void cases_on(const struct fum_device_info *info, const struct fum_tuning *tuning, int *fit,
                     int *total) {
    for (int o = 0; o < fum_op_count; o++)
        for (int i = 0; i < fum_op_cases[o]->count; i++) {
            const struct fum_op_case *c = &fum_op_cases[o]->cases[i];
            for (enum fum_dtype dtype = FUM_F32; dtype <= FUM_BF16; dtype++) {
                if (!fum_case_has_type(c, dtype)) continue;
                for (int p = 0; p < fum_case_packings(c); p++) {
                    const struct fum_case_use use = {fum_ops[o], c, dtype, fum_case_packing(c, p)};
                    *fit += case_fits(&use, info, tuning);
                    ++*total;
                }
            }
        }
}

static void every_case_on_every_device(void **state) {
    (void)state;
    for (int i = 0; fum_device_planning_name(i); i++) {
        fum_device *device = NULL;
        struct fum_error err;
        assert_int_equal(fum_device_create_planning(&device, fum_device_planning_name(i), &err),
                         FUM_OK);
        for (int v = -1; v < 0 || fum_variants[v]; v++) { // -1: the device's own choice
            const char *variant = v < 0 ? NULL : fum_variants[v]->name;
            int fit = 0, total = 0;
            if (variant && !fum_variant_usable_at_all(fum_variants[v], fum_device_get_info(device)))
                continue;
            fum_device_set_variant(device, v < 0 ? NULL : fum_variants[v]);
            cases_on(fum_device_get_info(device), fum_device_tuning(device), &fit, &total);
            print_message("%s, %s: %d of %d cases fit\n", fum_device_planning_name(i),
                          variant ? variant : "its choice", fit, total);
        }
        fum_device_destroy(&device);
    }
}

struct big {
    const char *op;
    struct fum_shape in[2];
    struct fum_attr attrs[3];
    int dispatches; // 0: refused
};

// On a device with bindings of 128 MiB and 65,535 workgroups in each direction.
static const struct big bigs[] = {
    {"silu", {FUM_DIMS(1, 1024, 1024, 256)}, {{0}}, 8},  // 1 GiB
    {"silu", {FUM_DIMS(1, 16384, 16384, 4)}, {{0}}, 32}, // 4 GiB: 2^30 elements
    {"silu", {FUM_DIMS(1, 65536, 65536, 4)}, {{0}}, 0},  // more windows than a call may have
    {"silu", {FUM_DIMS(1, 1 << 20, 1 << 20, 1 << 20)}, {{0}}, 0},
    {"add", {FUM_DIMS(1, 1024, 1024, 256), FUM_DIMS(1, 1024, 1024, 256)}, {{0}}, 8},
    {"add", {FUM_DIMS(1, 1024, 1024, 256), FUM_DIMS(256)}, {{0}}, 9},
    // repeats 1 GiB
    {"add", {FUM_DIMS(2, 1024, 1024, 256), FUM_DIMS(1, 1024, 1024, 256)}, {{0}}, 0},
    {"upsample", {FUM_DIMS(1, 512, 512, 256)}, {{0}}, 9},
    {"concat", {FUM_DIMS(1, 512, 512, 256), FUM_DIMS(1, 512, 512, 128)}, {{0}}, 8},
    {"slice", {FUM_DIMS(1, 1024, 1024, 256)}, {{"count", 128}, {0}}, 9},
    {"geglu", {FUM_DIMS(1, 65536, 2560)}, {{0}}, 6},
    {"scale", {FUM_DIMS(1 << 25)}, {{0}}, 1},
    {"square_sum", {FUM_DIMS(1, 1024, 1024, 256)}, {{0}}, 9},
    {"gaussian_kl", {FUM_DIMS(1024, 1024, 256), FUM_DIMS(1024, 1024, 256)}, {{0}}, 8},
    {"average_pool", {FUM_DIMS(8, 512, 256, 64)}, {{0}}, 3}, // three images at once
    {"max_pool", {FUM_DIMS(1, 1024, 1024, 256)}, {{0}}, 0},  // one image exceeds a binding
};

static void tensors_over_the_limits(void **state) {
    (void)state;
    fum_device *device = NULL;
    struct fum_error err;
    assert_int_equal(fum_device_create_planning(&device, "lavapipe", &err), FUM_OK);
    const struct fum_device_info *info = fum_device_get_info(device);
    assert_int_equal(info->max_binding, 128 << 20);
    for (size_t i = 0; i < FUM_COUNT(bigs); i++) {
        const struct big *b = &bigs[i];
        const struct fum_op *op = fum_op_find(b->op);
        struct fum_op_case c = {.name = b->op, .in = {{.shape = b->in[0]}, {.shape = b->in[1]}}};
        struct fum_op_call call;
        double attr[FUM_MAX_ATTRS];
        struct fum_why why = {{0}};
        memcpy(c.attrs, b->attrs, sizeof b->attrs);
        const struct fum_case_use use = {.op = op, .c = &c, .dtype = FUM_F32};
        assert_true(fum_case_call(&use, &call, attr, &why));
        assert_int_equal(check_call(op, &call, info, NULL), b->dispatches > 0);
        struct fum_dispatches *list = fum_calloc(1, sizeof *list);
        assert_non_null(list);
        list->info = info;
        if (op->dispatch(&call, list) && list->count != b->dispatches)
            fail_msg("big case %zu, %s: %d dispatches, want %d", i, b->op, list->count,
                     b->dispatches);
        fum_free(list);
    }
    fum_device_destroy(&device);
}

// Calls that shape rules refuse.
static const struct big wrong[] = {
    {"add", {FUM_DIMS(2, 3), FUM_DIMS(2, 4)}, {{0}}, 0},
    {"prelu", {FUM_DIMS(2, 3), FUM_DIMS(2)}, {{0}}, 0},
    {"geglu", {FUM_DIMS(2, 3)}, {{0}}, 0},
    {"concat", {FUM_DIMS(2, 3), FUM_DIMS(3, 3)}, {{0}}, 0},
    {"concat", {FUM_DIMS(2, 3), FUM_DIMS(2, 3)}, {{"axis", 2}, {0}}, 0},
    {"slice", {FUM_DIMS(2, 3)}, {{"start", 2}, {"count", 2}, {0}}, 0},
    {"slice", {FUM_DIMS(2, 3)}, {{"start", 0.5}, {0}}, 0},
    {"reshape", {FUM_DIMS(2, 6)}, {{"rank", 1}, {"d0", 12}, {0}}, 0},
    {"reshape", {FUM_DIMS(2, 8)}, {{"rank", 1}, {"d0", 12}, {0}}, 0},
    {"repack", {FUM_DIMS(2, 8)}, {{"rank", 5}, {0}}, 0},
    {"transpose", {FUM_DIMS(2, 8)}, {{"p0", 1}, {0}}, 0},
    {"upsample", {FUM_DIMS(2, 8)}, {{0}}, 0},
    {"pixel_shuffle", {FUM_DIMS(1, 2, 2, 6)}, {{0}}, 0},
    {"embedding", {FUM_DIMS(2, 8), FUM_DIMS(8, 4)}, {{0}}, 0},
    {"timestep_embedding", {FUM_DIMS(2, 8)}, {{"dim", 8}, {0}}, 0},
    {"cast", {FUM_DIMS(2, 8)}, {{"dtype", FUM_I32}, {0}}, 0},
    {"step_row", {FUM_DIMS(2, 8), FUM_DIMS(1)}, {{0}}, 0},
    {"random_normal", {FUM_DIMS(4)}, {{"d0", 4}, {0}}, 0},
    {"random_integer", {FUM_DIMS(4)}, {{"d0", 4}, {"limit", 0}, {0}}, 0},
    {"random_next", {FUM_DIMS(4)}, {{0}}, 0},
    {"squared_error", {FUM_DIMS(2, 3), FUM_DIMS(2, 4)}, {{0}}, 0},
    {"gaussian_kl", {FUM_DIMS(2, 3), FUM_DIMS(3)}, {{0}}, 0},
    {"cross_entropy", {FUM_DIMS(2, 3), FUM_DIMS(2)}, {{0}}, 0}, // labels of f32
    {"discretised_gaussian", {FUM_DIMS(2, 3), FUM_DIMS(2, 4)}, {{0}}, 0},
    {"top_class", {FUM_DIMS(9)}, {{0}}, 0},
    {"nearest_row", {FUM_DIMS(2, 3), FUM_DIMS(5, 4)}, {{0}}, 0},
    {"matches", {FUM_DIMS(3), FUM_DIMS(3)}, {{0}}, 0},
    {"canny_ridges", {FUM_DIMS(4, 4, 1)}, {{0}}, 0},
    {"canny_follow", {FUM_DIMS(4)}, {{0}}, 0},
    {"masked_mul", {FUM_DIMS(2, 3), FUM_DIMS(4)}, {{0}}, 0},
    {"average_pool", {FUM_DIMS(1, 4, 4, 3)}, {{"kernel", 5}, {0}}, 0},
    {"max_pool", {FUM_DIMS(1, 4, 4, 3)}, {{"kernel", 3}, {"pad", 2}, {0}}, 0},
    {"max_pool", {FUM_DIMS(4, 4, 3)}, {{0}}, 0},
    {"average_pool_gradient", {FUM_DIMS(1, 2, 2, 3)}, {{"height", 4}, {"width", 6}, {0}}, 0},
    {"conv_transpose2d", {FUM_DIMS(1, 4, 4, 3), FUM_DIMS(2, 2, 3, 4)}, {{0}}, 0},
    {"conv_transpose2d",
     {FUM_DIMS(1, 4, 4, 3), FUM_DIMS(2, 2, 5, 3)},
     {{"output_padding", 1}, {0}},
     0},
    {"batch_stats", {FUM_DIMS(1, 8)}, {{"unbiased", 1}, {0}}, 0},
    {"batch_norm", {FUM_DIMS(4, 8), FUM_DIMS(2, 7)}, {{0}}, 0},
    {"ema_update", {FUM_DIMS(4), FUM_DIMS(5)}, {{0}}, 0},
    {"clip_factor", {FUM_DIMS(2)}, {{0}}, 0},
    {"clip_factor", {FUM_DIMS(1)}, {{"clip", -1}, {0}}, 0},
    {"learning_rate", {FUM_DIMS(1)}, {{0}}, 0}, // a counter of f32
};

// Shape rules refuse what they cannot take, and say why.
static void wrong_shapes(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(wrong); i++) {
        struct fum_op_case c = {.name = "wrong",
                                .in = {{.shape = wrong[i].in[0]}, {.shape = wrong[i].in[1]}}};
        struct fum_op_call call;
        double attr[FUM_MAX_ATTRS];
        struct fum_why why = {{0}};
        memcpy(c.attrs, wrong[i].attrs, sizeof wrong[i].attrs);
        const struct fum_case_use use = {.op = fum_op_find(wrong[i].op), .c = &c, .dtype = FUM_F32};
        if (fum_case_call(&use, &call, attr, &why))
            fail_msg("wrong shape %zu, %s, is accepted", i, wrong[i].op);
        assert_true(why.text[0]);
    }
}

static const struct fum_op_case named = {.name = "scalar", .in = {{.shape = FUM_DIMS(1)}}};

static void inputs_depend_on_the_name_of_a_case(void **state) {
    (void)state;
    struct fum_op_case copy = named, other = named;
    other.name = "vector";
    assert_true(fum_case_seed(&named, 0) == fum_case_seed(&copy, 0));
    assert_true(fum_case_seed(&named, 0) != fum_case_seed(&named, 1));
    assert_true(fum_case_seed(&named, 0) != fum_case_seed(&other, 0));
}

static void names_of_cases_differ(void **state) {
    (void)state;
    for (int o = 0; o < fum_op_count; o++) {
        const struct fum_op_cases *list = fum_op_cases[o];
        for (int i = 0; i < list->count; i++)
            for (int k = 0; k < i; k++)
                if (list->cases[i].quantised == list->cases[k].quantised &&
                    !strcmp(list->cases[i].name, list->cases[k].name))
                    fail_msg("%s has two cases '%s'", list->op, list->cases[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_on_every_device),
        cmocka_unit_test(tensors_over_the_limits),
        cmocka_unit_test(wrong_shapes),
        cmocka_unit_test(inputs_depend_on_the_name_of_a_case),
        cmocka_unit_test(names_of_cases_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
