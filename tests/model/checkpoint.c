// SPDX-License-Identifier: MIT
// Checks single files in the original layout: family and configurations must follow from shapes.
// Every tensor that diffusers' conversion yields must be found under its diffusers name with the
// same numbers (tests/golden/checkpoints.py).
#include "../io/io.h"

#include "base/alloc.h"
#include "base/dtype.h"
#include "model/checkpoint.h"
#include "io/loader.h"
#include "io/safetensors.h"
#include "model/names.h"

enum { MAX_TENSORS = 2000 };

struct golden {
    cJSON *json;
    struct fum_safetensors_tensor tensors[MAX_TENSORS];
    size_t count;
};

// The numbers of checkpoints.py: they follow from the tensor's name.
static float *fill(const char *name, size_t count) {
    uint32_t seed = 2166136261u;
    for (const char *c = name; *c; c++) seed = (seed ^ (uint8_t)*c) * 16777619u;
    float *values = malloc((count ? count : 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = (float)((seed + i * 40503) & 0xffff);
    return values;
}

static uint32_t checksum(const struct fum_view *view, size_t count) {
    uint32_t sum = 0;
    float *values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    assert_int_equal(fum_view_read(view, 0, count * sizeof *values, values, NULL), FUM_OK);
    for (size_t i = 0; i < count; i++) sum += (uint32_t)values[i] * (uint32_t)(2 * i + 1);
    free(values);
    return sum;
}

static void golden_open(struct golden *g, const char *family) {
    char path[600];
    struct fum_error err = {0};
    snprintf(path, sizeof path, "%s/ckpt_%s.json", getenv("FUM_TEST_DATA"), family);
    assert_ok(fum_json_read(&g->json, path, &err), err);
    g->count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(g->json, "file")) {
        assert_true(g->count < MAX_TENSORS);
        struct fum_safetensors_tensor *t = &g->tensors[g->count++];
        *t = (struct fum_safetensors_tensor){.name = item->child->valuestring};
        size_t count = 1;
        for (const cJSON *d = item->child->next; d; d = d->next) {
            t->view.dim[t->view.rank++] = (int64_t)d->valuedouble;
            count *= (size_t)d->valuedouble;
        }
        t->view.data = fill(t->name, count);
    }
}

static void golden_close(struct golden *g) {
    for (size_t i = 0; i < g->count; i++) free((void *)(uintptr_t)g->tensors[i].view.data);
    cJSON_Delete(g->json);
}

static fum_loader *golden_file(const struct golden *g, const char *name,
                               const struct fum_safetensors_text *text) {
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    const char *path = scratch(name);
    assert_ok(fum_safetensors_write(path,
                                    &(struct fum_safetensors){.tensors = g->tensors,
                                                              .count = g->count,
                                                              .metadata = text,
                                                              .metadata_count = text ? 1 : 0},
                                    &err),
              err);
    assert_ok(fum_loader_open(&loader, path, &err), err);
    return loader;
}

// Every key of the golden configuration that follows from a file must be derived alike.
static void check_config(const cJSON *derived, const cJSON *golden, const char *part) {
    assert_non_null(derived);
    const cJSON *item;
    cJSON_ArrayForEach(item, golden) {
        if (!strcmp(item->string, "norm_num_groups") || strstr(item->string, "_token_id")) continue;
        const cJSON *ours = cJSON_GetObjectItemCaseSensitive(derived, item->string);
        if (!ours || !cJSON_Compare(ours, item, true)) {
            char *a = cJSON_PrintUnformatted(ours), *b = cJSON_PrintUnformatted(item);
            fail_msg("%s: \"%s\" is %s, not %s", part, item->string, a ? a : "absent", b);
        }
    }
}

static void check_part(const fum_loader *loader, const cJSON *golden, const cJSON *config,
                       bool *used) {
    struct fum_error err = {0};
    fum_names *names = NULL;
    assert_true(fum_names_has_component(loader, golden->string));
    assert_ok(fum_names_create(&names, loader, golden->string, config, &err), err);
    struct fum_weight_source source = fum_names_source(names);
    const cJSON *item;
    cJSON_ArrayForEach(item, golden) {
        const char *name = item->child->valuestring;
        struct fum_view view, again;
        size_t index = 0, count = 1;
        if (!fum_names_find(names, name, &view, &index))
            fail_msg("%s %s is not found", golden->string, name);
        used[index] = true;
        assert_true(fum_names_owns(names, index));
        int rank = 0;
        for (const cJSON *d = item->child->next->next; d; d = d->next, rank++) {
            if (rank >= view.rank || view.dim[rank] != (int64_t)d->valuedouble)
                fail_msg("%s: another shape", name);
            count *= (size_t)d->valuedouble;
        }
        assert_int_equal(rank, view.rank);
        if (checksum(&view, count) != (uint32_t)item->child->next->valuedouble)
            fail_msg("%s: other numbers", name);
        assert_true(source.find(source.user, name, &again));
        assert_true(again.data == view.data && again.offset == view.offset);
        // transformers 5 has dropped the prefix.
        if (!strncmp(name, "text_model.", 11)) {
            assert_true(fum_names_find(names, name + 11, &again, NULL));
            assert_true(again.data == view.data && again.offset == view.offset);
        }
        char text[300];
        fum_names_in_file(names, name, text, sizeof text);
        if (!strncmp(golden->string, "text", 4)) continue; // the prefix may differ there
        assert_ptr_equal(fum_loader_find(loader, text), fum_loader_at(loader, index));
    }
    struct fum_view view;
    assert_false(fum_names_find(names, "down_blocks.99.resnets.0.conv1.weight", &view, NULL));
    assert_false(fum_names_find(names, "encoder.layers.99.self_attn.q_proj.weight", &view, NULL));
    assert_false(fum_names_find(names, "", &view, NULL));
    char lengthy[2000];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = 0;
    assert_false(fum_names_find(names, lengthy, &view, NULL));
    memcpy(lengthy, "down_blocks.0.resnets.0.conv1.", 30);
    assert_false(fum_names_find(names, lengthy, &view, NULL));
    fum_names_destroy(&names);
}

static const cJSON *config_of(const struct fum_checkpoint *c, const char *part) {
    if (!strcmp(part, "unet")) return c->unet;
    if (!strcmp(part, "vae")) return c->vae;
    return !strcmp(part, "text_encoder") ? c->text_encoder : c->text_encoder_2;
}

// Writes a component under diffusers' names, by the names and shapes of the golden list.
static fum_loader *component_file(const cJSON *golden) {
    static const float zeros[1 << 16];
    static struct fum_safetensors_tensor tensors[MAX_TENSORS];
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, golden) {
        assert_true(count < MAX_TENSORS);
        struct fum_safetensors_tensor *t = &tensors[count++];
        *t = (struct fum_safetensors_tensor){.name = item->child->valuestring};
        for (const cJSON *d = item->child->next->next; d; d = d->next)
            t->view.dim[t->view.rank++] = (int64_t)d->valuedouble;
        assert_true(fum_view_count(&t->view) <= sizeof zeros / sizeof *zeros);
        t->view.data = zeros;
    }
    const char *path = scratch("component.safetensors");
    assert_ok(fum_safetensors_write(
                  path, &(struct fum_safetensors){.tensors = tensors, .count = count}, &err),
              err);
    assert_ok(fum_loader_open(&loader, path, &err), err);
    return loader;
}

