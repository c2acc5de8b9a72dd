// SPDX-License-Identifier: MIT
// One picture: the shipped model, a prompt from the command line, picture.png out.
//
//     cc generate.c $(pkg-config --cflags --libs fumarole) -o generate && ./generate "a red heart"
#include <fumarole/pipeline.h>

#include <stdio.h>

static bool on_step(void *user, int image, int step, int steps) {
    (void)user, (void)image;
    fprintf(stderr, "\rstep %d of %d%s", step, steps, step == steps ? "\n" : "");
    return true; // false would stop here
}

static bool on_image(void *user, const struct fum_image *image) {
    struct fum_error *err = user;
    return fum_image_save(image, "picture.png", err) == FUM_OK;
}

int main(int argc, char **argv) {
    struct fum_error err = {0}, save_err = {0};
    fum_device *device = NULL;
    fum_model *model = NULL;
    fum_pipeline *pipeline = NULL;

    // Zero and NULL take the default everywhere: the best device, the shipped model, its own size,
    // steps and sampler.
    struct fum_generate_params params = {
        .prompt = argc > 1 ? argv[1] : "a smiling cat face",
        .seed = 42,
        .on_step = on_step,
        .on_image = on_image,
        .user = &save_err,
    };
    enum fum_result result = fum_device_create(&device, NULL, &err);
    if (result == FUM_OK) result = fum_model_open(&model, NULL, &err);
    if (result == FUM_OK) result = fum_pipeline_create(&pipeline, device, model, NULL, &err);
    if (result == FUM_OK) result = fum_generate(pipeline, &params, &err);
    if (save_err.code) err = save_err;

    if (result == FUM_OK)
        printf("picture.png, made on %s\n", fum_device_get_info(device)->name);
    else
        fprintf(stderr, "generate: %s\n", err.text);
    fum_pipeline_destroy(&pipeline); // in this order; each takes what was never made, too
    fum_model_destroy(&model);
    fum_device_destroy(&device);
    return result == FUM_OK ? 0 : 1;
}
