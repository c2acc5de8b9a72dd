// The variant "coopmat": that insisting on it makes every call that it serves run it, on this device and on the planning
// devices that have cooperative matrices; and every tile of it, whole and split, against the references. Skipped where
// neither the build nor a device has them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fumarole/tuning.h>

#include "base/alloc.h"
#include "gpu/tuning.h"
#include "ops/case.h"
#include "ops/coopmat.h"

#include <stdlib.h>
#include <string.h>

static bool is_coopmat(const char *shader) {
    size_t n = strlen(shader), m = strlen("_coopmat");
    return n > m && !strcmp(shader + n - m, "_coopmat");
}

// Not: products of no terms, and outputs of no elements.
static bool served(const struct fum_op_call *call) {
    return fum_shape_count(&call->out.shape) && fum_shape_count(&call->in[0].shape);
}

// Every case of the op in this type is dispatched to the variant's kernels. Returns how many.
static int insist(const struct fum_device_info *info, const struct fum_tuning *tuning, int op, enum fum_dtype dtype) {
    struct fum_dispatches *list = fum_calloc(1, sizeof *list);
    int count = 0;
    assert_non_null(list);
    for (int i = 0; i < fum_op_cases[op]->count; i++) {
        const struct fum_op_case *c = &fum_op_cases[op]->cases[i];
        struct fum_op_call call;
        double attr[FUM_MAX_ATTRS];
        char why[256] = "";
        struct fum_device_info limits = *info;
        if (c->max_binding && c->max_binding < limits.max_binding) limits.max_binding = c->max_binding;
        memset(list, 0, sizeof *list);
        list->info = &limits;
        list->tuning = tuning;
        if (!fum_case_has_type(c, dtype) || !fum_case_call(fum_ops[op], c, dtype, &call, attr, why, sizeof why)) continue;
        if (!served(&call)) continue;
        if (!fum_ops[op]->dispatch(&call, list, why, sizeof why)) fail_msg("%s, %s: %s", info->name, c->name, why);
        if (!list->count || !is_coopmat(list->item[0].shader))
            fail_msg("%s: %s, case '%s' in %s runs %s", info->name, fum_ops[op]->name, c->name, fum_dtype_name(dtype),
                     list->count ? list->item[0].shader : "nothing");
        assert_int_equal(list->item[0].subgroup, info->matrix_subgroup);
        assert_int_equal(list->item[0].spec[0] % info->matrix_subgroup, 0);
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
            for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
                if (!strcmp(fum_ops[op]->name, ops[i]))
                    print_message("%s: %d cases of %s in %s\n", info->name,
                                  insist(info, fum_device_tuning(device), op, dtype), ops[i], fum_dtype_name(dtype));
    }
    fum_device_set_variant(device, NULL);
}

static void planning_devices(void **state) {
    (void)state;
    static const char *const names[] = {"nvidia-ada", "amd-rdna3", "intel-arc-windows"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fum_device *device = NULL;
        struct fum_error err;
        assert_int_equal(fum_device_create_planning(&device, names[i], &err), FUM_OK);
        insist_everywhere(device);
        fum_device_destroy(&device);
    }
}

// ---- on this device ----

static void this_device(void **state) { insist_everywhere(*state); }

#define X(...) {.shape = FUM_DIMS(__VA_ARGS__)}
#define NONE {{0}, 0, 0, 0}

// More than one tile of most kinds along every side, remainders, and terms for three splits.
static const struct fum_op_case product = {
    .name = "67 x 134 x 70", .in = {X(67, 134), X(134, 70), X(70), NONE, X(67, 70)}, .attrs = {{"act", FUM_ACT_SILU}}};
static const struct fum_op_case gated = {
    .name = "67 x 134 x 88, gated", .in = {X(67, 134), X(134, 88), X(88)}, .attrs = {{"gate", FUM_ACT_GELU}}};
