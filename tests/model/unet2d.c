// SPDX-License-Identifier: MIT
// Networks that are trained on pictures, against diffusers': UNet2DModel, the classifier of its
// encoding half, VQModel.
#include "golden.h"

#include "base/macros.h"
#include "model/unet.h"
#include "model/vq.h"

#include <stdio.h>
#include <string.h>

struct built {
    struct fum_unet_config config;
    struct fum_unet_params params;
};

static void check_error(enum fum_result result, const struct fum_error *err) {
    if (result) fail_msg("%s", err->text);
}

// Adds the inputs; steps 0: a timestep for each picture.
static void add_inputs(struct golden *g, struct built *b, int64_t steps) {
    struct fum_error err;
    check_error(fum_unet2d_config_parse(&b->config, g->config, "config.json", &err), &err);
    struct fum_shape x = golden_shape(g, "unet.in.x");
    b->params =
        (struct fum_unet_params){.x = fum_graph_input(g->graph, "x", x, FUM_F32, FUM_STAGE_STEP)};
    if (steps)
        b->params.counter = fum_graph_state(g->graph, "counter", (struct fum_shape){1, {1}},
                                            FUM_I32, FUM_STAGE_STEP);
    fum_unet_inputs(g->graph, &b->config,
                    &(struct fum_unet_sizes){.batch = x.dim[0], .steps = steps}, &b->params);
    assert_null(b->params.context);
}

static void run(struct golden *g, const struct built *b) {
    size_t count;
    golden_start(g);
    golden_write(g, b->params.x, "unet.in.x");
    float *times = golden_read(g, "unet.in.timesteps", &count);
    struct fum_shape s = fum_tensor_shape(b->params.timesteps);
    assert_in_range(s.dim[0], 1, count);
    golden_write_numbers(g, b->params.timesteps, times, (size_t)s.dim[0]);
    fum_free(times);
    if (b->params.counter) golden_write(g, b->params.counter, "unet.in.counter");
    if (b->params.class_labels) golden_write(g, b->params.class_labels, "unet.in.class_labels");
    golden_run(g);
}

static const char *const names[] = {
    "unet2d",       "unet2d-fourier", "unet2d-scale-shift",   "unet2d-identity",
    "unet2d-plain", "unet2d-skip",    "unet2d-skip-attention"};

static void check_unet(const char *name, enum fum_dtype storage, double bound) {
    char folder[64];
    snprintf(folder, sizeof folder, "model-variants/%s", name);
    print_message("%s\n", folder);
    for (int each = 0; each < 2; each++) {
        struct golden g;
        struct built b;
        golden_open(&g, folder, "unet");
        if (storage != FUM_F32) golden_store(&g, storage, bound);
        add_inputs(&g, &b, each ? 0 : golden_shape(&g, "unet.in.timesteps").dim[0]);
        fum_tensor *out = fum_unet_build(g.graph, &b.config, &b.params);
        run(&g, &b);
        golden_compare(&g, out, each ? "unet.each.out" : "unet.out");
        golden_close(&g);
    }
}

static void unets(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(names); i++) check_unet(names[i], FUM_F32, 1e-4);
}

static void storage(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(names); i++) {
        if (golden_stores(FUM_F16)) check_unet(names[i], FUM_F16, 6e-3);
        check_unet(names[i], FUM_BF16, 5e-2);
    }
}

static void classifier(void **state) {
    (void)state;
    struct golden g;
    struct built b;
    struct fum_classifier_outputs out;
    golden_open(&g, "model-variants/classifier", "unet");
    add_inputs(&g, &b, 0);
    assert_true(fum_unet_classifier(g.graph, &b.config, &b.params, 7, &out));
    run(&g, &b);
    golden_compare(&g, out.features, "features");
    golden_compare(&g, out.logits, "logits");
    golden_close(&g);
}

// Both halves of VQModel; what lies between them is a lookup in the codebook.
static void vq(void **state) {
    (void)state;
    struct golden g;
    struct fum_vq_config config;
    struct fum_error err;
    golden_open(&g, "model-variants/vq", "vae");
    check_error(fum_vq_config_parse(&config, g.config, "config.json", &err), &err);
    assert_int_equal(config.codes, 20);
    assert_int_equal(config.vae.code_channels, 5);
    fum_tensor *x =
        fum_graph_input(g.graph, "x", golden_shape(&g, "vq.in.x"), FUM_F32, FUM_STAGE_STEP);
    fum_tensor *vectors = fum_graph_input(g.graph, "vectors", golden_shape(&g, "vq.vectors"),
                                          FUM_F32, FUM_STAGE_STEP);
    fum_tensor *z = fum_vq_encode(g.graph, &config, NULL, x);
    fum_tensor *out = fum_vq_decode(g.graph, &config, NULL, vectors);
    golden_start(&g);
    golden_write(&g, x, "vq.in.x");
    golden_write(&g, vectors, "vq.vectors");
    golden_run(&g);
    golden_compare(&g, z, "vq.z");
    golden_compare(&g, out, "vq.out");
    golden_close(&g);
}

static void expect_refusal(const char *json, const char *key, const char *value) {
    struct fum_unet_config config;
    struct fum_error err = {0};
    cJSON *parsed = cJSON_Parse(json);
    assert_non_null(parsed);
    assert_int_not_equal(fum_unet2d_config_parse(&config, parsed, "unet/config.json", &err),
                         FUM_OK);
    if (!strstr(err.text, key) || !strstr(err.text, value))
        fail_msg("\"%s\" lacks %s or %s", err.text, key, value);
    cJSON_Delete(parsed);
}

#define LEVELS "\"block_out_channels\":[8,16],\"norm_num_groups\":4"

static void refusals(void **state) {
    (void)state;
    expect_refusal("{}", "block_out_channels", "missing");
    expect_refusal("{" LEVELS ",\"down_block_types\":[\"DownBlock2D\"]}", "down_block_types", "2");
    expect_refusal("{" LEVELS ",\"down_block_types\":[\"DownBlock2D\",\"KDownBlock2D\"]}",
                   "down_block_types", "KDownBlock2D");
    expect_refusal("{" LEVELS ",\"time_embedding_type\":\"learned\"}", "time_embedding_type",
                   "learned");
    expect_refusal("{" LEVELS ",\"act_fn\":\"mish\"}", "act_fn", "mish");
    expect_refusal("{" LEVELS ",\"downsample_type\":\"fir\"}", "downsample_type", "fir");
    expect_refusal("{" LEVELS ",\"attention_head_dim\":32}", "attention_head_dim", "32");
    expect_refusal("{" LEVELS ",\"in_channels\":1,\"down_block_types\":[\"SkipDownBlock2D\","
                   "\"SkipDownBlock2D\"]}",
                   "in_channels", "1");
    expect_refusal("{" LEVELS ",\"down_block_types\":[\"DownBlock2D\",\"AttnSkipDownBlock2D\"]}",
                   "block_out_channels", "16");
    expect_refusal("{" LEVELS ",\"class_embed_type\":\"projection\"}", "class_embed_type",
                   "projection");
    expect_refusal("{\"block_out_channels\":[8,18],\"norm_num_groups\":4}", "norm_num_groups",
                   "18");
}

int main(int argc, char **argv) {
    golden_choose(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unets), cmocka_unit_test(storage),  cmocka_unit_test(classifier),
        cmocka_unit_test(vq),    cmocka_unit_test(refusals),
    };
    return golden_end(cmocka_run_group_tests(tests, NULL, NULL));
}