// The configurations must follow from diffusers' names as from the original layout's.
static void check_named(const struct golden *g, const struct fum_checkpoint *c) {
    struct fum_error err = {0};
    const cJSON *part, *configs = cJSON_GetObjectItem(g->json, "config");
    cJSON_ArrayForEach(part, cJSON_GetObjectItem(g->json, "parts")) {
        const cJSON *golden = cJSON_GetObjectItem(configs, part->string);
        fum_loader *loader = component_file(part);
        struct fum_checkpoint named = {0};
        bool unet = !strcmp(part->string, "unet"), vae = !strcmp(part->string, "vae"), openclip;
        int pooled =
            c->text_encoder_2 ? (int)fum_json_number(c->text_encoder_2, "projection_dim", 0) : 0;
        const char *prefix = fum_names_find_prefix(loader, part->string, &openclip);
        assert_string_equal(prefix, "");
        if (unet) {
            assert_ok(fum_checkpoint_detect_unet(&named, loader, NULL, pooled, &err), err);
            // The family, and with it the heads, shows in the width of the context alone.
            assert_non_null(named.unet);
            cJSON_ReplaceItemInObject(
                named.unet, "attention_head_dim",
                cJSON_Duplicate(cJSON_GetObjectItem(c->unet, "attention_head_dim"), true));
            check_config(named.unet, golden, "unet");
        }
        if (vae) {
            named.vae = fum_checkpoint_vae_config(loader, "", c->family, 512, &err);
            check_config(named.vae, golden, "vae");
        }
        fum_checkpoint_free(&named);
        fum_loader_close(&loader);
    }
}

