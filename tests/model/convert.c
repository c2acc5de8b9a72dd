// SPDX-License-Identifier: MIT
// Conversions: round trips of folders that diffusers saved, types of weights, and what is left
// after a failure.

#include "scratch.h"
#include "test.h"

#include <fumarole/convert.h>

#include "base/alloc.h"
#include "base/block.h"
#include "base/dtype.h"
#include "base/file.h"
#include "io/folder.h"
#include "io/loader.h"
#include "io/safetensors.h"

static const char *model_path(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s/model-%s", getenv("FUM_TEST_DATA"), name);
    return path;
}

static enum fum_result convert(const struct fum_convert_params *params, struct fum_error *err) {
    remove_all(params->output);
    return fum_convert(params, err);
}

static void convert_well(const char *from, const char *to, const char *type, const char *rules) {
    struct fum_error err = {0};
    const struct fum_convert_params params = {
        .path = from, .output = to, .type = type, .type_rules = rules};
    if (convert(&params, &err)) fail_msg("%s to %s: %s", from, to, err.text);
}

static fum_loader *open_file(const char *path) {
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    if (fum_loader_open(&loader, path, &err)) fail_msg("%s", err.text);
    return loader;
}

static void assert_same_tensor(const struct fum_loader_tensor *a,
                               const struct fum_loader_tensor *b) {
    struct fum_error err = {0};
    void *copies[2];
    struct fum_view views[2] = {a->view, b->view};
    uint64_t bytes = fum_view_bytes(&a->view);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->view.dtype, b->view.dtype);
    assert_int_equal(a->view.rank, b->view.rank);
    assert_memory_equal(a->view.dim, b->view.dim, sizeof a->view.dim);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fum_view_load(&views[i], bytes, &copies[i], &err), FUM_OK);
    if (memcmp(views[0].data, views[1].data, (size_t)bytes)) fail_msg("%s differs", a->name);
    fum_free(copies[0]);
    fum_free(copies[1]);
}

static void assert_same_files(const char *a, const char *b) {
    fum_loader *first = open_file(a), *second = open_file(b);
    assert_int_equal(fum_loader_count(first), fum_loader_count(second));
    for (size_t i = 0; i < fum_loader_count(first); i++)
        assert_same_tensor(fum_loader_at(first, i), fum_loader_at(second, i));
    fum_loader_close(&first);
    fum_loader_close(&second);
}

static void assert_same_folders(const char *a, const char *b) {
    struct fum_error err = {0};
    fum_folder *first = NULL, *second = NULL;
    assert_int_equal(fum_folder_open(&first, a, NULL, &err), FUM_OK);
    if (fum_folder_open(&second, b, NULL, &err)) fail_msg("%s", err.text);
    assert_string_equal(fum_folder_class(first), fum_folder_class(second));
    for (size_t i = 0; i < fum_folder_component_count(first); i++) {
        const struct fum_folder_component *one = fum_folder_component_at(first, i),
                                          *other = fum_folder_component(second, one->name);
        if (!other) fail_msg("%s: no %s", b, one->name);
        assert_int_equal(cJSON_Compare(one->config, other->config, true), one->config != NULL);
        if (one->weights) assert_same_files(one->weights, other->weights);
    }
    fum_folder_close(&first);
    fum_folder_close(&second);
}

static void folders_come_back_through_single_files(void **state) {
    (void)state;
    static const char *const models[] = {"sd1", "sd2", "sdxl"};
    static const char *const files[] = {"convert.gguf", "convert.safetensors"};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2; k++) {
            convert_well(model_path(models[i]), files[k], NULL, NULL);
            convert_well(files[k], "convert-folder", NULL, NULL);
            assert_same_folders(model_path(models[i]), "convert-folder");
        }
        convert_well("convert.gguf", "convert-other.safetensors", NULL, NULL);
        assert_same_files("convert.safetensors", "convert-other.safetensors");
    }
}

// ---- types ----

static const struct fum_loader_tensor *get(const fum_loader *loader, const char *name) {
    const struct fum_loader_tensor *t = fum_loader_find(loader, name);
    if (!t) fail_msg("no tensor %s", name);
    return t;
}

#define UNET  "model.diffusion_model."
#define BLOCK UNET "input_blocks.1.1.transformer_blocks.0."

