// SPDX-License-Identifier: MIT
// Holds what a training refuses, and that each message names what is wrong.
#define _DEFAULT_SOURCE // mkdtemp
#include "replayed.h"

#include "base/json.h"
#include "base/macros.h"

static fum_device *device;
static struct replayed run;

// Checks that a training of these parameters is refused, with these words in the message.
static void refuse(const struct fum_training_params *params, enum fum_result code,
                   const char *const *words) {
    struct fum_error err = {0};
    fum_training *training = NULL;
    enum fum_result result = fum_training_create(&training, device, params, &err);
    assert_null(training);
    if (result != code)
        fail_msg("%s: %s, expected %s", fum_result_name(result), err.text, fum_result_name(code));
    for (; *words; words++)
        if (!strstr(err.text, *words)) fail_msg("\"%s\" lacks \"%s\"", err.text, *words);
}

static void refuse_setting(const char *setting, const char *word, const char *other) {
    struct fum_training_params params = replayed_params(&run, "refused");
    const char *settings[MAX_SETTINGS], *const words[] = {word, other, NULL};
    memcpy(settings, run.settings, sizeof run.settings);
    settings[params.num_settings++] = setting;
    params.settings = settings;
    refuse(&params, FUM_ERR_ARG, words);
}

static void test_settings(void **state) {
    (void)state;
    refuse_setting("train.step=3", "train.step", "train.steps");
    refuse_setting("trian.steps=3", "trian.steps", "train.steps");
    refuse_setting("train.steps", "train.steps", "SECTION.KEY=VALUE");
    refuse_setting("train.steps=many", "many", "train.steps");
    refuse_setting("train.steps=0", "train.steps", "\"0\"");
    refuse_setting("train.optimiser=adamm", "adamm", "adamw, adam, sgd");
    refuse_setting("train.lr=nan", "train.lr", "nan");
    refuse_setting("model.arch=unet", "unet", "mlp, conv");
    refuse_setting("model.hidden=5,x", "model.hidden", "5,x");
    refuse_setting("model.hidden=", "model.hidden", "empty");
    refuse_setting("model.activation=elu", "elu", "relu, silu, gelu, tanh");
    refuse_setting("loss.reconstruction=mse", "mse", "bernoulli, gaussian");
}

static void test_sides(void **state) {
    (void)state;
    struct fum_training_params params = replayed_params(&run, "refused");
    static const char *const settings[] = {"model.arch=conv", "model.channels=2,2",
                                           "train.steps=1"};
    static const char *const words[] = {"multiples of 4", "7 × 5", NULL};
    params.settings = settings;
    params.num_settings = 3;
    refuse(&params, FUM_ERR_ARG, words);
}

static void test_recipe(void **state) {
    (void)state;
    struct fum_training_params params = replayed_params(&run, "refused");
    static const char *const words[] = {"vea", "vae", NULL};
    params.recipe = "vea";
    refuse(&params, FUM_ERR_ARG, words);
}

// Weights of a network with another layer: both lists of names stand in the message.
static void test_names(void **state) {
    (void)state;
    struct fum_training_params params = replayed_params(&run, "refused");
    const char *settings[MAX_SETTINGS];
    static const char *const words[] = {"missing: ", "encoder.2.weight", "unknown: none", NULL};
    memcpy(settings, run.settings, sizeof run.settings);
    settings[params.num_settings++] = "model.hidden=11,6,6";
    params.settings = settings;
    refuse(&params, FUM_ERR_FORMAT, words);
    settings[params.num_settings - 1] = "model.hidden=11";
    static const char *const others[] = {"missing: none", "unknown: ", "encoder.1.bias", NULL};
    refuse(&params, FUM_ERR_FORMAT, others);
}

// A weight of another shape.
static void test_shapes(void **state) {
    (void)state;
    struct fum_training_params params = replayed_params(&run, "refused");
    const char *settings[MAX_SETTINGS];
    static const char *const words[] = {"encoder.1", NULL};
    memcpy(settings, run.settings, sizeof run.settings);
    settings[params.num_settings++] = "model.hidden=11,5";
    params.settings = settings;
    refuse(&params, FUM_ERR_FORMAT, words);
}

