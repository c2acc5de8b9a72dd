// SPDX-License-Identifier: MIT
// Runs every tile of the variants "tiled" and "f16" on the device, with and without split sums. A
// tile is put in its place as measuring would put it there. Checks what the classes choose for the
// planning devices, too.

#include "test.h"

#include "base/macros.h"
#include "tile_cases.h"
#include "ops/variants/variant.h"

#include <limits.h>

static int open_device(void **state) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    if (fum_device_create(&device, &(struct fum_device_params){.validate = true}, &err)) {
        print_message("no device: %s\n", err.text);
        exit(getenv("FUM_REQUIRE_DEVICE") ? EXIT_FAILURE : 77);
    }
    *state = device;
    return 0;
}

static int close_device(void **state) {
    fum_device *device = *state;
    int messages = fum_device_validation_messages(device);
    fum_device_destroy(&device);
    return messages;
}

// The case in every tile that the device has room for, whole and split in turn; `both`: each of
// them.
static void every_tile_of(fum_device *device, const struct tile_case *t, enum fum_dtype dtype,
                          bool both) {
    const struct fum_device_info *info = fum_device_get_info(device);
    const struct tile_use use = tile_use(device, t, dtype);
    for (int i = 0; i < fum_tiling_count; i++) {
        int step = (int)fum_tilings[i].bk;
        if (!fum_tiling_fits(&fum_tilings[i], info, 16)) continue;
        if (both || i % 2 == 0) run_tile(&use, i, 1, step);
        if (both || i % 2 == 1) run_tile(&use, i, 3, step);
    }
}

// The list's cases by turns: compiling the kernels takes longer than anything else here.
static void every_tile(fum_device *device, const char *variant, enum fum_dtype dtype, int first) {
    struct fum_error err = {0};
    if (!fum_variant_usable(variant, fum_device_get_info(device), dtype)) return;
    assert_int_equal(fum_device_force_variant(device, variant, &err), FUM_OK);
    for (int i = first; i < TILE_CASES; i += 2)
        every_tile_of(device, &tile_cases[i], dtype, i == 0);
    fum_device_set_variant(device, NULL);
}

// Gated products are not split, and not in tiles of one quad of columns: such tuned choices are
// ignored.
static void every_tile_in_f32(void **state) {
    every_tile(*state, "tiled", FUM_F32, 0);
}
static void every_tile_in_f16(void **state) {
    every_tile(*state, "f16", FUM_F16, 1);
}

// Tiles and splits from a file or a caller that the kernels do not have are ignored.
static void choices_that_are_none(void **state) {
    fum_device *device = *state;
    struct fum_tiling_shape shape = {FUM_F32, false, false, 1, 67, 70, 34, false};
    const struct fum_device_info *info = fum_device_get_info(device);
    struct fum_tiling_choice own = fum_tiling_choose(&shape, info, NULL);
    static const uint32_t wrong[] = {0xffff, 1u << 16 | 999, 0, 9u << 16, 0xfffffffe};
    for (size_t i = 0; i < FUM_COUNT(wrong); i++) {
        struct fum_tuned tuned = {fum_tiling_key(&shape), wrong[i], 0};
        fum_device_set_tuned(device, &tuned, 1);
        struct fum_tiling_choice choice =
            fum_tiling_choose(&shape, info, fum_device_tuning(device));
        assert_int_equal(choice.tile, own.tile);
        assert_int_equal(choice.splits, own.splits);
    }
    fum_device_set_tuned(device, NULL, 0);
}

// ---- the classes ----

struct want {
    const char *device;
    const char *f32, *f16, *bf16; // the variant that comes first without cooperative matrices
    uint32_t side;                // of the tile of a large convolution; 0: not tiled
    bool coopmat;                 // they come first for f16
};

