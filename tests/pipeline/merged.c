// SPDX-License-Identifier: MIT
// Merged models, extracted LoRAs, and folders that PEFT saved. Each draws what the adapter draws
// that it came from.
#include "distance.h"
#include "open.h"
#include "scratch.h"
#include "test.h"

#include <fumarole/adapter.h>
#include <fumarole/convert.h>
#include <fumarole/pipeline.h>

#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "io/loader.h"
#include "io/safetensors.h"
#include "pipeline/pipeline.h"

enum { LATENTS = 4 * 8 * 8, RANK = 4, MAX_WIDTH = 256 };
static int width = 12; // of the module that adapters are written for

static const char *data_path(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", getenv("FUM_TEST_DATA"), name);
    return path;
}

static bool on_image(void *user, const struct fum_image *image) {
    memcpy(user, image->latents, LATENTS * sizeof(float));
    return true;
}

static fum_model *open_model(const char *path) {
    struct fum_error err = {0};
    fum_model *model = NULL;
    ok(fum_model_open(&model, &(struct fum_model_params){.path = path}, &err), &err);
    return model;
}

// Draws a picture by a model, with the adapter unless it is NULL.
static void draw(fum_device *device, const char *path, const struct fum_adapter *adapter,
                 float *latents) {
    struct fum_error err = {0};
    fum_model *model = open_model(path);
    fum_pipeline *pipe = NULL;
    const struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32};
    ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
    const struct fum_generate_params picture = {.prompt = "a red ship",
                                                .width = 16,
                                                .height = 16,
                                                .steps = 2,
                                                .sampler = "ddim",
                                                .seed = 5,
                                                .adapters = adapter,
                                                .num_adapters = adapter ? 1 : 0,
                                                .on_image = on_image,
                                                .user = latents};
    ok(fum_generate(pipe, &picture, &err), &err);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

// The model of the tests stores f16, so what is merged into it is rounded.
static void merging_and_extracting_give_the_adapter_back(void **state) {
    static const char *const kinds[] = {"adapters/kinds/locon.safetensors", "adapters/lora"};
    float with[LATENTS], merged[LATENTS], extracted[LATENTS], without[LATENTS];
    struct fum_error err = {0};
    char model_path[1024];
    snprintf(model_path, sizeof model_path, "%s", data_path("model-train"));
    draw(*state, model_path, NULL, without);
    for (size_t i = 0; i < FUM_COUNT(kinds); i++) {
        const struct fum_adapter adapter = {data_path(kinds[i]), 0.75F, 0.5F},
                                 found = {"extracted", 1, 1};
        const struct fum_merge_params merge = {
            .adapters = &adapter, .num_adapters = 1, .path = "merged"};
        draw(*state, model_path, &adapter, with);
        fum_model *base = open_model(model_path);
        ok(fum_adapter_merge(base, &merge, &err), &err);
        draw(*state, "merged", NULL, merged);
        fum_model *tuned = open_model("merged");
        static const char *const inside[] = {"merged", "./merged", "merged/unet/again"};
        for (size_t k = 0; k < FUM_COUNT(inside); k++) {
            struct fum_merge_params again = merge;
            again.path = inside[k];
            assert_int_equal(fum_adapter_merge(tuned, &again, &err), FUM_ERR_ARG);
            assert_non_null(strstr(err.text, "it lies in the model"));
        }
        const struct fum_extract_params extract = {.path = "extracted.safetensors", .rank = 3};
        enum fum_result result = fum_adapter_extract(base, tuned, &extract, &err);
        bool lacking = result == FUM_ERR_UNSUPPORTED && strstr(err.text, "without LAPACK");
        if (!lacking) ok(result, &err);
        if (!lacking) draw(*state, model_path, &found, extracted);
        double a = relative_rms(merged, with, LATENTS),
               b = lacking ? 0 : relative_rms(extracted, with, LATENTS),
               far = relative_rms(without, with, LATENTS);
        print_message("%s: merged %.1e, extracted %.1e, without %.1e\n", kinds[i], a, b, far);
        assert_true(far > 0.05);
        assert_true(a < 2e-3 && b < 2e-3);
        fum_model_destroy(&tuned);
        fum_model_destroy(&base);
        remove("extracted.safetensors");
    }
}

