// SPDX-License-Identifier: MIT
// AutoencoderKL both ways against diffusers', block by block.
#include "golden.h"

#include "model/autoencoder.h"
#include "model/vae.h"

#include <math.h>
#include <string.h>

static void parse(const struct golden *g, struct fum_vae_config *config) {
    struct fum_error err;
    if (fum_vae_config_parse(config, g->config, "vae/config.json", &err)) fail_msg("%s", err.text);
}

static void check_decoder(const char *folder) {
    struct golden g;
    struct fum_vae_config config;
    golden_open(&g, folder, "vae");
    parse(&g, &config);
    struct fum_shape shape = golden_shape(&g, "vae.in.latents");
    fum_tensor *z = fum_graph_input(g.graph, "z", shape, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *out = fum_vae_decode(g.graph, &config, NULL, z);
    golden_start(&g);
    golden_write(&g, z, "vae.in.latents");
    golden_run(&g);
    golden_compare_blocks(&g, "post_quant_conv");
    golden_compare_blocks(&g, "decoder.");
    golden_compare(&g, out, "vae.out");
    assert_int_equal(fum_tensor_shape(out).dim[1], shape.dim[1] * fum_vae_factor(&config));
    golden_close(&g);
}

static void check_encoder(const char *folder) {
    struct golden g;
    struct fum_vae_config config;
    struct fum_vae_moments moments;
    golden_open(&g, folder, "vae");
    parse(&g, &config);
    struct fum_shape shape = golden_shape(&g, "vae.in.pixels");
    fum_tensor *x = fum_graph_input(g.graph, "x", shape, FUM_F32, FUM_STAGE_STEP);
    fum_vae_encode(g.graph, &config, NULL, x, &moments);
    golden_start(&g);
    golden_write(&g, x, "vae.in.pixels");
    golden_run(&g);
    golden_compare_blocks(&g, "encoder.");
    golden_compare_blocks(&g, "quant_conv");
    golden_compare(&g, moments.mean, "vae.mean");
    golden_compare(&g, moments.logvar, "vae.logvar");
    golden_close(&g);
}

static const char *const folders[] = {"model-sd1", "model-sd2", "model-sdxl", "model-refiner",
                                      "model-odd"};
enum { FOLDERS = sizeof folders / sizeof *folders };

static void decoders(void **state) {
    (void)state;
    for (int i = 0; i < FOLDERS; i++) check_decoder(folders[i]);
}

static void encoders(void **state) {
    (void)state;
    for (int i = 0; i < FOLDERS; i++) check_encoder(folders[i]);
}

// (z - mean) · scale / std and back, by channel where the configuration has statistics.
static void scales(void **state) {
    (void)state;
    static const char *const configs[] = {
        "{\"block_out_channels\":[32],\"scaling_factor\":1.5305,\"shift_factor\":0.0609}",
        "{\"block_out_channels\":[32],\"latent_channels\":2,\"scaling_factor\":0.5,\"latents_"
        "mean\":[1,2],"
        "\"latents_std\":[4,0.5]}",
    };
    static const float z[] = {1, 2, 3, -4},
                       want[2][4] = {{1.4372925f, 2.9677925f, 4.4982925f, -6.2152075f},
                                     {0, 0, 0.25f, -6}};
    for (int i = 0; i < 2; i++) {
        struct fum_vae_config config;
        struct fum_error err;
        cJSON *json = cJSON_Parse(configs[i]);
        fum_graph *graph;
        fum_interp *interp;
        if (fum_vae_config_parse(&config, json, "config.json", &err)) fail_msg("%s", err.text);
        assert_int_equal(fum_graph_create(&graph, FUM_F32, NULL), FUM_OK);
        fum_tensor *x =
            fum_graph_input(graph, "z", (struct fum_shape){2, {2, 2}}, FUM_F32, FUM_STAGE_STEP);
        fum_tensor *scaled = fum_vae_scale(graph, &config, x),
                   *back = fum_vae_unscale(graph, &config, scaled);
        if (fum_graph_check(graph, &err)) fail_msg("%s", err.text);
        assert_int_equal(fum_interp_create(&interp, graph, NULL, false, NULL), FUM_OK);
        assert_int_equal(fum_interp_write(interp, x, z, 4, NULL), FUM_OK);
        assert_int_equal(fum_interp_run_all(interp, NULL), FUM_OK);
        for (int k = 0; k < 4; k++) {
            assert_true(fabs(fum_interp_read(interp, scaled)[k] - want[i][k]) < 1e-5);
            assert_true(fabs(fum_interp_read(interp, back)[k] - z[k]) < 1e-5);
        }
        fum_interp_destroy(&interp);
        fum_graph_destroy(&graph);
        cJSON_Delete(json);
    }
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *json, *said;
    } cases[] = {
        {"{}", "block_out_channels"},
        {"{\"block_out_channels\":[30]}", "norm_num_groups"},
        {"{\"block_out_channels\":[1,1,1,1,1,1,1,1,1]}", "block_out_channels"},
        {"{\"block_out_channels\":[32],\"down_block_types\":[\"AttnDownEncoderBlock2D\"]}",
         "AttnDown"},
        {"{\"block_out_channels\":[32],\"latents_mean\":[1]}", "latents_mean"},
        {"{\"block_out_channels\":[32],\"latents_mean\":[1,1,1,1],\"latents_std\":[1,0,1,1]}",
         "latents_std"},
        {"{\"block_out_channels\":[32],\"scaling_factor\":0}", "scaling_factor"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fum_vae_config config;
        struct fum_error err = {0};
        cJSON *json = cJSON_Parse(cases[i].json);
        assert_int_not_equal(fum_vae_config_parse(&config, json, "config.json", &err), FUM_OK);
        assert_non_null(strstr(err.text, cases[i].said));
        cJSON_Delete(json);
    }
}

// Checks that classes are refused: the mean of one is as long as one latent, and a chain draws all.
static void a_chain_has_no_classes(void **state) {
    (void)state;
    static const char *const texts[] = {"", ",\"classes\":1"};
    for (int i = 0; i < 2; i++) {
        char text[256];
        struct fum_autoencoder config;
        struct fum_error err = {0};
        snprintf(text, sizeof text,
                 "{\"image\":[1,8,8],\"levels\":2,\"hidden\":8,\"latent\":[4,2]%s}", texts[i]);
        cJSON *json = cJSON_Parse(text);
        assert_int_equal(fum_autoencoder_parse(&config, json, "config.json", &err),
                         i ? FUM_ERR_FORMAT : FUM_OK);
        if (i) assert_non_null(strstr(err.text, "classes"));
        cJSON_Delete(json);
    }
}

int main(int argc, char **argv) {
    golden_choose(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(decoders), cmocka_unit_test(encoders),
                                       cmocka_unit_test(scales), cmocka_unit_test(refusals),
                                       cmocka_unit_test(a_chain_has_no_classes)};
    return golden_end(cmocka_run_group_tests(tests, NULL, NULL));
}