static void check_family(const char *name, const char *family, const char *kind,
                         const char *prediction) {
    static struct golden g;
    struct fum_error err = {0};
    struct fum_checkpoint c;
    golden_open(&g, name);
    fum_loader *loader = golden_file(&g, "family.safetensors", NULL);
    assert_ok(fum_checkpoint_detect(&c, loader, &err), err);
    assert_string_equal(c.family->name, family);
    assert_string_equal(fum_checkpoint_kind(c.in_channels), kind);
    assert_string_equal(c.prediction, prediction);
    assert_string_equal(fum_json_string(c.scheduler, "prediction_type", ""), prediction);
    bool *used = calloc(g.count, sizeof *used);
    size_t parts = 0;
    const cJSON *part;
    cJSON_ArrayForEach(part, cJSON_GetObjectItem(g.json, "config"))
        check_config(config_of(&c, part->string), part, part->string);
    cJSON_ArrayForEach(part, cJSON_GetObjectItem(g.json, "parts")) {
        check_part(loader, part, config_of(&c, part->string), used);
        parts++;
    }
    check_named(&g, &c);
    assert_int_equal(parts, 2 + !!c.text_encoder + !!c.text_encoder_2);
    for (size_t i = 0; i < g.count; i++)
        if (!used[i] && !fum_names_ignorable(fum_loader_at(loader, i)->name))
            fail_msg("%s is not matched", fum_loader_at(loader, i)->name);
    free(used);
    fum_checkpoint_free(&c);
    fum_loader_close(&loader);
    golden_close(&g);
}

static void sd1_is_found_whole(void **state) {
    (void)state;
    check_family("sd1", "sd1", "a text-to-image", "epsilon");
}

static void sd2_is_found_whole(void **state) {
    (void)state;
    check_family("sd2", "sd2", "an inpainting", "epsilon");
}

static void sdxl_is_found_whole(void **state) {
    (void)state;
    check_family("sdxl", "sdxl", "a text-to-image", "epsilon");
}

static void refiner_is_found_whole(void **state) {
    (void)state;
    check_family("refiner", "sdxl-refiner", "a text-to-image", "epsilon");
}

// Levels without attention to the picture itself, and a table of noise levels.
static void the_x4_upscaler_is_found_whole(void **state) {
    (void)state;
    check_family("x4", "sd-x4-upscaler", "an upscaling", "v_prediction");
}

// Gives a UNet's tensors the names that latent-diffusion's trainings give averages: without dots.
static void name_as_averages(struct golden *g) {
    static const char weights[] = "model.diffusion_model.";
    static char names[MAX_TENSORS][128];
    for (size_t i = 0; i < g->count; i++) {
        const char *from = g->tensors[i].name;
        if (strncmp(from, weights, strlen(weights)) != 0) continue;
        char *to = names[i] + snprintf(names[i], sizeof names[i], "model_ema.diffusion_model");
        for (from += strlen(weights); *from; from++)
            if (*from != '.') *to++ = *from;
        *to = 0;
        g->tensors[i].name = names[i];
    }
}

// A file that holds a UNet's averages alone is that UNet.
static void averages_are_the_weights(void **state) {
    (void)state;
    static const char *const lists[] = {"sd1", "sd2", "sdxl", "refiner", "x4"};
    static struct golden g;
    static bool used[MAX_TENSORS];
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct fum_error err = {0};
        struct fum_checkpoint c;
        golden_open(&g, lists[i]);
        name_as_averages(&g);
        fum_loader *loader = golden_file(&g, "averages.safetensors", NULL);
        assert_ok(fum_checkpoint_detect(&c, loader, &err), err);
        check_part(loader, cJSON_GetObjectItem(cJSON_GetObjectItem(g.json, "parts"), "unet"),
                   c.unet, used);
        assert_int_equal(fum_loader_count_prefix(loader, "model_ema.diffusion_model", NULL), 0);
        fum_checkpoint_free(&c);
        fum_loader_close(&loader);
        golden_close(&g);
    }
}

// Beside the weights themselves, averages keep their names.
static void averages_beside_weights_stay(void **state) {
    (void)state;
    static const float data[] = {1, 2};
    static const struct fum_safetensors_tensor tensors[] = {
        {"model.diffusion_model.out.2.bias", in_memory(FUM_F32, 1, data, 2)},
        {"model_ema.diffusion_modelout2bias", in_memory(FUM_F32, 1, data, 2)},
    };
    struct fum_error err = {0};
    fum_loader *loader = NULL;
    const char *path = scratch("both.safetensors");
    assert_ok(fum_safetensors_write(path, &(struct fum_safetensors){.tensors = tensors, .count = 2},
                                    &err),
              err);
    assert_ok(fum_loader_open(&loader, path, &err), err);
    assert_non_null(fum_loader_find(loader, "model_ema.diffusion_modelout2bias"));
    fum_loader_close(&loader);
}

