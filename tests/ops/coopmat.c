// SPDX-License-Identifier: MIT
// Tests the variant "coopmat". Forcing it must make every call that it serves run it, on this
// device and on the planning devices that have cooperative matrices. Every tile of it, whole and
// split, is compared with the references. Skipped where neither the build nor a device has them.

#include "test.h"

#include "base/macros.h"
#include "tile_cases.h"
#include "ops/variants/coopmat.h"

static bool is_coopmat(const char *shader) {
    size_t n = strlen(shader), m = strlen("_coopmat");
    return n > m && !strcmp(shader + n - m, "_coopmat");
}

// Not: products of no terms, and outputs of no elements.
static bool served(const struct fum_op_call *call) {
    return fum_shape_count(&call->out.shape) && fum_shape_count(&call->in[0].shape);
}

// Returns the first dispatch after the copies of attention's heads that are not whole quads. NULL:
// there is none.
static const struct fum_dispatch *first_product(const struct fum_dispatches *list) {
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->item[i].shader, "repack") != 0) return &list->item[i];
    return NULL;
}

// Every case of the op in this type is dispatched to the variant's kernels. Returns how many.
static int force(const struct fum_device_info *info, const struct fum_tuning *tuning, int op,
                 enum fum_dtype dtype) {
    struct fum_dispatches *list = fum_calloc(1, sizeof *list);
    int count = 0;
    assert_non_null(list);
    for (int i = 0; i < fum_op_cases[op]->count; i++) {
        const struct fum_op_case *c = &fum_op_cases[op]->cases[i];
        struct fum_op_call call;
        double attr[FUM_MAX_ATTRS];
        struct fum_why why = {{0}};
        struct fum_device_info limits = *info;
        if (c->max_binding && c->max_binding < limits.max_binding)
            limits.max_binding = c->max_binding;
        memset(list, 0, sizeof *list);
        list->info = &limits;
        list->tuning = tuning;
        const struct fum_case_use use = {fum_ops[op], c, dtype, fum_case_packing(c, 0)};
        if (!fum_case_has_type(c, dtype) || !fum_case_call(&use, &call, attr, &why)) continue;
        if (!served(&call)) continue;
        if (!fum_ops[op]->dispatch(&call, list))
            fail_msg("%s, %s: %s", info->name, c->name, list->why.text);
        const struct fum_dispatch *d = first_product(list);
        if (!d || !is_coopmat(d->shader))
            fail_msg("%s: %s, case '%s' in %s runs %s", info->name, fum_ops[op]->name, c->name,
                     fum_dtype_name(dtype), d ? d->shader : "nothing");
        assert_int_equal(d->subgroup, info->matrix_subgroup);
        assert_int_equal(d->spec[0] % info->matrix_subgroup, 0);
        count++;
    }
    fum_free(list);
    return count;
}

static void insist_everywhere(fum_device *device) {
    static const char *const ops[] = {"matmul", "conv2d", "attention"};
    const struct fum_device_info *info = fum_device_get_info(device);
    struct fum_error err = {0};
    assert_int_equal(fum_device_force_variant(device, "coopmat", &err), FUM_OK);
    for (enum fum_dtype dtype = FUM_F32; dtype <= FUM_BF16; dtype++) {
        if (!fum_variant_usable("coopmat", info, dtype)) continue;
        for (int op = 0; op < fum_op_count; op++)
            for (size_t i = 0; i < FUM_COUNT(ops); i++)
                if (!strcmp(fum_ops[op]->name, ops[i]))
                    print_message("%s: %d cases of %s in %s\n", info->name,
                                  force(info, fum_device_tuning(device), op, dtype), ops[i],
                                  fum_dtype_name(dtype));
    }
    fum_device_set_variant(device, NULL);
}

static void planning_devices(void **state) {
    (void)state;
    static const char *const names[] = {"nvidia-ada", "amd-rdna3", "intel-arc-windows"};
    for (size_t i = 0; i < FUM_COUNT(names); i++) {
        fum_device *device = NULL;
        struct fum_error err;
        assert_int_equal(fum_device_create_planning(&device, names[i], &err), FUM_OK);
        insist_everywhere(device);
        fum_device_destroy(&device);
    }
}

// ---- on this device ----

static void this_device(void **state) {
    insist_everywhere(*state);
}

