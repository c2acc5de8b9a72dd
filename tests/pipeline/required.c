// SPDX-License-Identifier: MIT
// Checks that a required text, path or callback of the public interface that is NULL is
// FUM_ERR_ARG, and that the error says what is missing.
#include "test.h"

#include <fumarole/bitmap.h>
#include <fumarole/contents.h>
#include <fumarole/convert.h>
#include <fumarole/dataset.h>
#include <fumarole/evaluate.h>
#include <fumarole/metadata.h>
#include <fumarole/parameters.h>
#include <fumarole/train.h>
#include <fumarole/tuning.h>
#include <fumarole/upscale.h>

#include "base/macros.h"

static fum_device *device;
static fum_model *model;
static fum_pipeline *pipeline;
static fum_tokenizer *tokenizer;

static bool take_image(void *user, const struct fum_image *image) {
    (void)user, (void)image;
    return true;
}

// ---- files ----

static enum fum_result begin_file(struct fum_error *err) {
    fum_file_writer *writer;
    return fum_file_begin(&writer, NULL, err);
}

static enum fum_result save_file(struct fum_error *err) {
    return fum_file_save(NULL, "", 0, err);
}

static enum fum_result append_file(struct fum_error *err) {
    return fum_file_append(NULL, "", 0, err);
}

static enum fum_result check_file(struct fum_error *err) {
    return fum_file_check(NULL, err);
}

static enum fum_result look_at_file(struct fum_error *err) {
    enum fum_file_kind kind;
    return fum_file_look(NULL, &kind, err);
}

static enum fum_result hash_file(struct fum_error *err) {
    char text[FUM_SHA256_TEXT];
    return fum_file_sha256(NULL, text, err);
}

static enum fum_result open_contents(struct fum_error *err) {
    fum_contents *contents;
    return fum_contents_open(&contents, NULL, err);
}

static enum fum_result read_metadata(struct fum_error *err) {
    struct fum_metadata *metadata;
    return fum_metadata_read(&metadata, NULL, err);
}

// ---- models and texts ----

static enum fum_result open_hash(struct fum_error *err) {
    fum_model *opened;
    return fum_model_open_hash(&opened, NULL, NULL, err);
}

static enum fum_result load_tokenizer(struct fum_error *err) {
    fum_tokenizer *loaded;
    return fum_tokenizer_load(&loaded, NULL, NULL, NULL, err);
}

static enum fum_result load_tokenizer_dir(struct fum_error *err) {
    fum_tokenizer *loaded;
    return fum_tokenizer_load_dir(&loaded, NULL, err);
}

static enum fum_result encode_text(struct fum_error *err) {
    struct fum_token_ids ids;
    return fum_tokenizer_encode(tokenizer, NULL, 1, &ids, err);
}

static enum fum_result read_prompt(struct fum_error *err) {
    struct fum_prompt_rows rows;
    return fum_tokenizer_read_prompt(tokenizer, &(struct fum_prompt){.steps = 1}, &rows, err);
}

static bool take_name(void *user, const char *name) {
    (void)user, (void)name;
    return true;
}

static enum fum_result find_loras(struct fum_error *err) {
    return fum_prompt_each_lora(NULL, take_name, NULL, err);
}

static enum fum_result convert_to_nothing(struct fum_error *err) {
    return fum_convert(&(struct fum_convert_params){.path = "model.safetensors"}, err);
}

static enum fum_result convert_nothing(struct fum_error *err) {
    return fum_convert(&(struct fum_convert_params){.output = "model.gguf"}, err);
}

static enum fum_result merge_to_nothing(struct fum_error *err) {
    return fum_adapter_merge(model, &(struct fum_merge_params){0}, err);
}

static enum fum_result merge_no_adapter(struct fum_error *err) {
    const struct fum_adapter unnamed = {.unet_weight = 1};
    return fum_adapter_merge(
        model, &(struct fum_merge_params){&unnamed, 1, NULL, "merged.safetensors", NULL}, err);
}

static enum fum_result extract_to_nothing(struct fum_error *err) {
    return fum_adapter_extract(model, model, &(struct fum_extract_params){.rank = 1}, err);
}

