// SPDX-License-Identifier: MIT
// The UNet of every family against diffusers', block by block.
#include "golden.h"

#include "model/unet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct built {
    struct fum_unet_config config;
    struct fum_unet_params params;
    fum_tensor *out;
};

// Reads the configuration and adds the inputs.
static void add_inputs(struct golden *g, struct built *b, const char *x_key) {
    struct fum_error err;
    if (fum_unet_config_parse(&b->config, g->config, "unet/config.json", &err))
        fail_msg("%s", err.text);
    struct fum_unet_sizes sizes = {
        .batch = golden_shape(g, x_key).dim[0],
        .steps = golden_shape(g, "unet.in.timesteps").dim[0],
        .tokens = golden_shape(g, "unet.in.context").dim[1],
    };
    if (b->config.text_time) sizes.pooled = (int)golden_shape(g, "unet.in.text_embeds").dim[1];
    b->params = (struct fum_unet_params){
        .x = fum_graph_input(g->graph, "x", golden_shape(g, x_key), FUM_F32, FUM_STAGE_STEP),
        .counter = fum_graph_state(g->graph, "counter", (struct fum_shape){1, {1}}, FUM_I32,
                                   FUM_STAGE_STEP),
    };
    fum_unet_inputs(g->graph, &b->config, &sizes, &b->params);
}

// Adds the model and writes all inputs but the pictures.
static void start(struct golden *g, struct built *b) {
    b->out = fum_unet_build(g->graph, &b->config, &b->params);
    golden_start(g);
    assert_non_null(b->out);
    golden_write(g, b->params.counter, "unet.in.counter");
    golden_write(g, b->params.timesteps, "unet.in.timesteps");
    golden_write(g, b->params.context, "unet.in.context");
    if (b->params.text_embeds) golden_write(g, b->params.text_embeds, "unet.in.text_embeds");
    if (b->params.time_ids) golden_write(g, b->params.time_ids, "unet.in.time_ids");
    if (b->params.class_labels) golden_write(g, b->params.class_labels, "unet.in.class_labels");
    if (b->params.timestep_cond) golden_write(g, b->params.timestep_cond, "unet.in.timestep_cond");
}

static void build(struct golden *g, struct built *b, const char *x_key) {
    add_inputs(g, b, x_key);
    start(g, b);
    golden_write(g, b->params.x, x_key);
    golden_run(g);
}

static void check_blocks(const char *folder, const char *const *prefixes, int blocks) {
    struct golden g;
    struct built b;
    golden_open(&g, folder, "unet");
    build(&g, &b, "unet.in.x");
    for (; *prefixes; prefixes++) golden_compare_blocks(&g, *prefixes);
    golden_compare(&g, b.out, "unet.out");
    assert_int_equal(g.compared, blocks + 1);
    golden_close(&g);
}

static void check_odd(const char *folder) {
    struct golden g;
    struct built b;
    golden_open(&g, folder, "unet");
    build(&g, &b, "unet.odd.x");
    golden_compare(&g, b.out, "unet.odd.out");
    golden_close(&g);
}

static const char *const plain[] = {
    "conv_in", "time_embedding", "down_blocks.", "mid_block.", "up_blocks.", "conv_out", NULL};
static const char *const added[] = {"conv_in",    "time_embedding", "add_embedding", "down_blocks.",
                                    "mid_block.", "up_blocks.",     "conv_out",      NULL};

static void sd1(void **state) {
    (void)state;
    check_blocks("model-sd1", plain, 35);
    check_odd("model-sd1");
}

static void sd2(void **state) {
    (void)state;
    check_blocks("model-sd2", plain, 25);
    check_odd("model-sd2");
}

static void sdxl(void **state) {
    (void)state;
    check_blocks("model-sdxl", added, 30);
    check_odd("model-sdxl");
}

static void refiner(void **state) {
    (void)state;
    check_blocks("model-refiner", added, 35);
    check_odd("model-refiner");
}

// Heads of 5 and 6; no channels or groups are a multiple of 4.
static void odd_sizes(void **state) {
    (void)state;
    check_blocks("model-odd", plain, 25);
    check_odd("model-odd");
}

static void variants(void **state) {
    (void)state;
    static const char *const names[] = {"tiny", "class-table", "class-projection", "class-timestep",
                                        "lcm",  "scale-shift", "odd-channels",     "rest-heads"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct golden g;
        struct built b;
        char folder[64];
        snprintf(folder, sizeof folder, "model-variants/%s", names[i]);
        print_message("%s\n", folder);
        golden_open(&g, folder, "unet");
        build(&g, &b, "unet.in.x");
        golden_compare(&g, b.out, "unet.out");
        // Downsampling without padding rounds down, and doubling does not give an odd size back.
        bool rounds_down = b.config.downsample_pad == 0;
        golden_close(&g);
        if (!rounds_down) check_odd(folder);
    }
}

