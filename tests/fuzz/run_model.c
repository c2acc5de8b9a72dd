// SPDX-License-Identifier: MIT
// libFuzzer target: models made of the input draw a picture on the first device, twice. A run ends
// in the same pictures or in one error; the sanitizers watch the rest.
#include "fitted.h"
#include "model/model.h"
#include "gpu/gpu.h"

#include <fumarole/device.h>
#include <fumarole/pipeline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SIDE = 64 };

struct picture {
    int count;
    size_t bytes;
    uint8_t pixels[3 * MAX_SIDE * MAX_SIDE];
};

static bool keep(void *user, const struct fum_image *image) {
    struct picture *p = user;
    p->bytes = 3 * (size_t)image->width * (size_t)image->height;
    memcpy(p->pixels, image->pixels, p->bytes);
    p->count++;
    return true;
}

// Opened once; its kernels are the costly part of a run.
static fum_device *open_device(void) {
    static fum_device *device;
    struct fum_error err = {0};
    if (device || !fum_device_create(&device, NULL, &err)) return device;
    fprintf(stderr, "fuzzing: %s\n", err.text);
    exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
}

static void draw(const fum_model *model, struct choices *c) {
    static struct picture pictures[2];
    static const char *const samplers[] = {NULL,  "euler", "dpm++2m", "heun",
                                           "lcm", "ddim",  "euler_a", "unipc"};
    fum_pipeline *pipe = NULL;
    struct fum_error err = {0};
    struct fum_pipeline_params params = {.precision = (enum fum_precision)choose(c, 4),
                                         .weights = choose(c, 2) ? "q8_0" : NULL,
                                         .vae_tiling = one_in(c, 4),
                                         .memory_budget = one_in(c, 4) ? 1 << 20 : 0};
    int side = fum_model_get_info(model)->size_multiple * (int)(1 + choose(c, 2));
    struct fum_generate_params p = {.prompt = "a ship",
                                    .width = side,
                                    .height = side,
                                    .steps = 1 + (int)choose(c, 2),
                                    .sampler = samplers[choose(c, 8)],
                                    .guidance = one_in(c, 3) ? 1 : 0,
                                    .seed = 1,
                                    .on_image = keep};
    p.has_class = fum_model_get_view(model)->unet.class_embed != FUM_UNET_CLASS_NONE;
    fitted_give_picture(model, &p);
    if (side > MAX_SIDE) return;
    fum_device *device = open_device();
    enum fum_result result = fum_pipeline_create(&pipe, device, model, &params, &err);
    fitted_expect(result, &err);
    for (int i = 0; i < 2 && !result; i++) {
        pictures[i] = (struct picture){0};
        p.user = &pictures[i];
        result = fum_generate(pipe, &p, &err);
        fitted_expect(result, &err);
        if (!result != (pictures[i].count == 1)) abort();
    }
    fitted_counts.done += !result;
    if (!result && memcmp(pictures[0].pixels, pictures[1].pixels, pictures[0].bytes)) {
        fprintf(stderr, "fuzzing: the second picture is another one\n");
        abort();
    }
    fum_pipeline_destroy(&pipe);
    if (fum_device_memory_used(device)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    fum_model *model =
        fitted_open(&c, &(struct fitted_params){.numbers = true, .max_bytes = 8 << 20});
    if (model) draw(model, &c);
    fum_model_destroy(&model);
    return 0;
}