// ---- pictures ----

static const uint8_t pixel[3];
static const struct fum_image image = {.width = 1, .height = 1, .channels = 3, .pixels = pixel};

static enum fum_result save_image(struct fum_error *err) {
    return fum_image_save(&image, NULL, err);
}

static enum fum_result encode_image(struct fum_error *err) {
    struct fum_bytes bytes;
    return fum_image_encode(&image, NULL, &bytes, err);
}

static enum fum_result check_image_name(struct fum_error *err) {
    return fum_image_check_name(NULL, err);
}

static enum fum_result encode_bitmap(struct fum_error *err) {
    const struct fum_bitmap bitmap = {(uint8_t[3]){0}, 1, 1, 3};
    struct fum_bytes bytes;
    return fum_bitmap_encode(&bitmap, &(struct fum_bitmap_format){0}, &bytes, err);
}

static enum fum_result read_noise(struct fum_error *err) {
    float *noise;
    int shape[4];
    return fum_noise_read(NULL, &noise, shape, err);
}

static enum fum_result save_noise(struct fum_error *err) {
    return fum_noise_save(NULL, (float[]){0}, (int[]){1, 1, 1, 1}, err);
}

static enum fum_result save_latents(struct fum_error *err) {
    return fum_latents_save(NULL, (float[]){0}, (int[]){1, 1, 1, 1}, err);
}

static bool take_level(void *user, const struct fum_noise_level *level,
                       const struct fum_image *shown) {
    (void)user, (void)level, (void)shown;
    return true;
}

static enum fum_result diffuse_nothing(struct fum_error *err) {
    return fum_diffuse(&(struct fum_diffuse_params){.on_picture = take_level}, err);
}

static enum fum_result diffuse_in_vain(struct fum_error *err) {
    return fum_diffuse(&(struct fum_diffuse_params){.path = "a.png"}, err);
}

static enum fum_result open_upscaler(struct fum_error *err) {
    fum_upscaler *upscaler;
    return fum_upscaler_create(&upscaler, device, &(struct fum_upscaler_params){0}, err);
}

static enum fum_result upscale_in_vain(struct fum_error *err) {
    return fum_upscaler_run(NULL, &(struct fum_upscale_params){.file = "a.png"}, err);
}

static enum fum_result generate(struct fum_generate_params params, struct fum_error *err) {
    params.width = params.height = 64;
    return fum_generate_check(pipeline, &params, err);
}

static enum fum_result generate_without_prompt(struct fum_error *err) {
    return generate((struct fum_generate_params){.on_image = take_image}, err);
}

static enum fum_result generate_in_vain(struct fum_error *err) {
    return generate((struct fum_generate_params){.prompt = "a cat"}, err);
}

static enum fum_result generate_with_unnamed_adapter(struct fum_error *err) {
    const struct fum_adapter unnamed = {.unet_weight = 1};
    return generate(
        (struct fum_generate_params){
            .prompt = "a cat", .on_image = take_image, .adapters = &unnamed, .num_adapters = 1},
        err);
}

static enum fum_result generate_with_unnamed_control(struct fum_error *err) {
    const struct fum_control unnamed = {.image.path = "a.png"};
    return generate(
        (struct fum_generate_params){
            .prompt = "a cat", .on_image = take_image, .controls = &unnamed, .num_controls = 1},
        err);
}

static enum fum_result interpolate_to_nothing(struct fum_error *err) {
    return generate(
        (struct fum_generate_params){
            .prompt = "a cat", .on_image = take_image, .count = 2, .interpolate = {"1", NULL}},
        err);
}

static enum fum_result invert_nothing(struct fum_error *err) {
    return fum_invert(pipeline, &(struct fum_generate_params){.on_image = take_image}, NULL, err);
}

// ---- data, measures, trainings, graphs ----

static enum fum_result draw_glyphs(struct fum_error *err) {
    return fum_dataset_glyphs(&(struct fum_dataset_glyphs_params){0}, NULL, err);
}