// Every value rounded to 11 or 8 bits: the builders mix no types, and errors stay of the size of
// the rounding.
static void storage(void **state) {
    (void)state;
    static const char *const folders[] = {"model-sd1",
                                          "model-sdxl",
                                          "model-odd",
                                          "model-variants/odd-channels",
                                          "model-variants/class-table",
                                          "model-variants/lcm",
                                          "model-variants/class-projection",
                                          "model-variants/class-timestep"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        for (int half = 0; half < 2; half++) {
            struct golden g;
            struct built b;
            if (!golden_stores(half ? FUM_F16 : FUM_BF16)) continue;
            golden_open(&g, folders[i], "unet");
            golden_store(&g, half ? FUM_F16 : FUM_BF16, half ? 5e-3 : 4e-2);
            build(&g, &b, "unet.in.x");
            golden_compare(&g, b.out, "unet.out");
            golden_close(&g);
        }
}

// Returns the prediction for two copies of the first picture; free with free. If `once`, the
// network may compute what they share once. `first` becomes the batch of its first residual block.
static float *predict_copies(const char *folder, bool once, size_t *count, int64_t *first) {
    struct golden g;
    struct built b;
    size_t all;
    golden_open(&g, folder, "unet");
    add_inputs(&g, &b, "unet.in.x");
    struct fum_shape one = fum_tensor_shape(b.params.x);
    assert_int_equal(one.dim[0], 2);
    one.dim[0] = 1;
    if (once)
        b.params.one_copy = fum_graph_input(g.graph, "one copy", one, FUM_F32, FUM_STAGE_STEP);
    start(&g, &b);
    *first = fum_tensor_shape(fum_graph_find(g.graph, "down_blocks.0.resnets.0")).dim[0];
    float *x = golden_read(&g, "unet.in.x", &all);
    memcpy(x + all / 2, x, all / 2 * sizeof *x);
    if (*first == 2) golden_write_numbers(&g, b.params.x, x, all);
    if (*first == 1) golden_write_numbers(&g, b.params.one_copy, x, all / 2);
    fum_free(x);
    golden_run(&g);
    struct fum_shape shape = fum_tensor_shape(b.out);
    *count = (size_t)fum_shape_count(&shape);
    float *values = malloc(*count * sizeof *values);
    assert_non_null(values);
    memcpy(values, golden_value(&g, b.out), *count * sizeof *values);
    golden_close(&g);
    return values;
}

// Equal copies are computed once up to the first cross-attention, unless pictures have conditions
// of their own, and with the same result.
static void copies(void **state) {
    (void)state;
    static const struct {
        const char *folder;
        int64_t first;
    } cases[] = {{"model-sd1", 1},
                 {"model-odd", 1},
                 {"model-variants/tiny", 1},
                 {"model-variants/lcm", 1},
                 {"model-variants/class-table", 2},
                 {"model-sdxl", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t count, again;
        int64_t first;
        float *apart = predict_copies(cases[i].folder, false, &count, &first);
        assert_int_equal(first, 2);
        float *once = predict_copies(cases[i].folder, true, &again, &first);
        assert_int_equal(first, cases[i].first);
        assert_int_equal(count, again);
        assert_memory_not_equal(once, once + count / 2, count / 2 * sizeof *once);
        for (size_t k = 0; k < count; k++)
            if (fabsf(once[k] - apart[k]) > 1e-5f)
                fail_msg("%s, %zu: %g, not %g", cases[i].folder, k, (double)once[k],
                         (double)apart[k]);
        free(once);
        free(apart);
    }
}

// Only what depends on the latents is left in the step; text and steps are tables.
static void stages(void **state) {
    (void)state;
    struct golden g;
    struct built b;
    golden_open(&g, "model-sdxl", "unet");
    build(&g, &b, "unet.in.x");
    static const struct {
        const char *name;
        enum fum_stage stage;
    } wanted[] = {{"down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", FUM_STAGE_PROMPT},
                  {"down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v", FUM_STAGE_PROMPT},
                  {"down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q", FUM_STAGE_STEP},
                  {"add_embedding.linear_2", FUM_STAGE_PROMPT},
                  {"time_embedding.linear_2", FUM_STAGE_RUN},
                  {"mid_block.resnets.0.time_emb_proj", FUM_STAGE_RUN},
                  {"conv_in", FUM_STAGE_STEP}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        fum_tensor *t = fum_graph_find(g.graph, wanted[i].name);
        assert_non_null(t);
        if (t->stage != wanted[i].stage) fail_msg("%s is of stage %d", wanted[i].name, t->stage);
    }
    golden_close(&g);
}

static void expect_refusal(const char *json, enum fum_result result, const char *key,
                           const char *value) {
    struct fum_unet_config config;
    struct fum_error err = {0};
    cJSON *parsed = cJSON_Parse(json);
    assert_non_null(parsed);
    assert_int_equal(fum_unet_config_parse(&config, parsed, "unet/config.json", &err), result);
    if (!strstr(err.text, key) || !strstr(err.text, value))
        fail_msg("\"%s\" lacks %s or %s", err.text, key, value);
    cJSON_Delete(parsed);
}

#define BLOCKS                                                                       \
    "\"block_out_channels\":[32,64],\"down_block_types\":[\"CrossAttnDownBlock2D\"," \
    "\"DownBlock2D\"],"                                                              \
    "\"up_block_types\":[\"UpBlock2D\",\"CrossAttnUpBlock2D\"],\"attention_head_dim\":4"

static void refusals(void **state) {
    (void)state;
    expect_refusal("{}", FUM_ERR_FORMAT, "block_out_channels", "missing");
    expect_refusal("{" BLOCKS ",\"dual_cross_attention\":true}", FUM_ERR_UNSUPPORTED,
                   "dual_cross_attention", "true");
    expect_refusal("{" BLOCKS ",\"mid_block_type\":\"UNetMidBlock2DSimpleCrossAttn\"}",
                   FUM_ERR_UNSUPPORTED, "mid_block_type", "SimpleCross");
    expect_refusal("{" BLOCKS ",\"attention_type\":\"gated\"}", FUM_ERR_UNSUPPORTED,
                   "attention_type", "gated");
    expect_refusal("{" BLOCKS ",\"act_fn\":\"mish\"}", FUM_ERR_UNSUPPORTED, "act_fn", "mish");
    expect_refusal("{" BLOCKS ",\"norm_num_groups\":5}", FUM_ERR_FORMAT, "norm_num_groups", "5");
    expect_refusal("{" BLOCKS ",\"num_attention_heads\":65}", FUM_ERR_FORMAT, "num_attention_heads",
                   "65");
    expect_refusal("{" BLOCKS ",\"layers_per_block\":[1,2,3]}", FUM_ERR_FORMAT, "layers_per_block",
                   "3");
    expect_refusal("{" BLOCKS ",\"layers_per_block\":1e30}", FUM_ERR_FORMAT, "layers_per_block",
                   "1e+30");
    expect_refusal("{" BLOCKS ",\"layers_per_block\":\"2\"}", FUM_ERR_FORMAT, "layers_per_block",
                   "number");
    expect_refusal("{" BLOCKS ",\"addition_embed_type\":\"image\"}", FUM_ERR_UNSUPPORTED,
                   "addition_embed_type", "image");
    expect_refusal("{" BLOCKS ",\"addition_embed_type\":\"text_time\"}", FUM_ERR_FORMAT,
                   "projection_class_embeddings_input_dim", "missing");
    expect_refusal("{" BLOCKS ",\"transformer_layers_per_block\":[[1],2]}", FUM_ERR_FORMAT,
                   "transformer_layers_per_block", "entries");
    expect_refusal("{" BLOCKS ",\"cross_attention_dim\":[32,64]}", FUM_ERR_UNSUPPORTED,
                   "cross_attention_dim", "[32,64]");
    expect_refusal("{\"block_out_channels\":[32],\"down_block_types\":[\"AttnDownBlock2D\"],\"up_"
                   "block_types\":[]}",
                   FUM_ERR_UNSUPPORTED, "down_block_types", "AttnDown");
}

int main(int argc, char **argv) {
    golden_choose(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sd1),      cmocka_unit_test(sd2),       cmocka_unit_test(sdxl),
        cmocka_unit_test(refiner),  cmocka_unit_test(odd_sizes), cmocka_unit_test(variants),
        cmocka_unit_test(storage),  cmocka_unit_test(copies),    cmocka_unit_test(stages),
        cmocka_unit_test(refusals),
    };
    return golden_end(cmocka_run_group_tests(tests, NULL, NULL));
}
