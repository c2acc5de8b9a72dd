// SPDX-License-Identifier: MIT
// Draws against torch's (tests/golden/rng.py).
#include "test.h"

#include "base/file.h"
#include "base/rng.h"

#include <math.h>

static char *golden;
static size_t golden_bytes;

static int open_golden(void **state) {
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/rng.bin",
             getenv("FUM_TEST_DATA") ? getenv("FUM_TEST_DATA") : "tests/data");
    return fum_file_read(path, 1 << 20, &golden, &golden_bytes, NULL) == FUM_OK ? 0 : -1;
}

static int close_golden(void **state) {
    (void)state;
    fum_free(golden);
    return 0;
}

static void take(size_t *at, void *out, size_t bytes) {
    assert_true(*at + bytes <= golden_bytes);
    memcpy(out, golden + *at, bytes);
    *at += bytes;
}

static void draws_match_torch(void **state) {
    (void)state;
    static float got[4096], want[4096];
    float worst = 0;
    size_t at = 0;
    while (at < golden_bytes) {
        uint32_t kind, calls, n, kept;
        uint64_t seed;
        take(&at, &kind, 4);
        take(&at, &seed, 8);
        take(&at, &calls, 4);
        struct fum_rng rng;
        fum_rng_init(&rng, kind ? FUM_RNG_CUDA : FUM_RNG_CPU, seed);
        for (uint32_t c = 0; c < calls; c++) {
            take(&at, &n, 4);
            take(&at, &kept, 4);
            assert_true(n <= 4096 && kept <= n);
            take(&at, want, kept * sizeof *want);
            fum_rng_normal(&rng, got, n);
            for (uint32_t i = 0; i < kept; i++) {
                uint32_t from = kept == n || i < kept / 2 ? i : n - kept + i;
                worst = fmaxf(worst, fabsf(got[from] - want[i]));
                assert_true(fabsf(got[from] - want[i]) < 1e-6f);
            }
        }
    }
    print_message("worst difference %g\n", (double)worst);
}

static void streams_fork_and_empty_draws_are_free(void **state) {
    (void)state;
    for (int kind = FUM_RNG_CPU; kind <= FUM_RNG_CUDA; kind++) {
        struct fum_rng a, b;
        float x[64], y[64];
        fum_rng_init(&a, (enum fum_rng_kind)kind, 7);
        fum_rng_normal(&a, x, 3);
        b = a;
        fum_rng_normal(&a, NULL, 0);
        fum_rng_normal(&a, x, 64);
        fum_rng_normal(&b, y, 64);
        assert_memory_equal(x, y, sizeof x);
        fum_rng_normal(&a, y, 64);
        assert_memory_not_equal(x, y, sizeof x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_match_torch),
        cmocka_unit_test(streams_fork_and_empty_draws_are_free),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
