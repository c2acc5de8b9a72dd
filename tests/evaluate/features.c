// SPDX-License-Identifier: MIT
// Features of pictures: by a narrow Inception v3 against pytorch-fid's network with equal weights
// (tests/golden/inception.py), by a classifier against diffusers' (classifier_features.py).
#define _DEFAULT_SOURCE // mkdtemp
#include "open.h"

#include <fumarole/evaluate.h>

#include "evaluate/set.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *data_path(const char *name) {
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", getenv("FUM_TEST_DATA"), name);
    return path;
}

static const char *network(const char *kind, const char *name) {
    static char text[640];
    snprintf(text, sizeof text, "%s:%s", kind, data_path(name));
    return text;
}

static void assert_rows_near(const struct fum_rows *rows, const struct fum_rows *expected) {
    double error = 0, size = 0;
    assert_int_equal(rows->count, expected->count);
    assert_int_equal(rows->width, expected->width);
    for (size_t i = 0; i < rows->count * rows->width; i++) {
        double difference = (double)rows->f32[i] - (double)expected->f32[i];
        error += difference * difference;
        size += (double)expected->f32[i] * (double)expected->f32[i];
    }
    if (!(sqrt(error) <= 1e-4 * sqrt(size)))
        fail_msg("relative error %g of %zu rows", sqrt(error / size), rows->count);
}

static void check_features(const char *features, const char *folder) {
    char paths[2][640];
    struct fum_error err = {0};
    const struct fum_evaluate_params params = {.features = features};
    struct fum_set_context context = {.params = &params};
    snprintf(paths[0], sizeof paths[0], "%s/pictures", data_path(folder));
    snprintf(paths[1], sizeof paths[1], "%s/features.safetensors", data_path(folder));
    struct fum_set pictures = {.path = paths[0]}, expected = {.path = paths[1]};
    ok(fum_set_open(&expected, &context, &err), &err);
    ok(fum_set_open(&pictures, &context, &err), &err);
    assert_rows_near(&pictures.rows, &expected.rows);
    assert_rows_near(&pictures.scores, &expected.scores);
    assert_string_equal(pictures.origin, params.features);
    fum_set_free(&pictures);
    fum_set_free(&expected);
    fum_features_close(&context.network);
}

static void features_are_those_of_pytorch_fid(void **state) {
    (void)state;
    check_features(network("inception", "inception/narrow.pth"), "inception");
}

static void features_of_a_classifier_are_those_of_diffusers(void **state) {
    (void)state;
    check_features(network("classifier", "classifier"), "classifier");
    check_features(network("classifier", "classifier/model"), "classifier");
}

static void distance_of_pictures_is_that_of_their_features(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_evaluate_result of_pictures, of_features;
    const char *features = data_path("inception/features.safetensors");
    struct fum_evaluate_params params = {.real = data_path("inception/pictures"),
                                         .fake = features,
                                         .count = 4,
                                         .features = network("inception", "inception/narrow.pth"),
                                         .measures = FUM_EVALUATE_FID | FUM_EVALUATE_IS};
    ok(fum_evaluate(&params, &of_pictures, &err), &err);
    assert_int_equal(of_pictures.real_count, 4);
    assert_int_equal(of_pictures.fake_count, 7);
    params.real = features;
    params.fake = data_path("inception/pictures");
    ok(fum_evaluate(&params, &of_features, &err), &err);
    assert_true(of_pictures.fid > 1);
    assert_true(fabs(of_pictures.fid / of_features.fid - 1) < 1e-3);
    assert_int_equal(of_features.splits, 4);
    assert_string_equal(of_features.features, params.features);
}

static void a_model_draws_its_set(void **state) {
    (void)state;
    char model[640], pictures[640];
    struct fum_error err = {0};
    struct fum_evaluate_result result, again;
    snprintf(model, sizeof model, "%s", data_path("model-sd1"));
    snprintf(pictures, sizeof pictures, "%s", data_path("classifier/pictures"));
    struct fum_evaluate_params params = {.real = pictures,
                                         .fake = model,
                                         .features = network("classifier", "classifier"),
                                         .prompt = "cat",
                                         .count = 7,
                                         .seed = 3,
                                         .measures = FUM_EVALUATE_FID};
    ok(fum_evaluate(&params, &result, &err), &err);
    assert_int_equal(result.fake_count, 7);
    assert_int_equal(result.real_count, 9); // all, however many the model draws
    assert_true(result.fid > 0);
    ok(fum_evaluate(&params, &again, &err), &err);
    assert_true(again.fid == result.fid);
    params.seed = 4;
    ok(fum_evaluate(&params, &again, &err), &err);
    assert_true(again.fid != result.fid);
    params.prompt = NULL;
    assert_int_equal(fum_evaluate(&params, &again, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "give --prompt"));
}