static const struct fum_op_case gated_turned = {
    .name = "67 x 128 x 96, gated, transposed", .in = {X(67, 128), X(96, 128), X(96)},
    .attrs = {{"transpose_b", 1}, {"gate", FUM_ACT_SILU}}};
static const struct fum_op_case turned = {
    .name = "67 x 128 x 70, transposed", .in = {X(67, 128), X(70, 128), X(70)}, .attrs = {{"transpose_b", 1}}};
static const struct fum_op_case image = {
    .name = "3x3, 18 to 70, row per image", .in = {X(2, 7, 6, 18), X(3, 3, 18, 70), X(70), X(2, 1, 1, 70), X(2, 7, 6, 70)},
    .attrs = {{"pad", 1}, {"act", FUM_ACT_SILU}}};
static const struct fum_op_case aligned = {
    .name = "3x3, 32 to 72, normalised",
    .in = {X(2, 7, 6, 32), X(3, 3, 32, 72), X(72), NONE, NONE, {FUM_DIMS(2, 2, 32), 0, FUM_CASE_F32, 0}},
    .attrs = {{"pad", 1}, {"norm_act", FUM_ACT_SILU}}};

static void run(fum_device *device, const char *op, const struct fum_op_case *c, struct fum_tiling_shape shape, int tile,
                int splits) {
    struct fum_tuned tuned = {fum_coopmat_key(&shape), fum_tiling_pack((struct fum_tiling_choice){tile, splits}), 0};
    struct fum_case_result first, again;
    struct fum_error err = {0};
    fum_device_set_tuned(device, &tuned, 1);
    enum fum_result r = fum_case_run(device, fum_op_find(op), c, 1, shape.dtype, &first, &err);
    if (!r) r = fum_case_run(device, fum_op_find(op), c, 1, shape.dtype, &again, &err);
    if (r) fail_msg("%s, tile %d, %d splits: %s", c->name, tile, splits, err.text);
    if (!first.pass || first.hash != again.hash)
        fail_msg("%s, tile %d, %d splits: error %g of %g%s", c->name, tile, splits, first.error, first.bound,
                 first.hash != again.hash ? ", other bits when run again" : "");
    assert_int_equal(first.dispatches, splits > 1 ? 2 : 1);
}

static void every_tile(void **state) {
    fum_device *device = *state;
    struct fum_error err = {0};
    assert_int_equal(fum_device_force_variant(device, "coopmat", &err), FUM_OK);
    for (enum fum_dtype dtype = FUM_F16; dtype <= FUM_BF16; dtype++) {
        if (!fum_variant_usable("coopmat", fum_device_get_info(device), dtype)) continue;
        for (int tile = 0; tile < FUM_COOPMAT_TILES; tile++) {
            run(device, "matmul", &product, (struct fum_tiling_shape){dtype, false, false, 1, 67, 70, 34, false}, tile, 1);
            run(device, "matmul", &product, (struct fum_tiling_shape){dtype, false, false, 1, 67, 70, 34, false}, tile, 3);
            run(device, "matmul", &turned, (struct fum_tiling_shape){dtype, false, false, 1, 67, 70, 32, false}, tile, 1);
            run(device, "matmul", &gated, (struct fum_tiling_shape){dtype, false, false, 1, 67, 88, 34, true}, tile, 1);
            run(device, "matmul", &gated_turned, (struct fum_tiling_shape){dtype, false, false, 1, 67, 96, 32, true}, tile, 1);
            run(device, "conv2d", &image, (struct fum_tiling_shape){dtype, true, false, 1, 84, 70, 45, false}, tile, 2);
            run(device, "conv2d", &aligned, (struct fum_tiling_shape){dtype, true, false, 1, 84, 72, 72, false}, tile, 1);
        }
    }
    fum_device_set_tuned(device, NULL, 0);
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
    const struct CMUnitTest on_device[] = {cmocka_unit_test(this_device), cmocka_unit_test(every_tile)};
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