static void other_kinds_of_paths_are_refused(void **state) {
    (void)state;
    struct fum_error err = {0};
    const struct fum_adapter none = {"none", 1, 1}, adapter = {data_path("adapters/lora"), 1, 1};
    char path[1024];
    snprintf(path, sizeof path, "%s/model-train", getenv("FUM_TEST_DATA"));
    fum_model *base = open_model(path);
    struct fum_merge_params merge = {.adapters = &adapter, .num_adapters = 1, .path = "x.png"};
    assert_int_equal(fum_adapter_merge(base, &merge, &err), FUM_ERR_ARG);
    merge.path = "merged2";
    merge.adapters = &none;
    assert_int_equal(fum_adapter_merge(base, &merge, &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "no such adapter"));
    const struct fum_extract_params extract = {.path = "same.safetensors", .rank = 3};
    assert_int_equal(fum_adapter_extract(base, base, &extract, &err), FUM_ERR_FORMAT);
    assert_non_null(strstr(err.text, "the same weights"));
    fum_model_destroy(&base);
}

// ---- PEFT's folders ----

#define MODULE "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"

// Writes a LoRA of one module; alpha only if it is not 0.
static void write_lora(const char *path, const char *down, const char *up, float alpha) {
    float a[RANK * MAX_WIDTH], b[MAX_WIDTH * RANK];
    struct fum_error err = {0};
    for (int i = 0; i < RANK * width; i++) {
        a[i] = (float)(i * 37 % 11 - 5) / 8;
        b[i] = (float)(i * 23 % 13 - 6) / 8;
    }
    const struct fum_safetensors_tensor tensors[] = {
        {down, {.dtype = FUM_F32, .rank = 2, .dim = {RANK, width}, .data = a}},
        {up, {.dtype = FUM_F32, .rank = 2, .dim = {width, RANK}, .data = b}},
        {"unet." MODULE ".alpha", {.dtype = FUM_F32, .data = &alpha}}};
    const struct fum_safetensors file = {.tensors = tensors, .count = alpha != 0 ? 3 : 2};
    ok(fum_safetensors_write(path, &file, &err), &err);
}

// A folder's alpha is over the rank, or over its root.
static void a_folder_of_peft_is_an_adapter(void **state) {
    static const struct {
        const char *config;
        float alpha; // that gives the same scale over the rank of 4
    } cases[] = {{"{\"lora_alpha\": 5, \"r\": 4}", 5},
                 {"{\"lora_alpha\": 5, \"r\": 4, \"use_rslora\": true}", 10},
                 {"{\"lora_alpha\": 1, \"r\": 4, \"alpha_pattern\": {\"attn1.to_q\": 3}}", 3}};
    struct fum_error err = {0};
    const struct fum_adapter folder = {"peft", 1, 1}, file = {"kohya.safetensors", 1, 1};
    const char *path = data_path("model-train");
    static const char *const names[][2] = {
        {"base_model.model." MODULE ".lora_A.weight", "base_model.model." MODULE ".lora_B.weight"},
        {"base_model.model.unet." MODULE ".lora_A.weight",
         "base_model.model.unet." MODULE ".lora_B.weight"}};
    for (size_t i = 0; i < FUM_COUNT(cases); i++) {
        float by_folder[LATENTS], by_file[LATENTS];
        write_lora("peft/adapter_model.safetensors", names[i % 2][0], names[i % 2][1], 0);
        ok(fum_file_save("peft/adapter_config.json", cases[i].config, strlen(cases[i].config),
                         &err),
           &err);
        write_lora(file.name, "unet." MODULE ".lora_A.weight", "unet." MODULE ".lora_B.weight",
                   cases[i].alpha);
        draw(*state, path, &folder, by_folder);
        draw(*state, path, &file, by_file);
        assert_memory_equal(by_folder, by_file, sizeof by_file);
    }
    remove(file.name);
}

// Files of the original layout and of GGUF get the changes of a folder, and give them back.
static void other_kinds_of_files_are_merged(void **state) {
    static const char *const files[] = {"one.safetensors", "one.gguf"};
    float with[LATENTS], merged[LATENTS];
    struct fum_error err = {0};
    fum_loader *unet = NULL;
    char path[1024], weights[1100];
    snprintf(path, sizeof path, "%s", data_path("model-sd1"));
    snprintf(weights, sizeof weights, "%s/unet/diffusion_pytorch_model.safetensors", path);
    ok(fum_loader_open(&unet, weights, &err), &err);
    width = fum_loader_dim(unet, "", 0, "%s.weight", MODULE);
    fum_loader_close(&unet);
    assert_in_range(width, 1, MAX_WIDTH);
    const struct fum_adapter adapter = {"sd1.safetensors", 0.5F, 1};
    write_lora(adapter.name, "unet." MODULE ".lora_A.weight", "unet." MODULE ".lora_B.weight", 0);
    width = 12;
    draw(*state, path, &adapter, with);
    for (size_t i = 0; i < FUM_COUNT(files); i++) {
        fum_model *model = open_model(path);
        const struct fum_merge_params merge = {
            .adapters = &adapter, .num_adapters = 1, .path = files[i]};
        ok(fum_adapter_merge(model, &merge, &err), &err);
        fum_model_destroy(&model);
        draw(*state, files[i], NULL, merged);
        double error = relative_rms(merged, with, LATENTS);
        print_message("%s: %.1e\n", files[i], error);
        assert_true(error < 2e-3);
        remove(files[i]);
    }
    remove(adapter.name);
}

