// SPDX-License-Identifier: MIT
// Checks that the builders request exactly the tensors, of exactly the shapes, that real models
// have. These are Stable Diffusion 1.5, 2.1, XL with its refiner, smaller and wider relatives. Only
// graphs are built; no weights are needed.
#include "golden.h"

#include "base/json.h"
#include "model/clip.h"
#include "weights/packing.h"
#include "model/unet.h"
#include "model/vae.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fum_tensor *image(fum_graph *graph, const char *name, int64_t side, int64_t channels) {
    struct fum_shape shape = {4, {1, side, side, channels}};
    return fum_graph_input(graph, name, shape, FUM_F32, FUM_STAGE_STEP);
}

static enum fum_result build_unet(fum_graph *graph, const cJSON *json, struct fum_error *err) {
    struct fum_unet_config c;
    enum fum_result result = fum_unet_config_parse(&c, json, "config", err);
    if (result) return result;
    // SDXL's pooled text is bigG's; what is left of the embedding's input are six time ids, five in
    // the refiner.
    struct fum_unet_sizes sizes = {.batch = 1, .steps = 20, .tokens = 77, .pooled = 1280};
    struct fum_unet_params params = {
        .x = image(graph, "x", 64, c.in_channels),
        .counter =
            fum_graph_state(graph, "counter", (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP),
    };
    fum_unet_inputs(graph, &c, &sizes, &params);
    int ids = c.text_time ? 5 : 0;
    if (c.text_time_in == 2816) ids = 6;
    assert_int_equal(fum_unet_time_ids(&c, 1280), ids);
    fum_tensor *out = fum_unet_build(graph, &c, &params);
    struct fum_shape shape = fum_tensor_shape(out);
    if (out) assert_true(shape.dim[1] == 64 && shape.dim[3] == c.out_channels);
    return fum_graph_check(graph, err);
}

static enum fum_result build_vae(fum_graph *graph, const cJSON *json, struct fum_error *err) {
    struct fum_vae_config c;
    struct fum_vae_moments moments;
    enum fum_result result = fum_vae_config_parse(&c, json, "config", err);
    if (result) return result;
    assert_int_equal(fum_vae_factor(&c), 8);
    fum_vae_decode(graph, &c, NULL, image(graph, "z", 64, c.latent_channels));
    fum_vae_encode(graph, &c, NULL, image(graph, "pixels", 512, c.in_channels), &moments);
    return fum_graph_check(graph, err);
}

static enum fum_result build_text(fum_graph *graph, const cJSON *json, struct fum_error *err) {
    struct fum_clip_config c;
    struct fum_clip_outputs out;
    enum fum_result result = fum_clip_config_parse(&c, json, golden_projected(json), "config", err);
    if (result) return result;
    struct fum_shape ids = {2, {2, 77}}, ends = {2, {1, 2}};
    struct fum_clip_params params = {
        .ids = fum_graph_input(graph, "ids", ids, FUM_I32, FUM_STAGE_PROMPT),
        .ends = fum_graph_input(graph, "ends", ends, FUM_I32, FUM_STAGE_PROMPT),
    };
    fum_clip_build(graph, &c, &params, &out);
    return fum_graph_check(graph, err);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// "name shape", the shape as files have it.
static char *line_of(fum_arena *arena, const struct fum_weight *t) {
    const struct fum_view view = t->packing->file_view(&t->desc.shape);
    struct fum_shape in_file = {.rank = view.rank};
    char shape[96];
    memcpy(in_file.dim, view.dim, sizeof in_file.dim);
    if (t->packing == &fum_packing_plain && view.rank == 2 && view.dim[0] == 1) // a stacked bias
        in_file = (struct fum_shape){1, {view.dim[1]}};
    fum_shape_text(&in_file, shape, sizeof shape);
    return fum_arena_printf(arena, "%s %s\n", t->name, shape);
}

static void check(const fum_graph *graph, const cJSON *entry) {
    fum_arena *arena = fum_arena_create();
    enum { MOST_PARTS = 3 }; // of stacked weights: query, key and value
    char **lines = fum_arena_alloc(arena, (size_t)graph->count * MOST_PARTS, sizeof *lines);
    size_t count = 0;
    uint64_t elements = 0, hash = UINT64_C(0xcbf29ce484222325); // FNV-1a
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (t->kind != FUM_TENSOR_WEIGHT) continue;
        elements += (uint64_t)fum_shape_count(&t->desc.shape);
        const struct fum_weight weight = fum_tensor_weight(t);
        assert_true(fum_weight_parts(&weight) <= MOST_PARTS);
        for (int k = 0; k < fum_weight_parts(&weight); k++) {
            struct fum_weight part = fum_weight_part(&weight, k);
            assert_non_null(lines[count++] = line_of(arena, &part));
        }
    }
    qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++)
        for (const char *p = lines[i]; *p; p++)
            hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    assert_int_equal(count, (size_t)fum_json_number(entry, "tensors", 0));
    assert_int_equal(elements, (uint64_t)fum_json_number(entry, "elements", 0));
    assert_string_equal(text, fum_json_string(entry, "hash", ""));
    fum_arena_destroy(&arena);
}

static void real_models(void **state) {
    (void)state;
    char path[512];
    struct fum_error err;
    cJSON *list;
    const cJSON *entry;
    snprintf(path, sizeof path, "%s/model-names.json", getenv("FUM_TEST_DATA"));
    if (fum_json_read(&list, path, &err)) fail_msg("%s", err.text);
    assert_int_equal(cJSON_GetArraySize(list), 14);
    cJSON_ArrayForEach(entry, list) {
        const char *part = fum_json_string(entry, "part", "");
        const cJSON *config = cJSON_GetObjectItemCaseSensitive(entry, "config");
        fum_graph *graph;
        assert_int_equal(fum_graph_create(&graph, FUM_F16, NULL), FUM_OK);
        print_message("%s\n", fum_json_string(entry, "name", "?"));
        enum fum_result result = FUM_OK;
        if (!strcmp(part, "unet"))
            result = build_unet(graph, config, &err);
        else if (!strcmp(part, "vae"))
            result = build_vae(graph, config, &err);
        else
            result = build_text(graph, config, &err);
        if (result) fail_msg("%s", err.text);
        check(graph, entry);
        fum_graph_destroy(&graph);
    }
    cJSON_Delete(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