// Puts five of the nine pictures into the folder of class 2, the only one that the classifier sees,
// and one into each other. Returns the folder.
static const char *sort_pictures(void) {
    static char folder[] = "/tmp/fumarole-classes-XXXXXX";
    static const int classes[] = {2, 0, 2, 1, 2, 3, 2, 4, 2};
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 9; i++) {
        char from[700], to[128];
        snprintf(from, sizeof from, "%s/%d.png", data_path("classifier/pictures"), i);
        snprintf(to, sizeof to, "%s/%d", folder, classes[i]);
        (void)mkdir(to, 0700); // class 2 comes five times
        snprintf(to, sizeof to, "%s/%d/%d.png", folder, classes[i], i);
        assert_int_equal(symlink(from, to), 0);
    }
    return folder;
}

static void recognised_classes_are_counted(void **state) {
    (void)state;
    const char *folder = sort_pictures();
    char remove[160];
    struct fum_error err = {0};
    struct fum_evaluate_result result;
    struct fum_evaluate_params params = {.real = data_path("classifier/pictures"),
                                         .fake = folder,
                                         .features = network("classifier", "classifier"),
                                         .measures = FUM_EVALUATE_ACCURACY};
    ok(fum_evaluate(&params, &result, &err), &err);
    assert_int_equal(result.measures, FUM_EVALUATE_ACCURACY);
    assert_true(fabs(result.accuracy - 5.0 / 9) < 1e-12);
    snprintf(remove, sizeof remove, "rm -rf '%s/4'", folder); // numbers need not all occur
    assert_int_equal(system(remove), 0);
    ok(fum_evaluate(&params, &result, &err), &err);
    assert_true(fabs(result.accuracy - 5.0 / 8) < 1e-12);
    snprintf(remove, sizeof remove, "rm -rf '%s/0'", folder); // now 1 comes first
    assert_int_equal(system(remove), 0);
    assert_int_equal(fum_evaluate(&params, &result, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "the 3 classes"));
    params.fake = params.real;
    assert_int_equal(fum_evaluate(&params, &result, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "needs a class of each picture"));
    snprintf(remove, sizeof remove, "rm -rf '%s'", folder);
    assert_int_equal(system(remove), 0);
}

static void other_weights_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *features, *says;
    } cases[] = {
        {NULL, "give --features inception:FILE"},
        {"inception", "inception:PATH"},
        {"inceptoin:x", "available: inception, classifier"},
        {"inception:gone.pth", "gone.pth"},
        {"classifier:gone", "gone/model/config.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        struct fum_evaluate_result result;
        const struct fum_evaluate_params params = {.real = data_path("inception/pictures"),
                                                   .fake = data_path("inception/pictures"),
                                                   .features = cases[i].features};
        assert_int_not_equal(fum_evaluate(&params, &result, &err), FUM_OK);
        if (!strstr(err.text, cases[i].says)) fail_msg("\"%s\"", err.text);
    }
    struct fum_error err = {0};
    struct fum_evaluate_result result;
    const struct fum_evaluate_params params = {
        .real = data_path("inception/pictures"),
        .fake = data_path("inception/pictures"),
        .features = network("inception", "inception/features.safetensors")};
    assert_int_equal(fum_evaluate(&params, &result, &err), FUM_ERR_FORMAT);
    if (!strstr(err.text, "Conv2d_1a_3x3.conv.weight is missing")) fail_msg("\"%s\"", err.text);
}

static bool stop_after(void *user, const char *path, size_t done, size_t total) {
    (void)path;
    assert_int_equal(total, 7);
    *(size_t *)user = done;
    return false;
}

static void a_callback_cancels(void **state) {
    (void)state;
    size_t done = 0;
    struct fum_error err = {0};
    struct fum_evaluate_result result;
    const struct fum_evaluate_params params = {.real = data_path("inception/pictures"),
                                               .fake = data_path("inception/pictures"),
                                               .features =
                                                   network("inception", "inception/narrow.pth"),
                                               .on_picture = stop_after,
                                               .user = &done};
    assert_int_equal(fum_evaluate(&params, &result, &err), FUM_ERR_CANCELLED);
    assert_true(done > 0);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(features_are_those_of_pytorch_fid),
        cmocka_unit_test(features_of_a_classifier_are_those_of_diffusers),
        cmocka_unit_test(distance_of_pictures_is_that_of_their_features),
        cmocka_unit_test(a_model_draws_its_set),
        cmocka_unit_test(recognised_classes_are_counted),
        cmocka_unit_test(other_weights_are_refused),
        cmocka_unit_test(a_callback_cancels),
    };
    need_device();
    return cmocka_run_group_tests(list, NULL, NULL);
}
