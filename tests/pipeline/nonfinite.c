// SPDX-License-Identifier: MIT
// Causes non-finite values on purpose, in copies of the tiny SD1 model. A weight is NaN, or the
// results of weights leave f16's range and come back.
#define _DEFAULT_SOURCE // mkdtemp
#include "picture.h"

#include "base/dtype.h"
#include "base/file.h"
#include "io/loader.h"
#include "io/safetensors.h"

static const char *const folders[] = {"", "scheduler", "text_encoder", "tokenizer", "unet", "vae"};
static const char *const copied[] = {"model_index.json",
                                     "scheduler/scheduler_config.json",
                                     "text_encoder/config.json",
                                     "tokenizer/merges.txt",
                                     "tokenizer/tokenizer_config.json",
                                     "tokenizer/vocab.json",
                                     "unet/config.json",
                                     "vae/config.json"};

enum component { UNET, VAE, TEXT, COMPONENTS };
static const char *const names[COMPONENTS] = {"unet: ", "vae: ", "text_encoder: "};
static const char *const weights[COMPONENTS] = {"unet/diffusion_pytorch_model.safetensors",
                                                "vae/diffusion_pytorch_model.safetensors",
                                                "text_encoder/model.safetensors"};

enum {
    COUNT_COPIED = sizeof copied / sizeof *copied,
    COUNT_FOLDERS = sizeof folders / sizeof *folders
};

static char folder[1024];

static const char *in(const char *base, const char *name) {
    static char paths[2][2200];
    static int which;
    which = !which;
    snprintf(paths[which], sizeof paths[which], "%s/%s", base, name);
    return paths[which];
}

// Changes a tensor's values: multiplies them, or makes the first one NaN (factor NaN).
struct change {
    const char *tensor;
    float factor;
};

static void change_values(const struct change *c, const char *name, float *values, size_t count) {
    if (strcmp(c->tensor, name)) return;
    for (size_t i = 0; i < count && !isnan(c->factor); i++) {
        values[i] *= c->factor;
        // The weight itself stays in f16's range; what it gives does not.
        assert_true(fabsf(values[i]) < 65504);
    }
    if (isnan(c->factor)) values[0] = NAN;
}

// Writes a weight file of the model as f32 with its changes.
static void write_weights(const char *file, const struct change *changes, int num_changes) {
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    ok(fum_loader_open(&loader, in(tiny_path(), file), &err), &err);
    for (int k = 0; k < num_changes; k++)
        assert_non_null(fum_loader_find(loader, changes[k].tensor));
    size_t n = fum_loader_count(loader);
    struct fum_safetensors_tensor *tensors = calloc(n, sizeof *tensors);
    for (size_t i = 0; i < n; i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        size_t count = (size_t)t->bytes / fum_dtype_size(t->view.dtype);
        float *values = malloc(count * sizeof *values);
        struct fum_view view = t->view;
        void *bytes = NULL;
        ok(fum_view_load(&view, t->bytes, &bytes, &err), &err);
        fum_convert_to_f32(values, view.data, view.dtype, count);
        fum_free(bytes);
        for (int k = 0; k < num_changes; k++) change_values(&changes[k], t->name, values, count);
        tensors[i] = (struct fum_safetensors_tensor){t->name, t->view};
        tensors[i].view.dtype = FUM_F32;
        tensors[i].view.data = values;
    }
    ok(fum_safetensors_write(in(folder, file),
                             &(struct fum_safetensors){.tensors = tensors, .count = n}, &err),
       &err);
    for (size_t i = 0; i < n; i++) free((void *)tensors[i].view.data);
    free(tensors);
    fum_loader_close(&loader);
}

static void copy_file(const char *name) {
    struct fum_error err = {0};
    fum_file_writer *writer = NULL;
    char *text = NULL;
    size_t bytes = 0;
    ok(fum_file_read(in(tiny_path(), name), 16 << 20, &text, &bytes, &err), &err);
    ok(fum_file_begin(&writer, in(folder, name), &err), &err);
    ok(fum_file_write(writer, text, bytes, &err), &err);
    ok(fum_file_commit(&writer, &err), &err);
    fum_free(text);
}