static const struct want wants[] = {
    {"lavapipe", "texel", "texel", "texel", 0, false},
    {"adreno-6xx", "tiled", "f16", "tiled", 64, false},
    {"adreno-7xx", "tiled", "f16", "tiled", 64, false},
    {"mali-g7x", "plain", "plain", "plain", 0, false},
    {"intel-xe", "tiled", "f16", "tiled", 64, false},
    {"intel-arc-windows", "tiled", "f16", "tiled", 64, false},
    {"amd-rdna2", "tiled", "f16", "tiled", 64, false},
    {"amd-rdna3", "tiled", "f16", "tiled", 64, true},
    {"amd-windows", "tiled", "f16", "tiled", 64, false},
    {"nvidia-ampere", "tiled", "tiled", "tiled", 128, false},
    {"nvidia-ada", "tiled", "tiled", "tiled", 128, true},
    {"apple-moltenvk", "tiled", "f16", "tiled", 64, false},
    {"v3d", "tiled", "tiled", "tiled", 32, false},
};

// Only variants that serve products compete: "int8" is for weights in q8_0 alone.
static const char *best_variant(const struct fum_device_info *info, enum fum_dtype dtype) {
    const char *name, *best = "none";
    int least = INT_MAX;
    for (int i = 0; (name = fum_variant_name(i)) != NULL; i++) {
        int rank = fum_variant_rank(name, info, dtype);
        if (rank < 0 || rank >= least || fum_variant_find(name)->only) continue;
        least = rank;
        best = name;
    }
    return best;
}

static void print_tile(const char *device, const char *what, const struct fum_tiling_shape *s,
                       const struct fum_device_info *info) {
    struct fum_tiling_choice c = fum_tiling_choose(s, info, NULL);
    if (c.tile < 0) fail_msg("%s: no tile", device);
    const struct fum_tiling *t = &fum_tilings[c.tile];
    assert_true(fum_tiling_fits(t, info, 16));
    print_message("%-18s %s: %ux%ux%u, %u invocations, %d splits\n", device, what, t->bm, t->bn,
                  t->bk, fum_tiling_threads(t), c.splits);
}

static void classes_choose(void **state) {
    (void)state;
    int count = 0;
    for (; fum_device_planning_name(count); count++) {
        fum_device *device = NULL;
        struct fum_error err;
        const char *name = fum_device_planning_name(count);
        assert_int_equal(fum_device_create_planning(&device, name, &err), FUM_OK);
        const struct fum_device_info *info = fum_device_get_info(device);
        const struct want *want = wants;
        while (want < wants + FUM_COUNT(wants) && strcmp(want->device, name)) want++;
        if (want == wants + FUM_COUNT(wants))
            fail_msg("planning device %s: say what it should choose", name);
        assert_string_equal(best_variant(info, FUM_F32), want->f32);
        // A build with an old shader compiler has no cooperative matrices.
        bool coopmat = want->coopmat && fum_shader_find("gemm_coopmat", FUM_F16);
        assert_string_equal(best_variant(info, FUM_F16), coopmat ? "coopmat" : want->f16);
        assert_string_equal(best_variant(info, FUM_BF16), want->bf16);
        struct fum_tiling_shape large = {FUM_F32, true, false, 1, 8192, 640, 720, false};
        struct fum_tiling_shape small = {FUM_F32, false, false, 1, 128, 1280, 2880, false};
        print_tile(name, "8192 x 640, k 2880", &large, info);
        print_tile(name, "128 x 1280, k 11520", &small, info);
        const struct fum_tiling *t = &fum_tilings[fum_tiling_choose(&large, info, NULL).tile];
        if (want->side) assert_true(t->bm == want->side && t->bn == want->side);
        fum_device_destroy(&device);
    }
    assert_int_equal(count, FUM_COUNT(wants));
}

int main(void) {
    const struct CMUnitTest on_device[] = {
        cmocka_unit_test(every_tile_in_f32),
        cmocka_unit_test(every_tile_in_f16),
        cmocka_unit_test(choices_that_are_none),
    };
    const struct CMUnitTest planning[] = {cmocka_unit_test(classes_choose)};
    int failed = cmocka_run_group_tests(planning, NULL, NULL);
    return failed + cmocka_run_group_tests(on_device, open_device, close_device);
}
