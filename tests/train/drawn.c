// SPDX-License-Identifier: MIT
#define _DEFAULT_SOURCE // mkdtemp
#include "drawn.h"

#include <fumarole/pipeline.h>

#include "io/image.h"

// Pictures that are expected, [pictures, channels, height, width] in 0..1.
struct expected {
    const float *values;
    int64_t dim[4];
    int count; // pictures so far
};

static struct expected expect(struct replayed *r, const char *name) {
    const struct fum_loader_tensor *tensor = fum_loader_find(r->golden, name);
    assert_non_null(tensor);
    struct expected e = {.values = read_replayed(r, &tensor->view)};
    for (int i = 0; i < 4; i++) e.dim[i] = tensor->view.dim[i];
    return e;
}

static bool compare_image(void *user, const struct fum_image *image) {
    static const double tolerance = 0.01; // of 1: rounding to a byte, and the trained weights'
    struct expected *e = user;
    int64_t pixels = e->dim[2] * e->dim[3];
    const float *want = e->values + image->index * e->dim[1] * pixels;
    assert_int_equal(image->channels, e->dim[1]);
    assert_int_equal(image->height, e->dim[2]);
    assert_int_equal(image->width, e->dim[3]);
    for (int64_t c = 0; c < e->dim[1]; c++)
        for (int64_t p = 0; p < pixels; p++) {
            double is = image->pixels[p * image->channels + c] / 255.0;
            if (!(fabs(is - (double)want[c * pixels + p]) <= tolerance))
                fail_msg("picture %d, channel %d, pixel %d is %g, PyTorch has %g", image->index,
                         (int)c, (int)p, is, (double)want[c * pixels + p]);
        }
    e->count++;
    return true;
}

static void check_prior(struct replayed *r, fum_pipeline *pipeline) {
    struct fum_error err = {0};
    const struct fum_loader_tensor *noise = fum_loader_find(r->golden, "draw.noise");
    if (!noise) return;
    struct expected drawn = expect(r, "draw.drawn");
    struct fum_generate_params params = {.count = (int)drawn.dim[0],
                                         .noise = read_replayed(r, &noise->view),
                                         .on_image = compare_image,
                                         .user = &drawn};
    for (int i = 0; i < 4; i++) params.noise_shape[i] = (int)noise->view.dim[i];
    if (fum_loader_find(r->golden, "init.class_mean.weight")) {
        assert_int_equal(fum_generate(pipeline, &params, &err), FUM_ERR_ARG);
        assert_non_null(strstr(err.text, "--class"));
        params.has_class = true;
        params.class_label = 1;
    }
    ok(fum_generate(pipeline, &params, &err), &err);
    assert_int_equal(drawn.count, drawn.dim[0]);
}

// Writes the golden picture as a file, which is then reconstructed.
static void check_reconstruction(struct replayed *r, fum_pipeline *pipeline) {
    struct fum_error err = {0};
    struct expected from = expect(r, "draw.picture"), want = expect(r, "draw.reconstruction");
    int64_t channels = from.dim[1], pixels = from.dim[2] * from.dim[3];
    uint8_t *bytes = fum_arena_alloc(r->arena, (size_t)(channels * pixels), 1);
    for (int64_t i = 0; i < channels * pixels; i++)
        bytes[i % pixels * channels + i / pixels] = (uint8_t)(from.values[i] * 255 + 0.5f);
    char *path = replayed_path(r, "picture.png");
    const struct fum_picture picture = {.pixels = bytes,
                                        .width = (int)from.dim[3],
                                        .height = (int)from.dim[2],
                                        .channels = (int)channels};
    ok(fum_image_write_png(path, &picture, &err), &err);
    struct fum_generate_params params = {
        .reconstruct = path, .on_image = compare_image, .user = &want};
    ok(fum_generate(pipeline, &params, &err), &err);
    assert_int_equal(want.count, 1);
    // The ends of a line are the pictures themselves.
    params.reconstruct = NULL;
    params.interpolate[0] = params.interpolate[1] = path;
    params.count = 1;
    ok(fum_generate(pipeline, &params, &err), &err);
    assert_int_equal(want.count, 2);
}

void check_drawn(struct replayed *r, fum_device *device, const char *name) {
    struct fum_error err = {0};
    fum_model *model = NULL;
    fum_pipeline *pipeline = NULL;
    const struct fum_model_params params = {.path = replayed_path(r, name)};
    ok(fum_model_open(&model, &params, &err), &err);
    ok(fum_model_check(model, NULL, NULL, &err), &err);
    ok(fum_pipeline_create(&pipeline, device, model, NULL, &err), &err);
    check_prior(r, pipeline);
    check_reconstruction(r, pipeline);
    fum_pipeline_destroy(&pipeline);
    fum_model_destroy(&model);
}
