// SPDX-License-Identifier: MIT
// Noise varied by a subseed, against A1111's own formula (tests/golden/variation.py).
#include "test.h"

#include "distance.h"

#include "base/file.h"
#include "base/rng.h"
#include "io/loader.h"
#include "pipeline/pipeline.h"

enum { CHANNELS = 4, SIDE = 8, COUNT = CHANNELS * SIDE * SIDE };

// Draws the first noise of seed 7, varied.
static void vary(uint64_t subseed, double strength, float *noise) {
    const struct fum_generate_params params = {
        .seed = 7, .rng = FUM_RNG_CPU, .subseed_strength = strength};
    const struct fum_run run = {.params = &params,
                                .latent_channels = CHANNELS,
                                .latent_width = SIDE,
                                .latent_height = SIDE};
    float room[COUNT];
    struct fum_rng rng;
    fum_rng_init(&rng, FUM_RNG_CPU, 7);
    fum_rng_normal(&rng, noise, COUNT);
    fum_noise_vary(&run, subseed, noise, room);
}

static void assert_matches(const fum_loader *golden, const char *name, const float *noise) {
    const struct fum_loader_tensor *t = fum_loader_find(golden, name);
    assert_non_null(t);
    assert_true(relative_rms(noise, t->view.data, COUNT) < 1e-6);
}

static void noise_varies_as_in_a1111(void **state) {
    static const double strengths[] = {0.1, 0.5, 0.9};
    float noise[COUNT];
    char name[32];
    for (int i = 0; i < 3; i++) {
        vary(9, strengths[i], noise);
        snprintf(name, sizeof name, "%d.noise", i);
        assert_matches(*state, name, noise);
    }
    vary(7, 0.3, noise);
    assert_matches(*state, "same.noise", noise);
}

static void all_pictures_have_one_seed(void **state) {
    struct fum_generate_params params = {.seed = 7};
    const struct fum_run run = {.params = &params};
    (void)state;
    assert_int_equal(fum_run_seed(&run, 3), 10);
    params.subseed_strength = 0.2;
    assert_int_equal(fum_run_seed(&run, 3), 7);
}

int main(void) {
    struct fum_error err = {0};
    fum_loader *golden = NULL;
    char path[1024], *bytes = NULL;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/variation.safetensors", getenv("FUM_TEST_DATA"));
    if (fum_file_read(path, 1 << 20, &bytes, &count, &err) ||
        fum_loader_open_memory(&golden, bytes, count, path, &err))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(noise_varies_as_in_a1111, golden),
        cmocka_unit_test(all_pictures_have_one_seed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fum_loader_close(&golden);
    fum_free(bytes);
    return failed;
}
