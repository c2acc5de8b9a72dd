// SPDX-License-Identifier: MIT
// Measures of features against NumPy and SciPy (tests/golden/measures.py), and what is refused.
#include "test.h"

#include <fumarole/evaluate.h>

#include "base/file.h"
#include "base/json.h"
#include "evaluate/measures.h"
#include "evaluate/statistics.h"
#include "io/safetensors.h"

#include <math.h>

static const char *data_path(const char *name, const char *suffix) {
    static char paths[16][600];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/evaluate/%s%s", getenv("FUM_TEST_DATA"), name, suffix);
    return path;
}

static const char *scratch(const char *name) {
    static char paths[16][600];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/evaluate", getenv("FUMAROLE_CACHE"));
    assert_int_equal(fum_path_make_dirs(path, NULL), FUM_OK);
    snprintf(path, sizeof paths[0], "%s/evaluate/%s", getenv("FUMAROLE_CACHE"), name);
    return path;
}

static void assert_near(const char *what, double value, double expected, double bound) {
    if (!(fabs(value - expected) <= bound * fmax(fabs(expected), 1e-3)))
        fail_msg("%s: %.17g, expected %.17g", what, value, expected);
}

static struct fum_evaluate_result evaluate(const struct fum_evaluate_params *params) {
    struct fum_evaluate_result result;
    struct fum_error err = {0};
    ok(fum_evaluate(params, &result, &err), &err);
    return result;
}

