// SPDX-License-Identifier: MIT
// CLIP text encoders against transformers', layer by layer, with every way of leaving layers out.
#include "golden.h"

#include "model/clip.h"

#include <stdio.h>
#include <string.h>

struct built {
    struct fum_clip_config config;
    struct fum_clip_params params;
    struct fum_clip_outputs out;
};

static void key_of(char *text, size_t size, const struct golden *g, const char *rest) {
    snprintf(text, size, "%s.%s", g->component, rest);
}

// Builds and runs with the goldens' ids; `pooled` adds the pooled value.
static void build(struct golden *g, struct built *b, int skip, bool skip_norm, bool pooled) {
    struct fum_error err;
    char key[96];
    if (fum_clip_config_parse(&b->config, g->config, golden_projected(g->config),
                              "text_encoder/config.json", &err))
        fail_msg("%s", err.text);
    key_of(key, sizeof key, g, "in.ids");
    struct fum_shape shape = golden_shape(g, key), ends = {2, {1, shape.dim[0]}};
    b->params = (struct fum_clip_params){
        .ids = fum_graph_input(g->graph, "ids", shape, FUM_I32, FUM_STAGE_PROMPT),
        .skip = skip,
        .skip_norm = skip_norm};
    if (pooled) b->params.ends = fum_graph_input(g->graph, "ends", ends, FUM_I32, FUM_STAGE_PROMPT);
    fum_clip_build(g->graph, &b->config, &b->params, &b->out);
    golden_start(g);
    assert_non_null(b->out.hidden);
    golden_write(g, b->params.ids, key);
    if (pooled) {
        const struct fum_view *ids = golden_find(g, key, false);
        float rows[8];
        for (int i = 0; i < shape.dim[0]; i++)
            rows[i] =
                (float)(i * shape.dim[1] +
                        fum_clip_end(&b->config, (const int32_t *)ids->data + i * shape.dim[1],
                                     (int)shape.dim[1]));
        golden_write_numbers(g, b->params.ends, rows, (size_t)shape.dim[0]);
    }
    golden_run(g);
}

static void check(const char *folder, const char *component, bool projection) {
    struct golden g;
    struct built b;
    char key[96];
    golden_open(&g, folder, component);
    build(&g, &b, 0, false, true);
    assert_int_equal(b.config.projection != 0, projection);
    golden_compare_blocks(&g, "text_model.");
    key_of(key, sizeof key, &g, "hidden");
    golden_compare(&g, b.out.hidden, key);
    key_of(key, sizeof key, &g, "pooled");
    golden_compare(&g, b.out.pooled, key);
    assert_int_equal(g.compared, b.config.layers + 4);
    golden_close(&g);
    for (int skip = 1; skip <= 2; skip++)
        for (int way = 0; way < 4; way++) {
            bool normed = way & 1, pooled = way & 2;
            golden_open(&g, folder, component);
            build(&g, &b, skip, !normed, pooled);
            snprintf(key, sizeof key, "%s.skip%d%s", component, skip, normed ? ".normed" : "");
            golden_compare(&g, b.out.hidden, key);
            key_of(key, sizeof key, &g, "pooled");
            if (pooled) golden_compare(&g, b.out.pooled, key);
            // The last layer is built only for the pooled value.
            char last[64];
            snprintf(last, sizeof last, "text_model.encoder.layers.%d", b.config.layers - 1);
            assert_int_equal(fum_graph_find(g.graph, last) != NULL, pooled);
            golden_close(&g);
        }
}

static void quick_gelu(void **state) {
    (void)state;
    check("model-sd1", "text_encoder", false);
}

// Heads of 5, 37 channels between the layers.
static void odd_sizes(void **state) {
    (void)state;
    check("model-odd", "text_encoder", false);
}

static void gelu(void **state) {
    (void)state;
    check("model-sd2", "text_encoder", false);
}

static void projection(void **state) {
    (void)state;
    check("model-sdxl", "text_encoder", false);
    check("model-sdxl", "text_encoder_2", true);
    check("model-refiner", "text_encoder_2", true);
}

static void ends(void **state) {
    (void)state;
    struct fum_clip_config old = {.eos = 2}, new = {.eos = 7};
    const int32_t ids[] = {8, 3, 7, 9, 7, 9};
    assert_int_equal(fum_clip_end(&old, ids, 6), 3); // the first of the largest
    assert_int_equal(fum_clip_end(&new, ids, 6), 2); // the first end
    assert_int_equal(fum_clip_end(&new, ids, 2), 0); // none: as argmax of zeros
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *json, *said;
    } cases[] = {{"{\"hidden_act\":\"mish\"}", "mish"},
                 {"{\"hidden_size\":-4}", "hidden_size"},
                 {"{\"hidden_size\":12.5}", "12.5"},
                 {"{\"num_hidden_layers\":1000000}", "num_hidden_layers"},
                 {"{\"hidden_size\":10,\"num_attention_heads\":4}", "num_attention_heads"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_clip_config config;
        struct fum_error err = {0};
        cJSON *json = cJSON_Parse(cases[i].json);
        assert_int_not_equal(fum_clip_config_parse(&config, json, false, "config.json", &err),
                             FUM_OK);
        assert_non_null(strstr(err.text, cases[i].said));
        cJSON_Delete(json);
    }
}

int main(int argc, char **argv) {
    golden_choose(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_gelu), cmocka_unit_test(odd_sizes), cmocka_unit_test(gelu),
        cmocka_unit_test(projection), cmocka_unit_test(ends),      cmocka_unit_test(refusals),
    };
    return golden_end(cmocka_run_group_tests(tests, NULL, NULL));
}
