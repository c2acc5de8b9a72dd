// SPDX-License-Identifier: MIT
// One prompt without a LoRA, then at several weights of it: lora-0.0.png, lora-0.5.png,
// lora-1.0.png. Another weight loads what differs, and compiles nothing.
//
//     cc lora.c $(pkg-config --cflags --libs fumarole) -o lora && ./lora MODEL ink.safetensors "a
//     cat"
#include <fumarole/pipeline.h>

#include <stdio.h>

struct job {
    float weight;
    struct fum_error err;
};

static bool on_image(void *user, const struct fum_image *image) {
    struct job *job = user;
    char name[32];
    snprintf(name, sizeof name, "lora-%.1f.png", (double)job->weight);
    return fum_image_save(image, name, &job->err) == FUM_OK;
}

int main(int argc, char **argv) {
    static const float weights[] = {0, 0.5f, 1};
    struct job job = {0};
    struct fum_error err = {0};
    fum_device *device = NULL;
    fum_model *model = NULL;
    fum_pipeline *pipeline = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: lora MODEL LORA PROMPT\n");
        return 2;
    }

    struct fum_model_params model_params = {.path = argv[1]};
    enum fum_result result = fum_device_create(&device, NULL, &err);
    if (result == FUM_OK) result = fum_model_open(&model, &model_params, &err);
    if (result == FUM_OK) result = fum_pipeline_create(&pipeline, device, model, NULL, &err);
    for (int i = 0; i < 3 && result == FUM_OK; i++) {
        job.weight = weights[i];
        const struct fum_adapter lora = {
            .name = argv[2], .unet_weight = job.weight, .text_weight = job.weight};
        const struct fum_generate_params params = {.prompt = argv[3],
                                                   .seed = 42,
                                                   .adapters = &lora,
                                                   .num_adapters = job.weight > 0,
                                                   .on_image = on_image,
                                                   .user = &job};
        result = fum_generate(pipeline, &params, &err);
    }

    if (result != FUM_OK) fprintf(stderr, "lora: %s\n", job.err.code ? job.err.text : err.text);
    fum_pipeline_destroy(&pipeline);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
    return result == FUM_OK ? 0 : 1;
}
