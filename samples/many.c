// SPDX-License-Identifier: MIT
// Many prompts through one loaded model: a line of standard input is a prompt, each makes
// picture-N.png. Weights, compiled graphs and recorded steps are kept between prompts, so all but
// the first are quick.
//
//     cc many.c $(pkg-config --cflags --libs fumarole) -o many && printf 'red heart\ngreen apple\n'
//     | ./many [MODEL]
#include <fumarole/pipeline.h>

#include <stdio.h>
#include <string.h>

struct job {
    int number;
    struct fum_error err;
};

static bool on_image(void *user, const struct fum_image *image) {
    struct job *job = user;
    char name[32];
    snprintf(name, sizeof name, "picture-%d.png", job->number);
    return fum_image_save(image, name, &job->err) == FUM_OK;
}

int main(int argc, char **argv) {
    struct job job = {0};
    struct fum_error err = {0};
    fum_device *device = NULL;
    fum_model *model = NULL;
    fum_pipeline *pipeline = NULL;
    char prompt[1024];

    struct fum_model_params model_params = {.path = argc > 1 ? argv[1] : NULL};
    enum fum_result result = fum_device_create(&device, NULL, &err);
    if (result == FUM_OK) result = fum_model_open(&model, &model_params, &err);
    if (result == FUM_OK) result = fum_pipeline_create(&pipeline, device, model, NULL, &err);

    while (result == FUM_OK && fgets(prompt, sizeof prompt, stdin)) {
        prompt[strcspn(prompt, "\r\n")] = 0;
        job.number++;
        struct fum_generate_params params = {
            .prompt = prompt, .seed = 42, .on_image = on_image, .user = &job};
        double started = fum_time_now();
        result = fum_generate(pipeline, &params, &err);
        if (result == FUM_OK)
            printf("picture-%d.png: %s, %.2f s\n", job.number, prompt, fum_time_now() - started);
    }

    if (result != FUM_OK) fprintf(stderr, "many: %s\n", job.err.code ? job.err.text : err.text);
    fum_pipeline_destroy(&pipeline);
    fum_model_destroy(&model);
    fum_device_destroy(&device);
    return result == FUM_OK ? 0 : 1;
}