static double expected(const cJSON *row, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(row, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void check_row(const cJSON *row) {
    const char *real = fum_json_string(row, "real", ""), *fake = fum_json_string(row, "fake", "");
    const struct fum_evaluate_result r =
        evaluate(&(struct fum_evaluate_params){.real = data_path(real, ".safetensors"),
                                               .fake = data_path(fake, ".safetensors"),
                                               .splits = (int)expected(row, "splits"),
                                               .subset_size = FUM_EVALUATE_WHOLE});
    bool same = !strcmp(real, fake);
    if (same) // rounding against nothing
        assert_true(r.fid >= 0 && r.fid < 1e-9);
    else
        assert_near("fid", r.fid, expected(row, "fid"), 1e-10);
    assert_near("fid of scipy", r.fid, expected(row, "scipy"), same ? 1 : 1e-6);
    assert_near("is_mean", r.is_mean, expected(row, "is_mean"), 1e-12);
    assert_near("is_std", r.is_std, expected(row, "is_std"), 1e-10);
    assert_near("kid", r.kid, expected(row, "kid"), 1e-10);
    assert_string_equal(r.features, "given");
    assert_int_equal(r.width, 12);
    const cJSON *precision = cJSON_GetObjectItemCaseSensitive(row, "precision");
    assert_int_equal(r.measures,
                     precision ? FUM_EVALUATE_ALL : FUM_EVALUATE_ALL & ~FUM_EVALUATE_PR);
    if (!precision) return;
    assert_near("precision", r.precision, expected(row, "precision"), 1e-15);
    assert_near("recall", r.recall, expected(row, "recall"), 1e-15);
}

static void features_are_measured_as_by_numpy(void **state) {
    (void)state;
    struct fum_error err = {0};
    cJSON *rows = NULL;
    ok(fum_json_read(&rows, data_path("measures", ".json"), &err), &err);
    assert_int_equal(cJSON_GetArraySize(rows), 8);
    for (const cJSON *row = rows->child; row; row = row->next) check_row(row);
    cJSON_Delete(rows);
}

static double fid_of(const char *real, const char *fake) {
    const struct fum_evaluate_result r =
        evaluate(&(struct fum_evaluate_params){.real = real, .fake = fake});
    assert_int_equal(r.measures & FUM_EVALUATE_FID, FUM_EVALUATE_FID);
    return r.fid;
}

static void statistics_of_every_form_give_the_same_distance(void **state) {
    (void)state;
    double whole = fid_of(data_path("real", ".safetensors"), data_path("fake", ".safetensors")),
           few = fid_of(data_path("few", ".safetensors"), data_path("fewer", ".safetensors"));
    assert_near("npz", fid_of(data_path("real", ".npz"), data_path("fake", ".npz")), whole, 1e-10);
    assert_near("mixed", fid_of(data_path("real", ".npz"), data_path("fake", ".safetensors")),
                whole, 1e-10);
    assert_near("singular", fid_of(data_path("few", ".npz"), data_path("fewer", ".npz")), few,
                1e-10);
    assert_near("f4", fid_of(data_path("single", ".npz"), data_path("fake", ".npz")), whole, 1e-5);
}

static void saved_statistics_come_back(void **state) {
    (void)state;
    const char *path = scratch("saved.npz"), *real = data_path("real", ".safetensors");
    evaluate(&(struct fum_evaluate_params){.real = real, .save_stats = path});
    assert_near("saved", fid_of(path, data_path("fake", ".safetensors")),
                fid_of(real, data_path("fake", ".safetensors")), 1e-12);
    assert_true(fid_of(path, real) < 1e-9);
}

static double kid_of(int subsets, int size, uint64_t seed) {
    return evaluate(&(struct fum_evaluate_params){.real = data_path("real", ".safetensors"),
                                                  .fake = data_path("fake", ".safetensors"),
                                                  .measures = FUM_EVALUATE_KID,
                                                  .subsets = subsets,
                                                  .subset_size = size,
                                                  .seed = seed})
        .kid;
}

static void kid_of_subsets_estimates_that_of_everything(void **state) {
    (void)state;
    double whole = kid_of(0, FUM_EVALUATE_WHOLE, 0), drawn = kid_of(400, 30, 5);
    assert_true(kid_of(400, 30, 5) == drawn);
    assert_true(kid_of(400, 30, 6) != drawn);
    // The estimator is unbiased, and 400 subsets leave about a twentieth of its deviation.
    assert_near("mean of subsets", drawn, whole, 0.5);
    // Subsets of everything are the same each time.
    assert_near("whole subsets", kid_of(3, 45, 1), kid_of(9, 0, 2), 0.8);
}

static void pairs_of_pictures_are_measured_as_by_scikit_image(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_pairs_result result;
    const char *a = data_path("a", ""), *b = data_path("b", "");
    cJSON *pairs = NULL;
    ok(fum_json_read(&pairs, data_path("pairs", ".json"), &err), &err);
    ok(fum_evaluate_pairs(&(struct fum_evaluate_params){.real = a, .fake = b}, &result, &err),
       &err);
    assert_int_equal(result.count, 4);
    assert_near("psnr", result.psnr, expected(pairs, "psnr"), 1e-12);
    assert_near("ssim", result.ssim, expected(pairs, "ssim"), 1e-10);
    ok(fum_evaluate_pairs(&(struct fum_evaluate_params){.real = a, .fake = a, .count = 2}, &result,
                          &err),
       &err);
    assert_int_equal(result.count, 2);
    assert_true(isinf(result.psnr));
    assert_near("ssim of equal pictures", result.ssim, 1, 1e-12);
    const struct fum_evaluate_params others = {.real = a,
                                               .fake = data_path("../inception/pictures", "")};
    assert_int_equal(fum_evaluate_pairs(&others, &result, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "no pairs"));
    cJSON_Delete(pairs);
}

static void small_pictures_have_no_ssim(void **state) {
    (void)state;
    static const float pixels[110] = {0};
    double ssim;
    struct fum_error err = {0};
    struct fum_picture_pair pair = {pixels, pixels, 10, 11, 1, 255};
    assert_int_equal(fum_ssim(&pair, &ssim, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "at least 11x11 pixels, not 10x11"));
}

// ---- refusals ----

static void assert_refused(const struct fum_evaluate_params *params, const char *says) {
    struct fum_evaluate_result result;
    struct fum_error err = {0};
    assert_int_not_equal(fum_evaluate(params, &result, &err), FUM_OK);
    if (!strstr(err.text, says)) fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    assert_null(strchr(err.text, '\n'));
}

// Writes features[n][d], all zero but for one value.
static const char *write_features(const char *name, int64_t n, int64_t d, float last) {
    float values[64] = {0};
    struct fum_error err = {0};
    assert_true(n * d <= 64);
    values[n * d - 1] = last;
    const struct fum_safetensors_tensor tensor = {
        "features", {.dtype = FUM_F32, .rank = 2, .dim = {n, d}, .data = values}};
    const char *path = scratch(name);
    ok(fum_safetensors_write(path, &(struct fum_safetensors){.tensors = &tensor, .count = 1}, &err),
       &err);
    return path;
}

static void what_cannot_be_measured_is_refused(void **state) {
    (void)state;
    const char *real = data_path("real", ".safetensors"), *npz = data_path("real", ".npz");
    const char *bare = write_features("bare.safetensors", 5, 12, 1),
               *one = write_features("one.safetensors", 1, 12, 1),
               *narrow = write_features("narrow.safetensors", 5, 4, 1);
    const struct {
        struct fum_evaluate_params params;
        const char *says;
    } cases[] = {
        {{.real = npz, .fake = real, .measures = FUM_EVALUATE_KID}, "holds only mu and sigma"},
        {{.real = real, .fake = npz, .measures = FUM_EVALUATE_PR}, "features of FAKE"},
        {{.real = real, .fake = npz, .measures = FUM_EVALUATE_IS}, "logits of FAKE"},
        {{.real = real, .fake = bare, .measures = FUM_EVALUATE_IS}, "logits of FAKE"},
        {{.real = real, .fake = one, .measures = FUM_EVALUATE_FID}, "FAKE has 1"},
        {{.real = real, .fake = one}, "FID needs at least 2 samples"},
        {{.real = one, .fake = real, .measures = FUM_EVALUATE_KID}, "REAL has 1"},
        {{.real = real, .fake = data_path("two", ".safetensors"), .measures = FUM_EVALUATE_PR},
         "at least 4 samples"},
        {{.real = real, .fake = narrow}, "12 numbers each"},
        {{.real = real, .fake = real, .measures = FUM_EVALUATE_KID, .subset_size = 61},
         "the smaller set has 60"},
        {{.real = real, .fake = real, .measures = FUM_EVALUATE_IS, .splits = 61}, "FAKE has 60"},
        {{.real = one, .save_stats = scratch("never.npz")}, "at least 2 samples"},
        {{.real = real, .fake = write_features("nan.safetensors", 3, 12, NAN)},
         "feature 11 of sample 2 is not a number"},
        {{.real = write_features("inf.safetensors", 3, 12, INFINITY), .fake = real}, "infinite"},
        {{.real = real}, "two sets"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(&cases[i].params, cases[i].says);
}

static void measures_that_are_possible_are_chosen(void **state) {
    (void)state;
    const char *real = data_path("real", ".safetensors");
    const struct {
        const char *fake;
        unsigned measures;
    } cases[] = {
        {real, FUM_EVALUATE_ALL},
        {data_path("real", ".npz"), FUM_EVALUATE_FID},
        {data_path("two", ".safetensors"), FUM_EVALUATE_ALL & ~FUM_EVALUATE_PR},
        {write_features("bare2.safetensors", 5, 12, 1), FUM_EVALUATE_ALL & ~FUM_EVALUATE_IS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fum_evaluate_result r =
            evaluate(&(struct fum_evaluate_params){.real = real, .fake = cases[i].fake});
        assert_int_equal(r.measures, cases[i].measures);
    }
}

// ---- sizes beside the tiles ----

static void pairs_of_every_size_have_the_bits_of_plain_sums(void **state) {
    (void)state;
    enum { MOST = 71, WIDTH = 13 };
    static float a[MOST * WIDTH], b[MOST * WIDTH];
    static double out[MOST * MOST];
    uint32_t seed = 1;
    for (size_t i = 0; i < MOST * WIDTH; i++) {
        seed = seed * 1664525 + 1013904223;
        a[i] = (float)(seed >> 8) / 1e6f;
        b[i] = (float)(seed >> 12) / 1e6f - 3;
    }
    static const size_t counts[] = {1, 3, 4, 5, 31, 32, 33, 64, MOST};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        size_t m = counts[k], n = MOST + 1 - m;
        const struct fum_rows x = {.f32 = a, .count = m, .width = WIDTH},
                              y = {.f32 = b, .count = n, .width = WIDTH};
        ok(fum_rows_multiply(&x, &y, out, NULL), NULL);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t c = 0; c < WIDTH; c++)
                    sum += (double)a[i * WIDTH + c] * (double)b[j * WIDTH + c];
                assert_true(out[i * n + j] == sum);
            }
    }
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(features_are_measured_as_by_numpy),
        cmocka_unit_test(statistics_of_every_form_give_the_same_distance),
        cmocka_unit_test(saved_statistics_come_back),
        cmocka_unit_test(kid_of_subsets_estimates_that_of_everything),
        cmocka_unit_test(what_cannot_be_measured_is_refused),
        cmocka_unit_test(measures_that_are_possible_are_chosen),
        cmocka_unit_test(pairs_of_pictures_are_measured_as_by_scikit_image),
        cmocka_unit_test(small_pictures_have_no_ssim),
        cmocka_unit_test(pairs_of_every_size_have_the_bits_of_plain_sums),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