static enum fum_result draw_emoji(struct fum_error *err) {
    return fum_dataset_emoji(&(struct fum_dataset_emoji_params){0}, NULL, err);
}

static enum fum_result evaluate_nothing(struct fum_error *err) {
    struct fum_evaluate_result result;
    return fum_evaluate(&(struct fum_evaluate_params){.fake = "a.npz"}, &result, err);
}

static enum fum_result compare_nothing(struct fum_error *err) {
    struct fum_pairs_result result;
    return fum_evaluate_pairs(&(struct fum_evaluate_params){.fake = "a"}, &result, err);
}

static enum fum_result bound_nothing(struct fum_error *err) {
    struct fum_bits_result result;
    return fum_evaluate_bound(&(struct fum_bits_params){.data = "a"}, &result, err);
}

static enum fum_result estimate_nothing(struct fum_error *err) {
    struct fum_bits_result result;
    return fum_evaluate_likelihood(&(struct fum_bits_params){.model = "a"}, &result, err);
}

static enum fum_result train_nothing(struct fum_error *err) {
    fum_training *training;
    return fum_training_create(&training, device, &(struct fum_training_params){0}, err);
}

static enum fum_result plan_on_nothing(struct fum_error *err) {
    fum_device *planning;
    return fum_device_create_planning(&planning, NULL, err);
}

static enum fum_result read_parameter(struct fum_error *err) {
    fum_parameters *parameters;
    float value;
    if (fum_parameters_create(&parameters, device, err)) return FUM_OK;
    enum fum_result result = fum_parameters_read(parameters, NULL, &value, 1, err);
    fum_parameters_destroy(&parameters);
    return result;
}

// Returns what a graph reports after a call that is wrong.
static enum fum_result build(void (*call)(fum_graph *graph), struct fum_error *err) {
    fum_graph *graph;
    if (fum_graph_create(&graph, FUM_F32, err)) return FUM_OK;
    call(graph);
    enum fum_result result = fum_graph_check(graph, err);
    fum_graph_destroy(&graph);
    return result;
}

static void add_input(fum_graph *graph) {
    assert_null(fum_graph_input(graph, NULL, (struct fum_shape){0}, FUM_F32, FUM_STAGE_STEP));
}

static enum fum_result build_input(struct fum_error *err) {
    return build(add_input, err);
}

static void add_weight(fum_graph *graph) {
    assert_null(fum_graph_weight(graph, NULL, (struct fum_shape){0}, FUM_PACK_NONE));
}

static enum fum_result build_weight(struct fum_error *err) {
    return build(add_weight, err);
}

static void add_nothing(fum_graph *graph) {
    assert_null(fum_graph_add(graph, NULL, NULL, (struct fum_inputs){0}, NULL));
}

static enum fum_result build_nothing(struct fum_error *err) {
    return build(add_nothing, err);
}

static void quantise_as_nothing(fum_graph *graph) {
    fum_graph_quantise(graph, NULL);
}

static enum fum_result build_quantised(struct fum_error *err) {
    return build(quantise_as_nothing, err);
}

// ---- all of them ----