static void blocks_are_for_matrices_of_the_unet(void **state) {
    (void)state;
    convert_well(model_path("sd1"), "convert.gguf", "q8_0", "attn1.to_q=f32,to_q.weight$=q4_0");
    fum_loader *loader = open_file("convert.gguf");
    size_t blocks = 0;
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        blocks += t->view.blocks != NULL;
        if (!t->view.blocks && !strstr(t->name, "to_q"))
            assert_int_equal(t->view.dtype, t->view.rank >= 2 ? FUM_F16 : FUM_F32);
        assert_true(!t->view.blocks || strstr(t->name, "transformer_blocks."));
    }
    assert_true(blocks > 10);
    // The first rule wins.
    assert_string_equal(get(loader, BLOCK "attn1.to_q.weight")->type, "F32");
    assert_string_equal(get(loader, BLOCK "attn2.to_q.weight")->type, "Q4_0");
    assert_string_equal(get(loader, BLOCK "attn1.to_k.weight")->type, "Q8_0");
    assert_string_equal(fum_loader_metadata(loader, "general.architecture"), "sd1");
    fum_loader_close(&loader);
}

static void k_types_fall_back(void **state) {
    (void)state;
    convert_well(model_path("sd1"), "convert.gguf", "q5_K", NULL);
    fum_loader *loader = open_file("convert.gguf");
    const struct fum_loader_tensor *t = get(loader, BLOCK "attn1.to_q.weight");
    assert_int_equal(t->view.dim[1] % 32, 0);
    assert_string_equal(t->type, "Q8_0");
    fum_loader_close(&loader);
}

static void blocks_are_unpacked_and_copied(void **state) {
    (void)state;
    convert_well(model_path("sd1"), "convert.gguf", "q4_0", NULL);
    convert_well("convert.gguf", "convert-copy.gguf", NULL, NULL);
    convert_well("convert.gguf", "convert.safetensors", "f32", NULL);
    fum_loader *first = open_file("convert.gguf"), *copy = open_file("convert-copy.gguf"),
               *unpacked = open_file("convert.safetensors");
    for (size_t i = 0; i < fum_loader_count(first); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(first, i);
        assert_ptr_equal(fum_loader_at(copy, i)->view.blocks, t->view.blocks);
        assert_same_tensor(t, fum_loader_at(copy, i));
        if (t->view.dtype == FUM_F32) assert_same_tensor(t, fum_loader_at(unpacked, i));
        assert_int_equal(fum_loader_at(unpacked, i)->view.dtype, FUM_F32);
    }
    fum_loader_close(&first);
    fum_loader_close(&copy);
    fum_loader_close(&unpacked);
}

#define FIRST_QUERY "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q"

static const char layers_key[] = "_quantization_metadata",
                  layers[] = "{\"layers\":{\"" FIRST_QUERY "\":{\"format\":\"float8_e4m3fn\"},"
                             "\"other\":{\"format\":\"float8_e4m3fn\"}}}",
                  layers_left[] = "{\"layers\":{\"other\":{\"format\":\"float8_e4m3fn\"}}}";

// Copies a file. Matrices whose names hold `part` become f8, beside a factor and ComfyUI's names of
// their format unless that is 0.
static void write_f8(const char *from, const char *to, const char *part, const float *factor) {
    enum { MAX_TENSORS = 1024, MAX_TEXTS = 32, MAX_VALUES = 1 << 16 };
    static uint8_t bytes[MAX_VALUES];
    static char names[MAX_TENSORS][128];
    static const char format[] = "{\"format\": \"float8_e4m3fn\"}";
    struct fum_safetensors_tensor tensors[MAX_TENSORS];
    struct fum_safetensors_text texts[MAX_TEXTS];
    struct fum_safetensors file = {.tensors = tensors, .metadata = texts};
    struct fum_error err = {0};
    fum_loader *loader = open_file(from);
    for (size_t i = 0; i < MAX_VALUES; i++) bytes[i] = (uint8_t)(0x10 + i % 0x30);
    while ((texts[file.metadata_count].value =
                fum_loader_text(loader, file.metadata_count, &texts[file.metadata_count].key)))
        file.metadata_count++;
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        struct fum_safetensors_tensor *out = &tensors[file.count++];
        *out = (struct fum_safetensors_tensor){t->name, t->view};
        if (t->view.rank != 2 || !strstr(t->name, part)) continue;
        out->view.dtype = FUM_F8_E4M3;
        out->view.data = bytes;
        if (!factor) continue;
        char *name = names[file.count];
        snprintf(name, sizeof *names, "%.*sscale_weight", (int)strlen(t->name) - 6, t->name);
        tensors[file.count++] =
            (struct fum_safetensors_tensor){name, {.dtype = FUM_F32, .data = factor}};
        name = names[file.count];
        snprintf(name, sizeof *names, "%.*scomfy_quant", (int)strlen(t->name) - 6, t->name);
        tensors[file.count++] = (struct fum_safetensors_tensor){
            name, {.dtype = FUM_U8, .rank = 1, .dim = {sizeof format - 1}, .data = format}};
    }
    if (factor) {
        texts[file.metadata_count++] = (struct fum_safetensors_text){layers_key, layers};
        tensors[file.count++] = (struct fum_safetensors_tensor){
            "scaled_fp8", {.dtype = FUM_F8_E4M3, .rank = 1, .dim = {2}, .data = bytes}};
    }
    assert_int_equal(fum_safetensors_write(to, &file, &err), FUM_OK);
    fum_loader_close(&loader);
}

