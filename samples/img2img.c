// SPDX-License-Identifier: MIT
// Starts from a picture: draws it anew after a prompt, where a mask is white if one is given.
//
//     cc img2img.c $(pkg-config --cflags --libs fumarole) -o img2img
//     ./img2img sd15.safetensors photo.jpg "an oil painting" [mask.png]
#include <fumarole/pipeline.h>

#include <stdio.h>

static bool on_image(void *user, const struct fum_image *image) {
    (void)user;
    struct fum_error err = {0};
    if (fum_image_save(image, "img2img.png", &err) == FUM_OK) return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: img2img MODEL PICTURE PROMPT [MASK]\n"), 2;
    struct fum_error err = {0};
    fum_device *device = NULL;
    fum_model *model = NULL;
    fum_pipeline *pipeline = NULL;
    // The last 60 % of the steps run: the picture keeps its shapes.
    const struct fum_generate_params picture = {.prompt = argv[3],
                                                .seed = 7,
                                                .init_image = {.path = argv[2]},
                                                .mask = {.path = argv[4]}, // NULL: everything
                                                .strength = 0.6,
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