// A copy of the model whose component has the changes.
static fum_model *changed_model(enum component component, const struct change *changes,
                                int num_changes) {
    struct fum_error err = {0};
    snprintf(folder, sizeof folder, "%s/fum-nonfinite-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    for (int i = 1; i < COUNT_FOLDERS; i++)
        ok(fum_path_make_dirs(in(folder, folders[i]), &err), &err);
    for (int i = 0; i < COUNT_COPIED; i++) copy_file(copied[i]);
    for (int i = 0; i < COMPONENTS; i++)
        write_weights(weights[i], changes, i == (int)component ? num_changes : 0);
    return open_model(folder);
}

static void remove_model(fum_model **model) {
    fum_model_destroy(model);
    for (int i = 0; i < COUNT_COPIED; i++) remove(in(folder, copied[i]));
    for (int i = 0; i < COMPONENTS; i++) remove(in(folder, weights[i]));
    for (int i = COUNT_FOLDERS - 1; i >= 0; i--)
        assert_int_equal(remove(in(folder, folders[i])), 0);
}

static enum fum_result generate(fum_pipeline *pipe, struct kept *kept, struct fum_error *err) {
    struct fum_generate_params params = {.prompt = "a red ship",
                                         .width = 16,
                                         .height = 16,
                                         .steps = 3,
                                         .guidance = 2,
                                         .sampler = "euler",
                                         .seed = 3,
                                         .on_image = keep,
                                         .user = kept};
    return fum_generate(pipe, &params, err);
}

static void close_all(fum_pipeline **pipe, fum_device **device) {
    fum_pipeline_destroy(pipe);
    assert_int_equal(fum_device_memory_used(*device), 0);
    assert_int_equal(fum_device_validation_messages(*device), 0);
    fum_device_destroy(device);
}

static bool has_f16(fum_device *device) {
    return fum_device_get_info(device)->storage16;
}

// A NaN weight is an error that names its layer, however often and in whatever type it is tried.
static void damaged(enum component component, const char *tensor, const char *layer,
                    enum fum_precision precision) {
    struct change change = {tensor, NAN};
    fum_model *model = changed_model(component, &change, 1);
    fum_device *device = open_device(true);
    struct lines lines = {0};
    struct fum_log log = {keep_line, &lines, FUM_LOG_WARN};
    struct kept kept = {0};
    if (precision == FUM_PRECISION_F32 || has_f16(device)) {
        fum_pipeline *pipe = open_pipeline(device, model, precision, &log);
        for (int i = 0; i < 2; i++) {
            struct fum_error err = {0};
            assert_int_equal(generate(pipe, &kept, &err), FUM_ERR_FORMAT);
            if (!i) print_message("%s%s\n", lines.text, err.text);
            assert_non_null(strstr(err.text, layer));
            assert_non_null(strstr(err.text, names[component]));
            assert_null(strchr(err.text, '\n'));
        }
        assert_int_equal(kept.count, 0);
        fum_pipeline_destroy(&pipe);
    }
    fum_device_destroy(&device);
    remove_model(&model);
}

static void damaged_weights_are_named(void **state) {
    (void)state;
    damaged(UNET, "down_blocks.1.resnets.0.conv1.weight", "down_blocks.1.resnets.0.conv1",
            FUM_PRECISION_F32);
    damaged(UNET, "mid_block.attentions.0.transformer_blocks.0.ff.net.2.bias",
            "mid_block.attentions.0.transformer_blocks.0.ff.net.2", FUM_PRECISION_F16);
    damaged(VAE, "decoder.mid_block.attentions.0.to_k.weight",
            "decoder.mid_block.attentions.0.to_k", FUM_PRECISION_F32);
    damaged(VAE, "decoder.conv_out.bias", "decoder.conv_out", FUM_PRECISION_F16);
    damaged(TEXT, "encoder.layers.1.mlp.fc1.weight", "text_model.encoder.layers.1.mlp.fc1",
            FUM_PRECISION_F16);
}

static struct fum_component *component_of(fum_pipeline *pipe, enum component component) {
    if (component == UNET) return pipe->unet;
    return component == VAE ? pipe->vae : &pipe->components[0];
}

// Weights give values that f16 cannot hold, and a picture comes out all the same. One case is a
// residual block's first convolution, whose result is normalised right after it. The component is
// done again in f32.
static void overflow(enum component component, const char *layer, const struct change *changes,
                     int num_changes) {
    fum_device *device = open_device(true);
    if (!has_f16(device)) {
        fum_device_destroy(&device);
        skip();
    }
    fum_model *model = changed_model(component, changes, num_changes);
    struct lines lines = {0};
    struct fum_log log = {keep_line, &lines, FUM_LOG_WARN};
    struct fum_error err = {0};
    struct kept kept = {0}, right = {0};
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_F16, &log);
    // One line of warning that names the layer, at the first picture only: the component stays f32.
    for (int i = 0; i < 2; i++) {
        ok(generate(pipe, &kept, &err), &err);
        assert_ptr_equal(strchr(lines.text, '\n'), lines.text + strlen(lines.text) - 1);
        assert_non_null(strstr(lines.text, layer));
        assert_non_null(strstr(lines.text, "overflows f16"));
    }
    print_message("%s", lines.text);
    for (int i = 0; i < COMPONENTS; i++)
        assert_int_equal(component_of(pipe, (enum component)i)->storage,
                         i == (int)component ? FUM_F32 : FUM_F16);
    fum_pipeline_destroy(&pipe);
    // The same as from a pipeline that has this component in f32 from the start.
    pipe = open_pipeline(device, model, FUM_PRECISION_F16, NULL);
    component_of(pipe, component)->storage = FUM_F32;
    ok(generate(pipe, &right, &err), &err);
    assert_memory_equal(kept.pixels, right.pixels, right.bytes);
    assert_memory_equal(kept.latents, right.latents, right.latent_count * sizeof(float));
    for (size_t i = 0; i < right.latent_count; i++) assert_true(isfinite(right.latents[i]));
    assert_memory_not_equal(right.pixels, right.pixels + 3, right.bytes - 3); // not one flat colour
    kept_free(&kept);
    kept_free(&right);
    close_all(&pipe, &device);
    remove_model(&model);
}