// Checks that a tensor holds the values of write_f8 times the factor, in f16.
static void check_f8(const char *path, const char *name, float factor) {
    fum_loader *loader = open_file(path);
    const struct fum_view *view = &get(loader, name)->view;
    size_t count = (size_t)fum_view_count(view);
    float *values = fum_alloc(count, sizeof *values);
    struct fum_error err = {0};
    assert_int_equal(view->dtype, FUM_F16);
    assert_int_equal(fum_view_read_f32(view, values, &err), FUM_OK);
    for (size_t i = 0; i < count; i++) {
        const uint8_t byte = (uint8_t)(0x10 + i % 0x30);
        float value = 0;
        fum_convert_to_f32(&value, &byte, FUM_F8_E4M3, 1);
        assert_true(values[i] == fum_round_to(FUM_F16, value * factor));
    }
    fum_free(values);
    fum_loader_close(&loader);
}

// Types stay, but values with factors and those that are joined have no f8 that holds them.
static void factors_are_multiplied_in(void **state) {
    (void)state;
    static const float factor = 0.0123f;
    static const char text[] = "convert-folder/text_encoder/model.safetensors";
    convert_well(model_path("sd1"), "convert.safetensors", NULL, NULL);
    write_f8("convert.safetensors", "convert-f8.safetensors", "attn1.to_q", &factor);
    convert_well("convert-f8.safetensors", "convert-folder", NULL, NULL);
    check_f8("convert-folder/unet/diffusion_pytorch_model.safetensors",
             "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight", factor);
    convert_well(model_path("sd2"), "convert.safetensors", NULL, NULL);
    convert_well("convert.safetensors", "convert-folder", NULL, NULL);
    write_f8(text, "convert-text.safetensors", "self_attn", NULL);
    remove_all(text);
    assert_int_equal(rename("convert-text.safetensors", text), 0);
    convert_well("convert-folder", "convert-f8.safetensors", NULL, NULL);
    convert_well("convert-f8.safetensors", "convert-folder", NULL, NULL);
    check_f8(text, "encoder.layers.0.self_attn.q_proj.weight", 1);
}

// Counts the tensors of a file that stand beside scaled weights.
static int count_beside(const char *path) {
    fum_loader *loader = open_file(path);
    int count = 0;
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const char *name = fum_loader_at(loader, i)->name;
        count += strstr(name, "scale_weight") || strstr(name, "comfy_quant") ||
                 strstr(name, "scaled_fp8");
    }
    fum_loader_close(&loader);
    return count;
}

static void assert_layers(const char *path, const char *expected) {
    fum_loader *loader = open_file(path);
    const char *key, *value;
    size_t i = 0;
    while ((value = fum_loader_text(loader, i, &key)) && strcmp(key, layers_key) != 0) i++;
    assert_non_null(value);
    assert_string_equal(value, expected);
    fum_loader_close(&loader);
}

// Other programs find neither factors nor formats beside weights of another type, and need none.
static void another_type_leaves_no_factors(void **state) {
    (void)state;
    static const float factor = 0.0123f;
    convert_well(model_path("sd1"), "convert.safetensors", NULL, NULL);
    write_f8("convert.safetensors", "convert-f8.safetensors", "attn1.to_q", &factor);
    int beside = count_beside("convert-f8.safetensors");
    assert_true(beside > 3);
    convert_well("convert-f8.safetensors", "convert-copy.safetensors", NULL, NULL);
    assert_int_equal(count_beside("convert-copy.safetensors"), beside);
    assert_layers("convert-copy.safetensors", layers);
    convert_well("convert-f8.safetensors", "convert-plain.safetensors", "f16", NULL);
    assert_int_equal(count_beside("convert-plain.safetensors"), 0);
    assert_layers("convert-plain.safetensors", layers_left);
    check_f8("convert-plain.safetensors", FIRST_QUERY ".weight", factor);
    convert_well("convert-f8.safetensors", "convert-one.safetensors", NULL, "input_blocks.1.*=f16");
    assert_int_equal(count_beside("convert-one.safetensors"), beside - 2);
    check_f8("convert-one.safetensors", FIRST_QUERY ".weight", factor);
    convert_well("convert-f8.safetensors", "convert.gguf", NULL, NULL);
    assert_int_equal(count_beside("convert.gguf"), 0);
    check_f8("convert.gguf", FIRST_QUERY ".weight", factor);
}