// Writes model-sd1 as one file, whose module MODULE is stored in f8 with a factor. A marker names
// the format for ComfyUI.
static void write_scaled(const char *path) {
    enum { MAX_TENSORS = 1024, MAX_TEXTS = 32 };
    static const char plain[] = "plain.safetensors",
                      module[] = "model.diffusion_model.middle_block.1.transformer_blocks.0."
                                 "attn1.to_q.";
    static const float factor = 0.004F;
    static uint8_t bytes[MAX_WIDTH * MAX_WIDTH];
    struct fum_safetensors_tensor tensors[MAX_TENSORS];
    struct fum_safetensors_text texts[MAX_TEXTS];
    struct fum_safetensors file = {.tensors = tensors, .metadata = texts};
    const struct fum_convert_params convert = {.path = data_path("model-sd1"), .output = plain};
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    static const char format[] = "{\"format\": \"float8_e4m3fn\"}";
    char name[128], marker[128];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 % 0x70 + i % 2 * 0x80);
    ok(fum_convert(&convert, &err), &err);
    ok(fum_loader_open(&loader, plain, &err), &err);
    while ((texts[file.metadata_count].value =
                fum_loader_text(loader, file.metadata_count, &texts[file.metadata_count].key)))
        file.metadata_count++;
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        struct fum_safetensors_tensor *out = &tensors[file.count++];
        *out = (struct fum_safetensors_tensor){t->name, t->view};
        if (strncmp(t->name, module, strlen(module))) continue;
        out->view.dtype = FUM_F8_E4M3;
        out->view.data = bytes;
    }
    snprintf(name, sizeof name, "%sscale_weight", module);
    tensors[file.count++] =
        (struct fum_safetensors_tensor){name, {.dtype = FUM_F32, .data = &factor}};
    snprintf(marker, sizeof marker, "%scomfy_quant", module);
    tensors[file.count++] = (struct fum_safetensors_tensor){
        marker, {.dtype = FUM_U8, .rank = 1, .dim = {sizeof format - 1}, .data = format}};
    ok(fum_safetensors_write(path, &file, &err), &err);
    fum_loader_close(&loader);
    remove(plain);
}

// True if a tensor of the file is a marker of ComfyUI.
static bool has_marker(const char *path) {
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    bool found = false;
    ok(fum_loader_open(&loader, path, &err), &err);
    for (size_t i = 0; i < fum_loader_count(loader); i++)
        found = found || strstr(fum_loader_at(loader, i)->name, "comfy_quant");
    fum_loader_close(&loader);
    return found;
}

// A weight with a factor is merged without one, and without the marker of its format.
static void scaled_weights_are_merged(void **state) {
    static const char *const outputs[] = {"one.safetensors", "one.gguf", "whole"};
    const struct fum_adapter adapter = {"sd1.safetensors", 0.5F, 1};
    float with[LATENTS], without[LATENTS], merged[LATENTS];
    struct fum_error err = {0};
    write_scaled("scaled.safetensors");
    assert_true(has_marker("scaled.safetensors"));
    width = 48;
    write_lora(adapter.name, "unet." MODULE ".lora_A.weight", "unet." MODULE ".lora_B.weight", 0);
    width = 12;
    draw(*state, "scaled.safetensors", &adapter, with);
    draw(*state, "scaled.safetensors", NULL, without);
    assert_true(relative_rms(with, without, LATENTS) > 1e-2);
    for (size_t i = 0; i < FUM_COUNT(outputs); i++) {
        fum_model *model = open_model("scaled.safetensors");
        const struct fum_merge_params merge = {
            .adapters = &adapter, .num_adapters = 1, .path = outputs[i]};
        remove_all(outputs[i]);
        ok(fum_adapter_merge(model, &merge, &err), &err);
        fum_model_destroy(&model);
        draw(*state, outputs[i], NULL, merged);
        double error = relative_rms(merged, with, LATENTS);
        print_message("%s: %.1e\n", outputs[i], error);
        assert_true(error < 2e-3);
        if (i == 0) assert_false(has_marker(outputs[i]));
        remove_all(outputs[i]);
    }
    remove(adapter.name);
}

// ---- beside the weights ----

