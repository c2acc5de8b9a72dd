// SPDX-License-Identifier: MIT
// Draws a picture whose edges are those of another: a ControlNet steers the model.
//
//     cc control.c $(pkg-config --cflags --libs fumarole) -o control
//     ./control sd15.safetensors controlnet-canny photo.jpg "a castle of ice"
#include <fumarole/pipeline.h>

#include <stdio.h>

static bool on_image(void *user, const struct fum_image *image) {
    (void)user;
    struct fum_error err = {0};
    if (fum_image_save(image, "control.png", &err) == FUM_OK) return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

int main(int argc, char **argv) {
    if (argc < 5) return fprintf(stderr, "usage: control MODEL CONTROLNET PICTURE PROMPT\n"), 2;
    struct fum_error err = {0};
    fum_device *device = NULL;
    fum_model *model = NULL;
    fum_pipeline *pipeline = NULL;
    // The edges of the picture hold for the first 80 % of the steps; details are then free.
    const struct fum_control control = {
        .path = argv[2], .image = {.path = argv[3]}, .preprocess = "canny:100:200", .end = 0.8f};
    const struct fum_generate_params picture = {.prompt = argv[4],
                                                .seed = 7,
                                                .controls = &control,
                                                .num_controls = 1,
                                                .on_image = on_image};

    enum fum_result result = fum_device_create(&device, NULL, &err);
    if (!result) result = fum_model_open(&model, &(struct fum_model_params){.path = argv[1]}, &err);
    if (!result) result = fum_pipeline_create(&pipeline, device, model, NULL, &err);
    if (!result) result = fum_generate(pipeline, &picture, &err);
    if (result) fprintf(stderr, "%s\n", err.text);

    fum_pipeline_destroy(&pipeline);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
    return result ? 1 : 0;
}