// ---- failures ----

static void wrong_arguments_are_named(void **state) {
    (void)state;
    static const struct {
        const char *output, *type, *rules, *says;
    } cases[] = {
        {"convert.safetensors", "q4_0", NULL, "only .gguf files hold weights in q4_0"},
        {"convert.gguf", "q4", NULL, "no type \"q4\""},
        {"convert.gguf", NULL, "weight", "is not regex=type"},
        {"convert.gguf", NULL, "we(ight=f16", "regular expression"},
        {"convert.zip", NULL, NULL, "end it in .gguf"},
        {"convert-bad", "q8_0", NULL, "only .gguf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        const struct fum_convert_params params = {.path = model_path("sd1"),
                                                  .output = cases[i].output,
                                                  .type = cases[i].type,
                                                  .type_rules = cases[i].rules};
        assert_int_equal(convert(&params, &err), FUM_ERR_ARG);
        if (!strstr(err.text, cases[i].says)) fail_msg("%s", err.text);
        assert_false(fum_path_may_exist(cases[i].output));
    }
}

static void a_folder_is_not_replaced(void **state) {
    (void)state;
    struct fum_error err = {0};
    const struct fum_convert_params params = {.path = model_path("sd1"),
                                              .output = "convert-folder"};
    convert_well(params.path, params.output, "F16", NULL);
    assert_int_equal(fum_convert(&params, &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "it is there"));
}

// What a killed conversion left, or another one writes now, does not become part of a result.
static void an_unfinished_folder_is_not_taken_over(void **state) {
    (void)state;
    static const char other[] = "convert-unfinished.part/other.json";
    struct fum_error err = {0};
    const struct fum_convert_params params = {.path = model_path("sd1"),
                                              .output = "convert-unfinished"};
    remove_all("convert-unfinished.part");
    remove_all("convert-unfinished");
    ok(fum_file_save(other, "{}", 2, &err), &err);
    assert_int_equal(fum_convert(&params, &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "convert-unfinished.part: it is there"));
    assert_true(fum_path_may_exist(other));
    ok(fum_path_remove(other, &err), &err);
    ok(fum_convert(&params, &err), &err);
    const struct fum_convert_params inside = {.path = "convert-unfinished",
                                              .output = "convert-unfinished/again"};
    assert_int_equal(fum_convert(&inside, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "it lies in the model"));
}

static bool stop_late(void *user, const char *file, uint64_t done, uint64_t total) {
    int *calls = user;
    assert_true(done <= total && *file);
    return ++*calls < 320; // in the second file of a folder
}

static void nothing_is_left_after_a_cancellation(void **state) {
    (void)state;
    static const char *const outputs[] = {"convert-stop.gguf", "convert-stop"};
    for (int i = 0; i < 2; i++) {
        struct fum_error err = {0};
        int calls = 0;
        const struct fum_convert_params params = {.path = model_path("sd1"),
                                                  .output = outputs[i],
                                                  .on_progress = stop_late,
                                                  .user = &calls};
        assert_int_equal(convert(&params, &err), FUM_ERR_CANCELLED);
        assert_false(fum_path_may_exist(outputs[i]));
        assert_false(fum_path_may_exist("convert-stop.part"));
    }
}

// Removes what the tests wrote.
static int clean(void **state) {
    (void)state;
    static const char *const names[] = {"convert.gguf", "convert-copy.gguf", "convert.safetensors",
                                        "convert-other.safetensors", "convert-folder"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) remove_all(names[i]);
    return 0;
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(folders_come_back_through_single_files),
        cmocka_unit_test(blocks_are_for_matrices_of_the_unet),
        cmocka_unit_test(k_types_fall_back),
        cmocka_unit_test(blocks_are_unpacked_and_copied),
        cmocka_unit_test(factors_are_multiplied_in),
        cmocka_unit_test(another_type_leaves_no_factors),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(a_folder_is_not_replaced),
        cmocka_unit_test(an_unfinished_folder_is_not_taken_over),
        cmocka_unit_test(nothing_is_left_after_a_cancellation),
    };
    return cmocka_run_group_tests(list, NULL, clean);
}
