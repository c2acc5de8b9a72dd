// SPDX-License-Identifier: MIT
// The bound of a small model with learned variances is that of PyTorch in double, by
// improved-diffusion's formulas with the noise of tests/data/bound.
#include "../open.h"

#include <fumarole/evaluate.h>

#include <math.h>
#include <stdlib.h>

static void test_bound(void **state) {
    (void)state;
    const char *data = getenv("FUM_TEST_DATA");
    char model[512], pictures[600], noise[600];
    struct fum_error err = {0};
    struct fum_bits_result bits;
    snprintf(model, sizeof model, "%s/bound/model", data ? data : "tests/data");
    snprintf(pictures, sizeof pictures, "%s/../t10k-images-idx3-ubyte", model);
    snprintf(noise, sizeof noise, "%s/../noise.safetensors", model);
    const struct fum_bits_params params = {.model = model, .data = pictures, .replay = noise};
    ok(fum_evaluate_bound(&params, &bits, &err), &err);
    assert_int_equal(bits.count, 3);
    assert_true(fabs(bits.bits - 9.362339893745714) < 1e-5);
    assert_true(fabs(bits.prior_bits - 0.008239614270743921) < 1e-7);
    assert_true(fabs(bits.first_bits - 5.730066263843) < 1e-5);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests_name("evaluate-bound", tests, NULL, NULL);
}
