// SPDX-License-Identifier: MIT
// Likelihoods of small score models are those of PyTorch in double and SciPy's RK45, with the same
// signs for the divergence (tests/golden/likelihood.py).
#define _DEFAULT_SOURCE // mkdtemp, symlink
#include "../pipeline/pixels.h"

#include <fumarole/evaluate.h>

static bool check_number(const cJSON *spec, const char *name, double got) {
    double want = fum_json_number(spec, name, (double)NAN), error = fabs(got - want);
    print_message("%10s %.9g, not %.9g\n", name, got, want);
    return error <= 1e-3 * fabs(want);
}

static bool check_case(struct context *c, const cJSON *spec) {
    struct fum_error err = {0};
    struct fum_bits_result bits;
    const char *data = getenv("FUM_TEST_DATA");
    char pictures[MAX_PATH], signs[MAX_PATH];
    join(pictures, data, "likelihood");
    join(signs, data, "likelihood.safetensors");
    make_folder(c, fum_json_string(spec, "unet", ""),
                fum_json_string(spec, "index", "DDPMPipeline"), cJSON_GetObjectItem(spec, "file"));
    const struct fum_bits_params params = {.model = c->folder,
                                           .data = pictures,
                                           .replay = signs,
                                           .tolerance = fum_json_number(spec, "tolerance", 0)};
    ok(fum_evaluate_likelihood(&params, &bits, &err), &err);
    remove_folder(c);
    assert_int_equal(bits.count, 3);
    bool good = check_number(spec, "bits", bits.bits);
    good = check_number(spec, "prior", bits.prior_bits) && good;
    good = check_number(spec, "log_p", bits.log_p) && good;
    print_message("%d evaluations, not %g\n", bits.evaluations,
                  fum_json_number(spec, "evaluations", 0));
    return good;
}

static void likelihoods_are_those_of_scipy(void **state) {
    struct context *c = *state;
    int bad = 0;
    const cJSON *spec;
    cJSON_ArrayForEach(spec, c->golden.cases) bad += !check_case(c, spec);
    assert_int_equal(cJSON_GetArraySize(c->golden.cases), 3);
    assert_int_equal(bad, 0);
}

static int set_up(void **state) {
    static struct context c;
    *state = &c;
    return set_up_golden(&c, "likelihood");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(likelihoods_are_those_of_scipy)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