static void an_overflowing_vae_is_run_in_f32(void **state) {
    (void)state;
    static const struct change changes[] = {{"decoder.up_blocks.1.resnets.0.conv1.weight", 1e5f},
                                            {"decoder.up_blocks.1.resnets.0.conv1.bias", 1e5f}};
    overflow(VAE, "decoder.up_blocks.1.resnets.0.conv1", changes, 2);
}

static void an_overflowing_unet_is_run_in_f32(void **state) {
    (void)state;
    static const struct change changes[] = {{"down_blocks.1.resnets.0.conv1.weight", 1e5f},
                                            {"down_blocks.1.resnets.0.conv1.bias", 1e5f}};
    overflow(UNET, "down_blocks.1.resnets.0.conv1", changes, 2);
}

// A large result of the first layer of an MLP that the second makes small again.
static void an_overflowing_text_encoder_is_run_in_f32(void **state) {
    (void)state;
    static const struct change changes[] = {{"encoder.layers.0.mlp.fc1.weight", 6e4f},
                                            {"encoder.layers.0.mlp.fc1.bias", 6e4f},
                                            {"encoder.layers.0.mlp.fc2.weight", 1e-3f}};
    overflow(TEXT, "text_model.encoder.layers.0.mlp.fc1", changes, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_weights_are_named),
                                       cmocka_unit_test(an_overflowing_vae_is_run_in_f32),
                                       cmocka_unit_test(an_overflowing_unet_is_run_in_f32),
                                       cmocka_unit_test(an_overflowing_text_encoder_is_run_in_f32)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