// Draws the pictures of several sets with one pipeline, and again without adapters.
static void draw_sets(fum_device *device, const char *weights, enum fum_adapter_mode mode,
                      float latents[3][LATENTS]) {
    static const char *const names[] = {"lora_all", "kinds/locon"};
    struct fum_error err = {0};
    char dir[1024];
    snprintf(dir, sizeof dir, "%s", data_path("adapters"));
    fum_model *model = open_model(data_path("model-train"));
    fum_pipeline *pipe = NULL;
    const struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32, .weights = weights};
    ok(fum_pipeline_create(&pipe, device, model, &params, &err), &err);
    for (int i = 0; i < 3; i++) {
        const struct fum_adapter set[] = {{names[0], 0.75F, 0.5F}, {names[1], 0.5F, 1}};
        const struct fum_generate_params picture = {.prompt = "a red ship",
                                                    .width = 16,
                                                    .height = 16,
                                                    .steps = 2,
                                                    .seed = 5,
                                                    .adapters = set,
                                                    .num_adapters = 2 - i,
                                                    .adapter_dir = dir,
                                                    .adapter_mode = mode,
                                                    .on_image = on_image,
                                                    .user = latents[i]};
        ok(fum_generate(pipe, &picture, &err), &err);
    }
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
}

static void beside_the_weights_is_the_same_as_merged(void **state) {
    static const char *const weights[] = {NULL, "q8_0"};
    for (int i = 0; i < 2; i++) {
        float merged[3][LATENTS], beside[3][LATENTS];
        draw_sets(*state, weights[i], FUM_ADAPTERS_MERGED, merged);
        draw_sets(*state, weights[i], FUM_ADAPTERS_BESIDE, beside);
        for (int k = 0; k < 3; k++) {
            double error = relative_rms(beside[k], merged[k], LATENTS);
            print_message("%s, set %d: %.1e\n", weights[i] ? weights[i] : "f32", k, error);
            assert_true(error < (weights[i] ? 2e-2 : 1e-4));
        }
        assert_true(relative_rms(beside[0], beside[2], LATENTS) > 0.05);
        assert_memory_equal(beside[2], merged[2], sizeof beside[2]);
    }
}

// Draws with one LoRA beside the weights. Returns the UNet's executable.
static const fum_executable *draw_beside(fum_pipeline *pipe, float weight, float *latents) {
    struct fum_error err = {0};
    char dir[1024];
    snprintf(dir, sizeof dir, "%s", data_path("adapters"));
    const struct fum_adapter lora = {"lora_all", weight, weight};
    const struct fum_generate_params picture = {.prompt = "a red ship",
                                                .width = 16,
                                                .height = 16,
                                                .steps = 2,
                                                .seed = 5,
                                                .adapters = &lora,
                                                .num_adapters = weight != 0,
                                                .adapter_dir = dir,
                                                .adapter_mode = FUM_ADAPTERS_BESIDE,
                                                .on_image = on_image,
                                                .user = latents};
    ok(fum_generate(pipe, &picture, &err), &err);
    return pipe->unet->compiled.exe;
}

// Another weight of the same LoRA is loaded into the same graph.
static void another_weight_keeps_the_graph(void **state) {
    float first[LATENTS], changed[LATENTS], fresh[LATENTS], none[LATENTS];
    struct fum_error err = {0};
    fum_model *model = open_model(data_path("model-train"));
    fum_pipeline *pipe = NULL, *other = NULL;
    const struct fum_pipeline_params params = {.precision = FUM_PRECISION_F32};
    ok(fum_pipeline_create(&pipe, *state, model, &params, &err), &err);
    ok(fum_pipeline_create(&other, *state, model, &params, &err), &err);
    const fum_executable *exe = draw_beside(pipe, 1, first);
    const fum_executable *again = draw_beside(pipe, 0.25F, changed);
    assert_ptr_equal(again, exe);
    draw_beside(other, 0.25F, fresh);
    assert_memory_equal(changed, fresh, sizeof fresh);
    assert_true(relative_rms(changed, first, LATENTS) > 1e-3);
    draw_beside(pipe, 0, none);
    assert_true(relative_rms(none, fresh, LATENTS) > 1e-3);
    draw_beside(pipe, 1, changed);
    assert_memory_equal(changed, first, sizeof first);
    fum_pipeline_destroy(&pipe);
    fum_pipeline_destroy(&other);
    fum_model_destroy(&model);
}

static int open_all(void **state) {
    *state = open_device(true);
    return 0;
}

static int close_all(void **state) {
    fum_device *device = *state;
    fum_device_destroy(&device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_and_extracting_give_the_adapter_back),
        cmocka_unit_test(other_kinds_of_paths_are_refused),
        cmocka_unit_test(a_folder_of_peft_is_an_adapter),
        cmocka_unit_test(other_kinds_of_files_are_merged),
        cmocka_unit_test(scaled_weights_are_merged),
        cmocka_unit_test(beside_the_weights_is_the_same_as_merged),
        cmocka_unit_test(another_weight_keeps_the_graph),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
