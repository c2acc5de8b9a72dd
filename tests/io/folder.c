// SPDX-License-Identifier: MIT
// Diffusers folders: what is found, and the errors that name a missing component.
#include "io.h"

#include "base/alloc.h"
#include "io/folder.h"
#include "io/safetensors.h"

#include <unistd.h>

static void put(const char *name, const char *text) {
    write_file(scratch(name), text, strlen(text));
}

static void make_folder(void) {
    put("model/model_index.json", "{\"_class_name\":\"StableDiffusionPipeline\",\"safety_checker\":"
                                  "[null,null],\"feature_extractor\":"
                                  "[\"transformers\",\"CLIPImageProcessor\"],\"scheduler\":["
                                  "\"diffusers\",\"DDIMScheduler\"],\"text_"
                                  "encoder\":"
                                  "[\"transformers\",\"CLIPTextModel\"],\"tokenizer\":["
                                  "\"transformers\",\"CLIPTokenizer\"],\"unet\":["
                                  "\"diffusers\","
                                  "\"UNet2DConditionModel\"],\"vae\":[\"diffusers\","
                                  "\"AutoencoderKL\"],\"requires_safety_checker\":"
                                  "false}");
    put("model/fumarole.json", "{\"steps\":20}");
    put("model/scheduler/scheduler_config.json", "{\"prediction_type\":\"v_prediction\"}");
    put("model/tokenizer/vocab.json", "{}");
    put("model/text_encoder/config.json", "{\"hidden_size\":8}");
    put("model/text_encoder/model.safetensors", "");
    put("model/unet/config.json", "{\"in_channels\":4}");
    put("model/unet/diffusion_pytorch_model.safetensors", "");
    put("model/unet/diffusion_pytorch_model.fp16.safetensors", "");
    put("model/vae/config.json", "{\"latent_channels\":4}");
    put("model/vae/diffusion_pytorch_model.fp16.safetensors", "");
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static void reads_a_folder(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_folder *f = NULL;
    make_folder();
    assert_true(fum_folder_is(scratch("model")));
    assert_false(fum_folder_is(scratch("model/unet")));
    assert_ok(fum_folder_open(&f, scratch("model"), NULL, &err), err);
    assert_string_equal(fum_folder_class(f), "StableDiffusionPipeline");
    assert_int_equal(fum_json_number(fum_folder_settings(f), "steps", 0), 20);
    assert_int_equal(fum_folder_component_count(f), 6);
    assert_null(fum_folder_component(f, "safety_checker"));
    const struct fum_folder_component *unet = fum_folder_require(f, "unet", &err);
    assert_string_equal(unet->class_name, "UNet2DConditionModel");
    assert_true(ends_with(unet->weights, "unet/diffusion_pytorch_model.safetensors"));
    assert_int_equal(fum_json_number(unet->config, "in_channels", 0), 4);
    assert_true(ends_with(fum_folder_component(f, "vae")->weights, "model.fp16.safetensors"));
    assert_true(ends_with(fum_folder_component(f, "text_encoder")->weights,
                          "text_encoder/model.safetensors"));
    assert_string_equal(
        fum_json_string(fum_folder_component(f, "scheduler")->config, "prediction_type", ""),
        "v_prediction");
    assert_true(ends_with(fum_folder_component(f, "tokenizer")->dir, "model/tokenizer"));
    assert_null(fum_folder_require(f, "text_encoder_2", &err));
    assert_contains(err.text, "text_encoder_2");
    fum_folder_close(&f);
    assert_ok(fum_folder_open(&f, scratch("model"), "fp16", &err), err);
    assert_true(ends_with(fum_folder_component(f, "unet")->weights,
                          "unet/diffusion_pytorch_model.fp16.safetensors"));
    assert_true(ends_with(fum_folder_component(f, "text_encoder")->weights,
                          "text_encoder/model.safetensors"));
    fum_folder_close(&f);
}

static void prefers_an_index_to_nothing(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_folder *f = NULL;
    make_folder();
    unlink(scratch("model/vae/diffusion_pytorch_model.fp16.safetensors"));
    put("model/vae/diffusion_pytorch_model.safetensors.index.json", "{}");
    assert_ok(fum_folder_open(&f, scratch("model"), NULL, &err), err);
    assert_true(ends_with(fum_folder_component(f, "vae")->weights,
                          "diffusion_pytorch_model.safetensors.index.json"));
    fum_folder_close(&f);
    unlink(scratch("model/vae/diffusion_pytorch_model.safetensors.index.json"));
}

// Pickles, in any variant, are taken if a component has no safetensors file.
static void takes_pickles_last(void **state) {
    (void)state;
    static const char *const files[] = {"model/vae/diffusion_pytorch_model.fp16.bin",
                                        "model/vae/diffusion_pytorch_model.bin",
                                        "model/vae/diffusion_pytorch_model.fp16.safetensors"};
    make_folder();
    unlink(scratch(files[2]));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct fum_error err = {0};
        fum_folder *f = NULL;
        put(files[i], "");
        assert_ok(fum_folder_open(&f, scratch("model"), NULL, &err), err);
        assert_true(ends_with(fum_folder_component(f, "vae")->weights, files[i]));
        fum_folder_close(&f);
    }
    unlink(scratch(files[0]));
    unlink(scratch(files[1]));
}

static void expect_error(const char *says) {
    struct fum_error err = {0};
    fum_folder *f = NULL;
    assert_int_not_equal(fum_folder_open(&f, scratch("model"), NULL, &err), FUM_OK);
    assert_null(f);
    assert_contains(err.text, says);
    assert_null(strchr(err.text, '\n'));
}

static void names_what_is_missing(void **state) {
    (void)state;
    make_folder();
    unlink(scratch("model/vae/diffusion_pytorch_model.fp16.safetensors"));
    expect_error("model/vae: has no weights");
    unlink(scratch("model/vae/config.json"));
    expect_error("the component vae has no");
    rmdir(scratch("model/vae"));
    expect_error("names the component vae (AutoencoderKL), but its folder");
    make_folder();
    put("model/unet/config.json", "{");
    expect_error("unet/config.json: not valid JSON");
    make_folder();
    put("model/model_index.json", "{\"../vae\":[\"a\",\"b\"]}");
    expect_error("not a plain name");
    unlink(scratch("model/model_index.json"));
    expect_error("no model_index.json");
    struct fum_error err = {0};
    fum_folder *f = NULL;
    assert_int_equal(fum_folder_open(&f, scratch("nothing-here"), NULL, &err), FUM_ERR_IO);
    assert_contains(err.text, "no such folder");
}

static void survives_no_memory(void **state) {
    (void)state;
    make_folder();
    const char *path = scratch("model");
    for (long n = 0;; n++) {
        fum_folder *f = NULL;
        struct fum_error err = {0};
        fum_alloc_fail_after(n);
        enum fum_result result = fum_folder_open(&f, path, NULL, &err);
        fum_alloc_fail_after(-1);
        bool done = !result;
        if (result) assert_int_equal(result, FUM_ERR_NOMEM);
        fum_folder_close(&f);
        if (done) break;
    }
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(reads_a_folder),     cmocka_unit_test(prefers_an_index_to_nothing),
        cmocka_unit_test(takes_pickles_last), cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(survives_no_memory),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
