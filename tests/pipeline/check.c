// SPDX-License-Identifier: MIT
// Requests are checked without a device that draws.
#include "picture.h"

static bool refuse_picture(void *user, const struct fum_image *image) {
    (void)user, (void)image;
    fail_msg("a check draws nothing");
    return false;
}

// A request, and a word of its error.
struct request {
    struct fum_generate_params params;
    enum fum_result result;
    const char *word;
};

static void check(fum_pipeline *pipe, const struct request *request) {
    struct fum_generate_params params = request->params;
    struct fum_error err = {0};
    if (!params.prompt) params.prompt = "a red ship";
    if (!params.steps) params.steps = 2;
    params.on_image = refuse_picture;
    enum fum_result result = fum_generate_check(pipe, &params, &err);
    if (result != request->result) fail_msg("%s: %d, \"%s\"", request->word, result, err.text);
    if (result && !strstr(err.text, request->word)) fail_msg("%s: \"%s\"", request->word, err.text);
}

static void a_request_is_checked_without_a_device(void **state) {
    static const struct fum_hires_params hires = {.scale = 2}, wrong_size = {.width = 17};
    static const struct fum_adapter missing = {.name = "missing", .unet_weight = 1};
    static const struct request requests[] = {
        {{.count = 3}, FUM_OK, "three pictures"},
        {{.width = 16, .height = 16, .hires = &hires}, FUM_OK, "two passes"},
        {{.clip_skip = 60}, FUM_ERR_ARG, "--clip-skip 60"},
        {{.has_class = true, .class_label = 1}, FUM_ERR_ARG, "--class"},
        {{.width = 17}, FUM_ERR_ARG, "width 17"},
        {{.sampler = "pndm", .steps = 1000}, FUM_ERR_ARG, "1000 steps"},
        {{.preview = FUM_PREVIEW_TINY, .on_preview = NULL}, FUM_ERR_ARG, "on_preview"},
        {{.hires = &wrong_size}, FUM_ERR_ARG, "17"},
        {{.init_image = {.data = "x", .bytes = 1}}, FUM_ERR_FORMAT, "the picture"},
        {{.adapters = &missing, .num_adapters = 1}, FUM_ERR_IO, "missing"},
    };
    struct fum_error err = {0};
    fum_device *device = NULL;
    (void)state;
    ok(fum_device_create_planning(&device, fum_device_planning_name(0), &err), &err);
    fum_model *model = open_model(tiny_path());
    fum_pipeline *pipe = open_pipeline(device, model, FUM_PRECISION_AUTO, NULL);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) check(pipe, &requests[i]);
    check(pipe, &requests[0]);
    fum_pipeline_destroy(&pipe);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_request_is_checked_without_a_device)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
