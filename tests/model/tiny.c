// SPDX-License-Identifier: MIT
// Small autoencoders both ways against diffusers' AutoencoderTiny, under its names and the original
// ones. The variant with pooling is compared with plain layers of torch (tests/golden/tiny.py).
#include "golden.h"

#include "model/checkpoint.h"
#include "model/config.h"
#include "model/vae.h"

#include <string.h>

static const char *const folders[] = {"model-tiny-diffusers", "model-tiny-original",
                                      "model-tiny-pooled"};
enum { FOLDERS = sizeof folders / sizeof *folders };

static void parse(const struct golden *g, struct fum_vae_config *config) {
    struct fum_error err = {0};
    if (fum_vae_config_parse(config, g->config, "vae/config.json", &err)) fail_msg("%s", err.text);
    assert_ptr_equal(config->kind, &fum_vae_tiny);
    assert_int_equal(fum_vae_factor(config), 8);
}

static void decoders(void **state) {
    (void)state;
    for (int i = 0; i < FOLDERS; i++) {
        struct golden g;
        struct fum_vae_config config;
        golden_open(&g, folders[i], "vae");
        parse(&g, &config);
        fum_tensor *z = fum_graph_input(g.graph, "z", golden_shape(&g, "vae.in.latents"), FUM_F32,
                                        FUM_STAGE_STEP);
        fum_tensor *out =
            fum_vae_decode(g.graph, &config, NULL, fum_vae_unscale(g.graph, &config, z));
        golden_start(&g);
        golden_write(&g, z, "vae.in.latents");
        golden_run(&g);
        golden_compare(&g, out, "vae.out");
        golden_close(&g);
    }
}

static void encoders(void **state) {
    (void)state;
    for (int i = 0; i < FOLDERS; i++) {
        struct golden g;
        struct fum_vae_config config;
        struct fum_vae_moments moments;
        golden_open(&g, folders[i], "vae");
        parse(&g, &config);
        fum_tensor *x = fum_graph_input(g.graph, "x", golden_shape(&g, "vae.in.pixels"), FUM_F32,
                                        FUM_STAGE_STEP);
        fum_vae_encode(g.graph, &config, NULL, x, &moments);
        golden_start(&g);
        golden_write(&g, x, "vae.in.pixels");
        golden_run(&g);
        golden_compare(&g, moments.mean, "vae.mean");
        const float *logvar = golden_value(&g, moments.logvar);
        assert_true(!logvar || logvar[0] == -30);
        golden_close(&g);
    }
}

// Without a configuration it follows from the tensors.
static void tensors_show_the_configuration(void **state) {
    (void)state;
    for (int i = 0; i < FOLDERS; i++) {
        struct golden g;
        struct fum_error err = {0};
        golden_open(&g, folders[i], "vae");
        const struct fum_tiny_style *style = fum_tiny_find_style(g.weights);
        assert_non_null(style);
        cJSON *derived = fum_checkpoint_tiny_config(g.weights, style, &err);
        if (!derived) fail_msg("%s", err.text);
        const cJSON *item;
        cJSON_ArrayForEach(item, g.config) {
            const cJSON *ours = cJSON_GetObjectItemCaseSensitive(derived, item->string);
            if (!cJSON_Compare(ours, item, true)) fail_msg("%s differs", item->string);
        }
        cJSON_Delete(derived);
        golden_close(&g);
    }
}

static void a_decoder_may_come_alone(void **state) {
    (void)state;
    struct fum_error err = {0};
    struct fum_vae_config config;
    fum_loader *loader = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/model-tiny-original/decoder.safetensors",
             getenv("FUM_TEST_DATA"));
    ok(fum_loader_open(&loader, path, &err), &err);
    cJSON *json = fum_checkpoint_tiny_config(loader, fum_tiny_find_style(loader), &err);
    ok(fum_vae_config_parse(&config, json, path, &err), &err);
    assert_true(config.decoder_only);
    assert_int_equal(config.num_blocks, 4);
    cJSON_Delete(json);
    fum_loader_close(&loader);
}

static void refuses_what_it_cannot_build(void **state) {
    (void)state;
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"\"act_fn\":\"gelu\"", "act_fn"},
        {"\"upsampling_scaling_factor\":4", "upsampling_scaling_factor"},
        {"\"num_decoder_blocks\":[3,1]", "num_decoder_blocks"},
        {"\"decoder_block_out_channels\":[64,64,32,32]", "decoder_block_out_channels"},
        {"\"encoder_block_out_channels\":[32,32,32,32]", "encoder_block_out_channels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        struct fum_error err = {0};
        struct fum_vae_config config;
        snprintf(text, sizeof text, "{\"_class_name\":\"AutoencoderTiny\",%s}", cases[i].json);
        cJSON *json = cJSON_Parse(text);
        assert_non_null(json);
        assert_int_not_equal(fum_vae_config_parse(&config, json, "config.json", &err), FUM_OK);
        assert_non_null(strstr(err.text, cases[i].says));
        cJSON_Delete(json);
    }
}

int main(int argc, char **argv) {
    golden_choose(argc, argv);
    const struct CMUnitTest list[] = {
        cmocka_unit_test(decoders),
        cmocka_unit_test(encoders),
        cmocka_unit_test(tensors_show_the_configuration),
        cmocka_unit_test(a_decoder_may_come_alone),
        cmocka_unit_test(refuses_what_it_cannot_build),
    };
    return golden_end(cmocka_run_group_tests(list, NULL, NULL));
}