static void test_replay(void **state) {
    (void)state;
    struct fum_training_params params = replayed_params(&run, "refused");
    const char *settings[MAX_SETTINGS];
    static const char *const words[] = {"50 steps", "needs 51", NULL};
    memcpy(settings, run.settings, sizeof run.settings);
    settings[params.num_settings++] = "train.steps=51";
    params.settings = settings;
    refuse(&params, FUM_ERR_FORMAT, words);
    settings[params.num_settings - 1] = "train.batch=6";
    static const char *const batch[] = {"[50, 5, ", "[50, 6, ", NULL};
    refuse(&params, FUM_ERR_FORMAT, batch);
    params = replayed_params(&run, "refused");
    params.replay = params.init;
    static const char *const none[] = {"no tensor x", NULL};
    refuse(&params, FUM_ERR_FORMAT, none);
}

// Overwrites the first bytes of a tensor in a safetensors file.
static void overwrite_first(const char *path, const char *tensor, uint32_t bits, size_t bytes) {
    struct fum_error err = {0};
    uint64_t header = 0;
    cJSON *json = NULL;
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fread(&header, sizeof header, 1, file), 1);
    char *text = fum_arena_alloc(run.arena, header, 1);
    assert_int_equal(fread(text, 1, header, file), header);
    ok(fum_json_parse(&json, text, header, path, &err), &err);
    const cJSON *place = cJSON_GetObjectItem(cJSON_GetObjectItem(json, tensor), "data_offsets");
    long at = (long)(sizeof header + header) + (long)cJSON_GetArrayItem(place, 0)->valuedouble;
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&bits, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    cJSON_Delete(json);
}

// Checks that a run ends at the first step whose replay holds a value that it cannot take.
static void test_replayed_values(void **state) {
    (void)state;
    struct replayed conditional;
    struct fum_error err = {0};
    char path[512];
    static const struct {
        const char *tensor;
        uint32_t bits; // of the first value
        size_t bytes;
        const char *says;
    } bad[] = {{"t", 1000, 4, "t[0] holds 1000; the run needs 0 to 999"},
               {"t", 0xffffffff, 4, "t[0] holds -1; the run needs 0 to"},
               {"label", 4, 4, "label[0] holds 4; the run needs 0 to 3"},
               {"noise", 0x7e00, 2, "noise[0] holds a value that is no number"}};
    snprintf(path, sizeof path, "%s/train_ddpm_classes.safetensors", getenv("FUM_TEST_DATA"));
    for (size_t i = 0; i < FUM_COUNT(bad); i++) {
        fum_training *training = NULL;
        open_replayed(&conditional, path);
        struct fum_training_params params = replayed_params(&conditional, "bad");
        overwrite_first(params.replay, bad[i].tensor, bad[i].bits, bad[i].bytes);
        ok(fum_training_create(&training, device, &params, &err), &err);
        assert_int_equal(fum_training_run(training, &err), FUM_ERR_FORMAT);
        if (!strstr(err.text, bad[i].says)) fail_msg("\"%s\" lacks \"%s\"", err.text, bad[i].says);
        fum_training_destroy(&training);
        close_replayed(&conditional);
    }
}

static void test_resume(void **state) {
    (void)state;
    struct fum_training_params params = replayed_params(&run, "refused");
    static const char *const words[] = {"state.safetensors", NULL};
    static const char *const both[] = {"step 0", "choose one", NULL};
    params.resume = "/nonexistent";
    refuse(&params, FUM_ERR_ARG, both);
    params.init = NULL;
    refuse(&params, FUM_ERR_IO, words);
}

static int open_all(void **state) {
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/train_vae_mlp.safetensors", getenv("FUM_TEST_DATA"));
    device = open_device(false);
    open_replayed(&run, path);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    close_replayed(&run);
    fum_device_destroy(&device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings), cmocka_unit_test(test_sides),
        cmocka_unit_test(test_recipe),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_shapes),   cmocka_unit_test(test_replay),
        cmocka_unit_test(test_resume),   cmocka_unit_test(test_replayed_values),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
