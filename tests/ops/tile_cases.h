// SPDX-License-Identifier: MIT
// Lists op cases for every tile of the variants that use tiles in shared memory. Runs a case in a
// tile that is put in its place as measuring would put it there.
#include <fumarole/tuning.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "gpu/tuning.h"
#include "check/case.h"
#include "ops/lib/gemm_tiles.h"

#include <string.h>

#define X(...) \
    { .shape = FUM_DIMS(__VA_ARGS__) }
#define NORM(b, c) \
    { .shape = FUM_DIMS(b, 2, c), .type = FUM_CASE_F32 }
#define NONE \
    { {0}, 0, 0, 0 }

struct tile_case {
    const char *op;
    struct fum_op_case c;
    bool splits; // its sum may be split: gated ones are not
    int terms;   // of the sum, those of a tap rounded up to a quad
};

// More than one tile of most kinds along every side, remainders, and terms for three splits. The
// terms of every other one are a multiple of what most tiles take at a step.
static const struct tile_case tile_cases[] = {
    {"matmul",
     {.name = "67 x 134 x 70, silu and residual",
      .in = {X(67, 134), X(134, 70), X(70), NONE, X(67, 70)},
      .attrs = {{"act", FUM_ACT_SILU}}},
     true,
     136},
    {"matmul",
     {.name = "67 x 128 x 70, transposed",
      .in = {X(67, 128), X(70, 128), X(70)},
      .attrs = {{"transpose_b", 1}}},
     true,
     128},
    {"matmul",
     {.name = "67 x 71 x 70, transposed",
      .in = {X(67, 71), X(70, 71), X(70)},
      .attrs = {{"transpose_b", 1}}},
     true,
     72},
    {"matmul",
     {.name = "67 x 128 x 96, gated, transposed",
      .in = {X(67, 128), X(96, 128), X(96)},
      .attrs = {{"transpose_b", 1}, {"gate", FUM_ACT_SILU}}},
     false,
     128},
    {"matmul",
     {.name = "67 x 134 x 88, gated",
      .in = {X(67, 134), X(134, 88), X(88)},
      .attrs = {{"gate", FUM_ACT_GELU}}},
     false,
     136},
    {"conv2d",
     {.name = "3x3, 32 to 72, normalised",
      .in = {X(2, 7, 6, 32), X(3, 3, 32, 72), X(72), NONE, NONE, NORM(2, 32)},
      .attrs = {{"pad", 1}, {"norm_act", FUM_ACT_SILU}}},
     true,
     288},
    {"conv2d",
     {.name = "3x3, 18 to 70, normalised, row per image, silu, residual",
      .in = {X(2, 7, 6, 18), X(3, 3, 18, 70), X(70), X(2, 1, 1, 70), X(2, 7, 6, 70), NORM(2, 18)},
      .attrs = {{"pad", 1}, {"act", FUM_ACT_SILU}, {"norm_act", FUM_ACT_SILU}}},
     true,
     180},
    {"conv2d",
     {.name = "3x3, 32 to 72",
      .in = {X(2, 7, 6, 32), X(3, 3, 32, 72), X(72)},
      .attrs = {{"pad", 1}},
      .quantised = true},
     true,
     288},
    {"matmul",
     {.name = "67 x 128 x 88, gated",
      .in = {X(67, 128), X(128, 88), X(88)},
      .attrs = {{"gate", FUM_ACT_GELU}},
      .quantised = true},
     false,
     128},
};
enum { TILE_CASES = FUM_COUNT(tile_cases) };

// Plans the first dispatch of a case, using what is known of the device. `note` gets the choice
// that it would leave to measuring.
static struct fum_dispatch plan_tile(fum_device *device, const struct tile_case *t,
                                     enum fum_dtype dtype, struct fum_tuning_note *note) {
    struct fum_tuning *tuning = fum_calloc(1, sizeof *tuning);
    struct fum_dispatches *list = fum_calloc(1, sizeof *list);
    struct fum_op_call call;
    double attr[FUM_MAX_ATTRS];
    struct fum_why why = {{0}};
    assert_true(tuning && list);
    *tuning = *fum_device_tuning(device);
    tuning->note = note;
    list->info = fum_device_get_info(device);
    list->tuning = tuning;
    const struct fum_op *op = fum_op_find(t->op);
    // One quantised type is enough: tiles are the same for all.
    const struct fum_case_use use = {op, &t->c, dtype, fum_case_packing(&t->c, 0)};
    if (!fum_case_call(&use, &call, attr, &why) || !op->dispatch(&call, list))
        fail_msg("%s: %s%s", t->c.name, why.text, list->why.text);
    struct fum_dispatch first = list->item[0];
    fum_free(list);
    fum_free(tuning);
    return first;
}

// A case whose tile is chosen by `key`.
struct tile_use {
    fum_device *device;
    const struct tile_case *t;
    enum fum_dtype dtype;
    uint64_t key;
};

static struct tile_use tile_use(fum_device *device, const struct tile_case *t,
                                enum fum_dtype dtype) {
    struct fum_tuning_note note = {0};
    plan_tile(device, t, dtype, &note);
    assert_true(note.count >= 1);
    return (struct tile_use){device, t, dtype, note.key};
}

// The case twice with the choice in its place: within bounds, and the same bits. Returns its
// dispatches.
static int run_choice(const struct tile_use *use, uint32_t value) {
    fum_device *device = use->device;
    const struct tile_case *t = use->t;
    const struct fum_tuned tuned = {use->key, value, 0};
    const struct fum_case_use c = {fum_op_find(t->op), &t->c, use->dtype,
                                   fum_case_packing(&t->c, 0)};
    struct fum_case_result first, again;
    struct fum_error err = {0};
    fum_device_set_tuned(device, &tuned, 1);
    if (fum_case_run(device, &c, &first, &err) || fum_case_run(device, &c, &again, &err))
        fail_msg("%s, choice %#x: %s", t->c.name, value, err.text);
    if (!first.pass || first.hash != again.hash)
        fail_msg("%s in %s, choice %#x: error %g of %g%s", t->c.name, fum_dtype_name(use->dtype),
                 value, first.error, first.bound,
                 first.hash != again.hash ? ", other bits when run again" : "");
    fum_device_set_tuned(device, NULL, 0);
    return first.dispatches;
}

// Runs a product or convolution in tile number `tile`, whose steps have `step` terms, with `splits`
// requested.
static void run_tile(const struct tile_use *use, int tile, int splits, int step) {
    int dispatches = run_choice(use, fum_tiling_pack((struct fum_tiling_choice){tile, splits}));
    assert_int_equal(dispatches, splits > 1 && use->t->splits && use->t->terms > step ? 2 : 1);
}