static const struct {
    const char *name;
    enum fum_result (*call)(struct fum_error *err);
} calls[] = {
    {"fum_file_begin", begin_file},
    {"fum_file_save", save_file},
    {"fum_file_append", append_file},
    {"fum_file_check", check_file},
    {"fum_file_look", look_at_file},
    {"fum_file_sha256", hash_file},
    {"fum_contents_open", open_contents},
    {"fum_metadata_read", read_metadata},
    {"fum_model_open_hash", open_hash},
    {"fum_tokenizer_load", load_tokenizer},
    {"fum_tokenizer_load_dir", load_tokenizer_dir},
    {"fum_tokenizer_encode", encode_text},
    {"fum_tokenizer_read_prompt", read_prompt},
    {"fum_prompt_each_lora", find_loras},
    {"fum_convert, output", convert_to_nothing},
    {"fum_convert, path", convert_nothing},
    {"fum_adapter_merge, path", merge_to_nothing},
    {"fum_adapter_merge, adapter", merge_no_adapter},
    {"fum_adapter_extract", extract_to_nothing},
    {"fum_image_save", save_image},
    {"fum_image_encode", encode_image},
    {"fum_image_check_name", check_image_name},
    {"fum_bitmap_encode", encode_bitmap},
    {"fum_noise_read", read_noise},
    {"fum_noise_save", save_noise},
    {"fum_latents_save", save_latents},
    {"fum_diffuse, path", diffuse_nothing},
    {"fum_diffuse, on_picture", diffuse_in_vain},
    {"fum_upscaler_create", open_upscaler},
    {"fum_upscaler_run", upscale_in_vain},
    {"fum_generate, prompt", generate_without_prompt},
    {"fum_generate, on_image", generate_in_vain},
    {"fum_generate, adapter", generate_with_unnamed_adapter},
    {"fum_generate, control", generate_with_unnamed_control},
    {"fum_generate, interpolate", interpolate_to_nothing},
    {"fum_invert", invert_nothing},
    {"fum_dataset_glyphs", draw_glyphs},
    {"fum_dataset_emoji", draw_emoji},
    {"fum_evaluate", evaluate_nothing},
    {"fum_evaluate_pairs", compare_nothing},
    {"fum_evaluate_bound", bound_nothing},
    {"fum_evaluate_likelihood", estimate_nothing},
    {"fum_training_create", train_nothing},
    {"fum_device_create_planning", plan_on_nothing},
    {"fum_parameters_read", read_parameter},
    {"fum_graph_input", build_input},
    {"fum_graph_weight", build_weight},
    {"fum_graph_add", build_nothing},
    {"fum_graph_quantise", build_quantised},
};

static void what_is_required_and_missing_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(calls); i++) {
        struct fum_error err = {0};
        enum fum_result result = calls[i].call(&err);
        if (result != FUM_ERR_ARG || err.code != FUM_ERR_ARG || strstr(err.text, "(null)"))
            fail_msg("%s: %d, %s", calls[i].name, (int)result, err.text);
        assert_true(err.text[0]);
        assert_int_equal(calls[i].call(NULL), FUM_ERR_ARG);
    }
}

static void no_name_finds_nothing(void **state) {
    (void)state;
    struct fum_metadata *metadata;
    struct fum_error err;
    fum_graph *graph;
    ok(fum_metadata_parse(&metadata, "a cat\nSteps: 20, Sampler: Euler, Seed: 1", &err), &err);
    assert_non_null(fum_metadata_find(metadata, "Steps"));
    assert_null(fum_metadata_find(metadata, NULL));
    fum_metadata_destroy(&metadata);
    assert_int_equal(fum_tokenizer_find(tokenizer, NULL), -1);
    assert_false(fum_sampler_accepts(NULL, "karras") || fum_sampler_accepts("euler", NULL));
    assert_null(fum_recipe_summary(NULL));
    assert_null(fum_recipe_defaults(NULL));
    assert_null(fum_variant_summary(NULL));
    ok(fum_graph_create(&graph, FUM_F32, &err), &err);
    assert_non_null(
        fum_graph_input(graph, "x", (struct fum_shape){1, {1}}, FUM_F32, FUM_STAGE_STEP));
    assert_null(fum_graph_find(graph, NULL));
    fum_graph_destroy(&graph);
}

static int open_all(void **state) {
    (void)state;
    struct fum_error err;
    char path[1024];
    snprintf(path, sizeof path, "%s/model-train", getenv("FUM_TEST_DATA"));
    const struct fum_model_params params = {.path = path};
    ok(fum_device_create_planning(&device, "lavapipe", &err), &err);
    ok(fum_model_open(&model, &params, &err), &err);
    ok(fum_pipeline_create(&pipeline, device, model, NULL, &err), &err);
    ok(fum_model_load_tokenizer(&tokenizer, &params, &err), &err);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    fum_tokenizer_destroy(&tokenizer);
    fum_pipeline_destroy(&pipeline);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_required_and_missing_is_named),
        cmocka_unit_test(no_name_finds_nothing),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