static void every_tile(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    assert_int_equal(fum_device_force_variant(device, "coopmat", &err), FUM_OK);
    for (enum fum_dtype dtype = FUM_F16; dtype <= FUM_BF16; dtype++) {
        const struct fum_matrix_shape *shape =
            fum_coopmat_shape(fum_device_get_info(device), dtype);
        if (!fum_variant_usable("coopmat", fum_device_get_info(device), dtype)) continue;
        for (int i = 0; i < TILE_CASES; i++) {
            const struct tile_use use = tile_use(device, &tile_cases[i], dtype);
            for (int tile = 0; tile < FUM_COOPMAT_TILES; tile++)
                run_tile(&use, tile, tile % 2 ? 1 : 3, shape->k < 32 ? 32 : shape->k);
        }
    }
    fum_device_set_variant(device, NULL);
}

#define QKV(tq, tk, c)                                                  \
    {                                                                   \
        {.shape = FUM_DIMS(2, tq, c)}, {.shape = FUM_DIMS(2, tk, c)}, { \
            .shape = FUM_DIMS(2, tk, c)                                 \
        }                                                               \
    }

// The tiles of attention are the keys at a time, the subgroups and what each holds.
static const struct tile_case attention_cases[] = {
    {"attention",
     {.name = "150 on 77, 2 heads of 40", .in = QKV(150, 77, 80), .attrs = {{"heads", 2}}},
     false,
     0},
    {"attention",
     {.name = "131 on 131, causal, 1 head of 36",
      .in = QKV(131, 131, 36),
      .attrs = {{"causal", 1}}},
     false,
     0},
    {"attention",
     {.name = "67 on 9, 2 heads of 160", .in = QKV(67, 9, 320), .attrs = {{"heads", 2}}},
     false,
     0},
};

static void every_tile_of_attention(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    assert_int_equal(fum_device_force_variant(device, "coopmat", &err), FUM_OK);
    for (enum fum_dtype dtype = FUM_F16; dtype <= FUM_BF16; dtype++) {
        if (!fum_variant_usable("coopmat", fum_device_get_info(device), dtype)) continue;
        for (size_t i = 0; i < FUM_COUNT(attention_cases); i++) {
            const struct tile_case *t = &attention_cases[i];
            struct fum_tuning_note note = {0};
            plan_tile(device, t, dtype, &note);
            assert_true(note.count >= 2);
            for (int k = 0; k < note.count; k++) {
                char wanted[64], text[64];
                note.describe(note.values[k], wanted, sizeof wanted);
                print_message("%s: %s\n", t->c.name, wanted);
                fum_device_set_tuned(device, &(struct fum_tuned){note.key, note.values[k], 0}, 1);
                struct fum_dispatch d = plan_tile(device, t, dtype, NULL);
                snprintf(text, sizeof text, "%u keys, %u subgroups of %u matrices of queries",
                         d.spec[9], d.spec[7], d.spec[8]);
                assert_string_equal(text, wanted);
                run_choice(&(struct tile_use){device, t, dtype, note.key}, note.values[k]);
            }
        }
    }
    fum_device_set_variant(device, NULL);
}

static fum_device *opened;

static int open_device(void **state) {
    *state = opened;
    return 0;
}

static int close_device(void **state) {
    (void)state;
    int messages = fum_device_validation_messages(opened);
    fum_device_destroy(&opened);
    return messages;
}

int main(void) {
    const struct CMUnitTest planned[] = {cmocka_unit_test(planning_devices)};
    const struct CMUnitTest on_device[] = {cmocka_unit_test(this_device),
                                           cmocka_unit_test(every_tile),
                                           cmocka_unit_test(every_tile_of_attention)};
    struct fum_error err = {0};
    if (!fum_shader_find("gemm_coopmat", FUM_F16)) {
        print_message("built without cooperative matrices\n");
        return 77;
    }
    int failed = cmocka_run_group_tests(planned, NULL, NULL);
    if (fum_device_create(&opened, &(struct fum_device_params){.validate = true}, &err)) {
        print_message("no device: %s\n", err.text);
        return failed || getenv("FUM_REQUIRE_DEVICE") ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    if (!fum_variant_usable("coopmat", fum_device_get_info(opened), FUM_F16)) {
        print_message("%s has no cooperative matrices\n", fum_device_get_info(opened)->name);
        fum_device_destroy(&opened);
        return failed;
    }
    return failed + cmocka_run_group_tests(on_device, open_device, close_device);
}