// A part's own file in diffusers' layout, in both spellings of the text encoder and of the VAE's
// attention.
static void a_parts_own_file(void **state) {
    (void)state;
    struct fum_error err = {0};
    static const float data[16] = {1};
    static const struct fum_safetensors_tensor old_vae[] = {
        {"decoder.mid_block.resnets.0.conv1.weight", in_memory(FUM_F32, 4, data, 1, 1, 1, 1)},
        {"decoder.mid_block.attentions.0.query.weight", in_memory(FUM_F32, 2, data, 2, 2)},
        {"decoder.mid_block.attentions.0.proj_attn.bias", in_memory(FUM_F32, 1, data, 2)},
    };
    static const struct fum_safetensors_tensor old_text[] = {
        {"text_model.final_layer_norm.weight", in_memory(FUM_F32, 1, data, 2)},
        {"text_projection.weight", in_memory(FUM_F32, 2, data, 2, 3)},
    };
    static const struct fum_safetensors_tensor new_text[] = {
        {"final_layer_norm.weight", in_memory(FUM_F32, 1, data, 2)}};
    static const struct {
        const struct fum_safetensors_tensor *tensors;
        size_t count;
        const char *part, *name;
        int rank;
    } cases[] = {
        {old_vae, 3, "vae", "decoder.mid_block.resnets.0.conv1.weight", 4},
        {old_vae, 3, "vae", "decoder.mid_block.attentions.0.to_q.weight", 2},
        {old_vae, 3, "vae", "decoder.mid_block.attentions.0.to_out.0.bias", 1},
        {old_vae, 3, "vae", "decoder.mid_block.attentions.0.to_k.bias", -1},
        {old_text, 2, "text_encoder", "text_model.final_layer_norm.weight", 1},
        {old_text, 2, "text_encoder_2", "final_layer_norm.weight", 1},
        {old_text, 2, "text_encoder_2", "text_projection.weight", 2},
        {new_text, 1, "text_encoder", "text_model.final_layer_norm.weight", 1},
        {new_text, 1, "text_encoder", "final_layer_norm.weight", 1},
        {new_text, 1, "text_encoder", "text_model.final_layer_norm.bias", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fum_loader *loader = NULL;
        fum_names *names = NULL;
        struct fum_view view;
        const char *path = scratch("part.safetensors");
        assert_ok(fum_safetensors_write(path,
                                        &(struct fum_safetensors){.tensors = cases[i].tensors,
                                                                  .count = cases[i].count},
                                        &err),
                  err);
        assert_ok(fum_loader_open(&loader, path, &err), err);
        assert_ok(fum_names_create(&names, loader, cases[i].part, NULL, &err), err);
        bool found = fum_names_find(names, cases[i].name, &view, NULL);
        assert_int_equal(found ? view.rank : -1, cases[i].rank);
        fum_names_destroy(&names);
        assert_int_equal(fum_names_create(&names, loader, "unet", NULL, &err), FUM_ERR_FORMAT);
        assert_contains(err.text, "holds no unet");
        fum_loader_close(&loader);
    }
}

// Factors of scaled weights: one, one a row, under both names, and of a weight that is the last of
// three fused ones.
static void finds_factors_of_weights(void **state) {
    (void)state;
    static const uint8_t eights[] = {0x38, 0x40, 0x44, 0x48, 0x4a, 0x4c}; // 1, 2, 3, 4, 5, 6
    static const float one[] = {3}, rows[] = {2, 5}, norm[] = {1};
    static const struct {
        const char *scale;
        const float *factors;
        int64_t count;
        float values[6];
    } cases[] = {
        {"encoder.layers.0.mlp.fc1.scale_weight", one, 1, {3, 6, 9, 12, 15, 18}},
        {"encoder.layers.0.mlp.fc1.weight_scale", rows, 2, {2, 4, 6, 20, 25, 30}},
        {"encoder.layers.1.mlp.fc1.weight_scale", one, 1, {1, 2, 3, 4, 5, 6}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        fum_loader *loader = NULL;
        fum_names *names = NULL;
        struct fum_view view;
        void *copy = NULL;
        float values[6];
        struct fum_safetensors_tensor tensors[] = {
            {"encoder.layers.0.mlp.fc1.weight", in_memory(FUM_F8_E4M3, 2, eights, 2, 3)},
            {cases[i].scale, in_memory(FUM_F32, 1, cases[i].factors, cases[i].count)},
            {"final_layer_norm.weight", in_memory(FUM_F32, 1, norm, 1)}};
        const char *path = scratch("scaled.safetensors");
        assert_ok(fum_safetensors_write(
                      path, &(struct fum_safetensors){.tensors = tensors, .count = 3}, &err),
                  err);
        assert_ok(fum_loader_open(&loader, path, &err), err);
        assert_ok(fum_names_create(&names, loader, "text_encoder", NULL, &err), err);
        assert_true(
            fum_names_find(names, "text_model.encoder.layers.0.mlp.fc1.weight", &view, NULL));
        assert_ok(fum_view_load(&view, 6, &copy, &err), err);
        fum_convert_to_f32(values, view.data, view.dtype, 6);
        fum_view_scale(&view, 0, values, 6);
        for (int k = 0; k < 6; k++) assert_true(values[k] == cases[i].values[k]);
        if (cases[i].count > 1) { // and from the second row on
            struct fum_view skipped = view;
            fum_view_skip(&skipped, 3);
            values[0] = 4;
            fum_view_scale(&skipped, 0, values, 1);
            assert_true(values[0] == 20);
        }
        assert_true(fum_names_ignorable(cases[i].scale));
        fum_free(copy);
        fum_names_destroy(&names);
        fum_loader_close(&loader);
        tensors[1] =
            (struct fum_safetensors_tensor){cases[0].scale, in_memory(FUM_F8_E4M3, 1, eights, 6)};
        assert_ok(fum_safetensors_write(
                      path, &(struct fum_safetensors){.tensors = tensors, .count = 3}, &err),
                  err);
        assert_ok(fum_loader_open(&loader, path, &err), err);
        assert_int_equal(fum_names_create(&names, loader, "text_encoder", NULL, &err),
                         FUM_ERR_UNSUPPORTED);
        assert_contains(err.text, "scale_weight holds 6 factors");
        fum_loader_close(&loader);
    }
}

// The second encoder's projection as OpenCLIP's parameter, and as transformers' layer, which is its
// transpose.
static void finds_both_projections(void **state) {
    (void)state;
    static const float norm[] = {1}, values[] = {1, 2, 3, 4, 5, 6};
    static const char *const prefix = "conditioner.embedders.1.model.";
    for (int layer = 0; layer < 2; layer++) {
        struct fum_error err = {0};
        fum_loader *loader = NULL;
        fum_names *names = NULL;
        struct fum_view view;
        void *copy = NULL;
        char norm_name[64], name[64];
        snprintf(norm_name, sizeof norm_name, "%sln_final.weight", prefix);
        snprintf(name, sizeof name, "%stext_projection%s", prefix, layer ? ".weight" : "");
        struct fum_safetensors_tensor tensors[] = {{norm_name, in_memory(FUM_F32, 1, norm, 1)},
                                                   {name, in_memory(FUM_F32, 2, values, 3, 2)}};
        const char *path = scratch("projection.safetensors");
        assert_ok(fum_safetensors_write(
                      path, &(struct fum_safetensors){.tensors = tensors, .count = 2}, &err),
                  err);
        assert_ok(fum_loader_open(&loader, path, &err), err);
        assert_ok(fum_names_create(&names, loader, "text_encoder_2", NULL, &err), err);
        assert_true(fum_names_find(names, "text_projection.weight", &view, NULL));
        assert_int_equal(view.dim[0], layer ? 3 : 2);
        assert_ok(fum_view_load(&view, sizeof values, &copy, &err), err);
        float second;
        memcpy(&second, (const float *)view.data + 1, sizeof second);
        assert_true(second == (layer ? 2 : 3));
        fum_free(copy);
        fum_names_destroy(&names);
        fum_loader_close(&loader);
    }
}

// What differs from a golden file: tensors whose names contain `without` are left out, one more
// tensor and one text are added.
struct change {
    const char *without, *more;
    const struct fum_safetensors_text *text;
};

static enum fum_result detect(struct fum_checkpoint *c, const struct golden *g,
                              struct change change, struct fum_error *err) {
    static struct golden some;
    some.count = 0;
    for (size_t i = 0; i < g->count; i++)
        if (!change.without || !strstr(g->tensors[i].name, change.without))
            some.tensors[some.count++] = g->tensors[i];
    if (change.more)
        some.tensors[some.count++] = (struct fum_safetensors_tensor){
            change.more, in_memory(FUM_F32, 2, g->tensors[0].view.data, 1, 1)};
    fum_loader *loader = golden_file(&some, "some.safetensors", change.text);
    enum fum_result result = fum_checkpoint_detect(c, loader, err);
    fum_loader_close(&loader);
    return result;
}

static double number(const cJSON *json, const char *key) {
    return fum_json_number(json, key, -1);
}

// Changes a tensor's type in some.safetensors, from F32 to one that is not read.
static void forget_type(const char *name) {
    static char header[1 << 20];
    FILE *file = fopen(scratch("some.safetensors"), "r+b");
    assert_non_null(file);
    assert_true(fread(header, 1, sizeof header - 1, file) > 8);
    char *entry = strstr(header + 8, name), *type = entry ? strstr(entry, "F32") : NULL;
    assert_non_null(type);
    assert_int_equal(fseek(file, (long)(type - header), SEEK_SET), 0);
    assert_int_equal(fwrite("F99", 1, 3, file), 3);
    assert_int_equal(fclose(file), 0);
}

// Playground v2.5's statistics of its latents: the VAE's configuration and the scheduler are those
// that diffusers makes.
static void edm_statistics_are_read(void **state) {
    (void)state;
    static struct golden g;
    static const float mean[4] = {-1.6574f, 1.886f, -1.383f, 2.5155f},
                       std[4] = {8.4927f, 5.9022f, 6.5498f, 5.2299f};
    struct fum_error err = {0};
    struct fum_checkpoint c;
    golden_open(&g, "sdxl");
    size_t count = g.count;
    g.tensors[count] =
        (struct fum_safetensors_tensor){"edm_mean", in_memory(FUM_F32, 4, mean, 1, 4, 1, 1)};
    g.tensors[count + 1] =
        (struct fum_safetensors_tensor){"edm_std", in_memory(FUM_F32, 1, std, 4)};
    g.count += 2;
    assert_ok(detect(&c, &g, (struct change){0}, &err), err);
    // read, so not left over
    assert_true(fum_names_ignorable("edm_mean") && fum_names_ignorable("edm_std"));
    assert_true(c.edm);
    assert_string_equal(c.prediction, "epsilon");
    assert_string_equal(fum_json_string(c.scheduler, "_class_name", ""),
                        "EDMDPMSolverMultistepScheduler");
    assert_true(number(c.scheduler, "sigma_max") == 80 && number(c.scheduler, "sigma_data") == 0.5);
    assert_true(number(c.vae, "scaling_factor") == 0.5);
    for (int i = 0; i < 4; i++) {
        assert_true(
            (float)cJSON_GetArrayItem(cJSON_GetObjectItem(c.vae, "latents_mean"), i)->valuedouble ==
            mean[i]);
        assert_true(
            (float)cJSON_GetArrayItem(cJSON_GetObjectItem(c.vae, "latents_std"), i)->valuedouble ==
            std[i]);
    }
    fum_checkpoint_free(&c);
    g.tensors[count + 1].view.dim[0] = 3;
    assert_int_equal(detect(&c, &g, (struct change){0}, &err), FUM_ERR_FORMAT);
    assert_contains(err.text, "edm_mean and edm_std should hold 4 values");
    g.tensors[count + 1].view.dim[0] = 4;
    fum_loader *loader = golden_file(&g, "some.safetensors", NULL);
    fum_loader_close(&loader);
    forget_type("\"edm_std\"");
    assert_ok(fum_loader_open(&loader, scratch("some.safetensors"), &err), err);
    assert_int_equal(fum_checkpoint_detect(&c, loader, &err), FUM_ERR_FORMAT);
    fum_loader_close(&loader);
    g.count = count;
    golden_close(&g);
}

// CosXL's noise levels.
static void edm_noise_levels_are_read(void **state) {
    (void)state;
    static struct golden g;
    static const float high = 64, low = 0.03125f;
    struct fum_error err = {0};
    struct fum_checkpoint c;
    golden_open(&g, "sdxl");
    size_t count = g.count;
    g.tensors[count] =
        (struct fum_safetensors_tensor){"edm_vpred.sigma_max", in_memory(FUM_F32, 0, &high, 0)};
    g.tensors[count + 1] =
        (struct fum_safetensors_tensor){"edm_vpred.sigma_min", in_memory(FUM_F32, 1, &low, 1)};
    g.count += 2;
    assert_ok(detect(&c, &g, (struct change){0}, &err), err);
    assert_true(c.edm);
    assert_string_equal(c.prediction, "v_prediction");
    assert_string_equal(fum_json_string(c.scheduler, "_class_name", ""), "EDMEulerScheduler");
    assert_string_equal(fum_json_string(c.scheduler, "sigma_schedule", ""), "exponential");
    assert_true(number(c.scheduler, "sigma_max") == 64 &&
                number(c.scheduler, "sigma_min") == 0.03125);
    assert_true(number(c.scheduler, "sigma_data") == 1);
    fum_checkpoint_free(&c);
    g.count = count;
    golden_close(&g);
}

static void conditions_follow_the_tensors(void **state) {
    (void)state;
    static const char *const tensors[][2] = {
        {"model.diffusion_model.label_emb.weight", "num_class_embeds"},
        {"model.diffusion_model.time_embed.cond_proj.weight", "time_cond_proj_dim"},
    };
    static struct golden g;
    golden_open(&g, "sd1");
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        struct fum_error err = {0};
        struct fum_checkpoint c;
        assert_ok(detect(&c, &g, (struct change){.more = tensors[i][0]}, &err), err);
        assert_true(fum_json_number(c.unet, tensors[i][1], 0) == 1);
        assert_string_equal(fum_json_string(c.scheduler, "_class_name", ""),
                            i ? "LCMScheduler" : "PNDMScheduler");
        fum_checkpoint_free(&c);
        assert_ok(detect(&c, &g, (struct change){0}, &err), err);
        assert_false(cJSON_HasObjectItem(c.unet, tensors[i][1]));
        fum_checkpoint_free(&c);
    }
    golden_close(&g);
}

static void prediction_follows_the_evidence(void **state) {
    (void)state;
    static struct golden g;
    struct fum_error err = {0};
    struct fum_checkpoint c;
    golden_open(&g, "sdxl");
    assert_ok(detect(&c, &g, (struct change){.more = "v_pred"}, &err), err);
    assert_string_equal(c.prediction, "v_prediction");
    assert_int_equal(c.evidence, FUM_CHECKPOINT_STATED);
    assert_false(c.zero_snr);
    fum_checkpoint_free(&c);
    // without v-prediction it has no meaning
    assert_ok(detect(&c, &g, (struct change){.more = "ztsnr"}, &err), err);
    assert_false(c.zero_snr);
    fum_checkpoint_free(&c);
    struct fum_safetensors_text v = {"modelspec.prediction_type", "v"};
    assert_ok(detect(&c, &g, (struct change){.more = "ztsnr", .text = &v}, &err), err);
    assert_true(c.zero_snr);
    assert_true(fum_json_bool(c.scheduler, "rescale_betas_zero_snr", false));
    fum_checkpoint_free(&c);
    assert_ok(detect(&c, &g, (struct change){.without = "first_stage_model"}, &err), err);
    assert_null(c.vae);
    fum_checkpoint_free(&c);
    golden_close(&g);

    golden_open(&g, "sd2");
    for (size_t i = 0; i < g.count; i++) // not inpainting
        if (strstr(g.tensors[i].name, "input_blocks.0.0.weight")) g.tensors[i].view.dim[1] = 4;
    assert_ok(detect(&c, &g, (struct change){0}, &err), err);
    assert_string_equal(c.prediction, "v_prediction");
    assert_int_equal(c.evidence, FUM_CHECKPOINT_GUESSED);
    assert_int_equal(c.size, 768);
    fum_checkpoint_free(&c);
    struct fum_safetensors_text text = {"modelspec.architecture", "stable-diffusion-v2-512"};
    assert_ok(detect(&c, &g, (struct change){.text = &text}, &err), err);
    assert_string_equal(c.prediction, "epsilon");
    assert_int_equal(c.size, 512);
    fum_checkpoint_free(&c);
    golden_close(&g);
}

static void says_what_it_cannot_use(void **state) {
    (void)state;
    static struct golden g;
    struct fum_checkpoint c;
    golden_open(&g, "sd1");
    static const struct {
        const char *without, *more, *says;
    } cases[] = {
        {NULL, "double_blocks.0.img_attn.qkv.weight", "FLUX"},
        {NULL, "lora_unet_down.weight", "LoRA"},
        {"model.diffusion_model", NULL, "no UNet in it"},
        {"input_blocks.1.0", NULL,
         "tensor model.diffusion_model.input_blocks.1.0.in_layers.2.weight is missing"},
        {"input_blocks.2.", NULL,
         "tensor model.diffusion_model.input_blocks.2.0.in_layers.2.weight is missing"},
        {"input_blocks.4.1.transformer_blocks.0.attn2.to_k", NULL,
         "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight is"},
        {"diffusion_model.out.2", NULL, "out.2.weight is missing"},
        {"transformer_blocks", NULL, "no cross-attention"},
        {"cond_stage_model", NULL, "shows the family"},
        {"token_embedding", NULL, "embeddings.token_embedding.weight is missing"},
        {"decoder.up.0", NULL, "its VAE has no blocks"},
        {"up.1.block.0.conv1", NULL,
         "first_stage_model.decoder.up.1.block.0.conv1.weight is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_error err = {0};
        if (!detect(&c, &g, (struct change){.without = cases[i].without, .more = cases[i].more},
                    &err))
            fail_msg("case %zu is accepted", i);
        assert_contains(err.text, cases[i].says);
        assert_contains(err.text, "some.safetensors");
        assert_null(c.unet);
    }
    golden_close(&g);
}

// Whether some tensor that diffusers yields is not found, and would be called `name` in the file.
static bool is_missed(const fum_loader *loader, const struct golden *g,
                      const struct fum_checkpoint *c, const char *name) {
    bool missed = false;
    const cJSON *part, *item;
    cJSON_ArrayForEach(part, cJSON_GetObjectItem(g->json, "parts")) {
        fum_names *names = NULL;
        struct fum_error err = {0};
        if (fum_names_create(&names, loader, part->string, config_of(c, part->string), &err))
            return strstr(err.text, name) != NULL;
        cJSON_ArrayForEach(item, part) {
            struct fum_view view;
            char text[300];
            if (fum_names_find(names, item->child->valuestring, &view, NULL)) continue;
            missed |= !strcmp(fum_names_in_file(names, item->child->valuestring, text, sizeof text),
                              name);
        }
        fum_names_destroy(&names);
    }
    return missed;
}

// Without any one tensor the file is refused, or the tensor is missed under its name.
static void any_missing_tensor_is_noticed(void **state) {
    (void)state;
    static struct golden g;
    struct fum_error err = {0};
    golden_open(&g, "sdxl");
    fum_loader *whole = golden_file(&g, "missing.safetensors", NULL);
    fum_loader_close(&whole);
    char *bytes = NULL;
    size_t size = 0;
    assert_ok(fum_file_read(scratch("missing.safetensors"), 64 << 20, &bytes, &size, &err), err);
    for (size_t i = 0; i < g.count; i += 5) {
        char quoted[300];
        snprintf(quoted, sizeof quoted, "\"%s\"", g.tensors[i].name);
        char *at = strstr(bytes + 8, quoted); // the header's text has no NUL
        assert_non_null(at);
        at[1] = '~'; // another name
        fum_loader *loader = NULL;
        struct fum_checkpoint c;
        assert_ok(fum_loader_open_memory(&loader, bytes, size, "missing", &err), err);
        if (!fum_checkpoint_detect(&c, loader, &err)) {
            if (!fum_names_ignorable(g.tensors[i].name) &&
                !is_missed(loader, &g, &c, g.tensors[i].name))
                fail_msg("nobody misses %s", g.tensors[i].name);
            fum_checkpoint_free(&c);
        } else {
            assert_contains(err.text, "missing");
        }
        fum_loader_close(&loader);
        at[1] = g.tensors[i].name[0];
    }
    fum_free(bytes);
    golden_close(&g);
}

static void survives_no_memory(void **state) {
    (void)state;
    static struct golden g;
    golden_open(&g, "sd2");
    fum_loader *loader = golden_file(&g, "memory.safetensors", NULL);
    struct fum_checkpoint c;
    assert_int_equal(fum_checkpoint_detect(&c, loader, NULL), FUM_OK);
    static const char *const parts[] = {"unet", "vae", "text_encoder"};
    for (size_t i = 0; i < 3; i++) {
        for (long n = 0;; n++) {
            fum_names *names = NULL;
            struct fum_error err = {0};
            fum_alloc_fail_after(n);
            enum fum_result result =
                fum_names_create(&names, loader, parts[i], config_of(&c, parts[i]), &err);
            fum_alloc_fail_after(-1);
            fum_names_destroy(&names);
            if (!result) break;
            assert_int_equal(result, FUM_ERR_NOMEM);
        }
    }
    fum_checkpoint_free(&c);
    fum_loader_close(&loader);
    golden_close(&g);
}

int main(void) {
    const struct CMUnitTest all[] = {
        cmocka_unit_test(sd1_is_found_whole),
        cmocka_unit_test(sd2_is_found_whole),
        cmocka_unit_test(sdxl_is_found_whole),
        cmocka_unit_test(refiner_is_found_whole),
        cmocka_unit_test(the_x4_upscaler_is_found_whole),
        cmocka_unit_test(averages_are_the_weights),
        cmocka_unit_test(averages_beside_weights_stay),
        cmocka_unit_test(a_parts_own_file),
        cmocka_unit_test(finds_factors_of_weights),
        cmocka_unit_test(finds_both_projections),
        cmocka_unit_test(conditions_follow_the_tensors),
        cmocka_unit_test(prediction_follows_the_evidence),
        cmocka_unit_test(edm_statistics_are_read),
        cmocka_unit_test(edm_noise_levels_are_read),
        cmocka_unit_test(says_what_it_cannot_use),
        cmocka_unit_test(survives_no_memory),
        cmocka_unit_test(any_missing_tensor_is_noticed),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
