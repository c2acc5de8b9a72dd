// SPDX-License-Identifier: MIT
// libFuzzer target: models made of the input are opened, checked and planned on a planning device,
// all parts of a run.
#include "base/alloc.h"
#include "fitted.h"
#include "gpu/gpu.h"
#include "pipeline/bands.h"
#include "pipeline/compile.h"
#include "pipeline/pipeline.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ignore_image(void *user, const struct fum_image *image) {
    (void)user, (void)image;
    return true;
}

// Returns 2 steps, or 1 if the model's scheduler takes no more: the number is this target's, not
// the model's.
static int choose_steps(const fum_model *model, const char *sampler) {
    struct fum_sample_program *program = NULL;
    struct fum_sample_params params = {
        .sampler = sampler, .steps = 2, .config = fum_model_get_view(model)->schedule};
    enum fum_result result = fum_sample_create(&program, &params, NULL);
    fum_sample_destroy(&program);
    return result == FUM_ERR_ARG ? 1 : 2;
}

// Describes a run, with defaults filled in. False if the sampler refuses.
static bool make_run(const fum_model *model, const struct fum_generate_params *p,
                     struct fum_run *run) {
    const struct fum_model_info *info = fum_model_get_info(model);
    const struct fum_model_view *view = fum_model_get_view(model);
    struct fum_error err = {0};
    int factor = fum_vae_factor(&view->vae);
    *run = (struct fum_run){.params = p,
                            .width = p->width,
                            .height = p->height,
                            .count = 1,
                            .batch = 1,
                            .copies = 2,
                            .clip_skip = info->clip_skip,
                            .guidance = 2,
                            .latent_width = p->width / factor,
                            .latent_height = p->height / factor,
                            .latent_channels = view->vae.latent_channels};
    struct fum_sample_params sample = {.sampler = p->sampler,
                                       .schedule = p->schedule,
                                       .steps = p->steps,
                                       .config = view->schedule};
    enum fum_result result = fum_sample_create(&run->program, &sample, &err);
    fitted_expect_model(result, &err);
    return !result;
}

// Compiles a component by itself, as a run without a budget does. What the device has no room for
// is no fault: the run would stream it, or decode in bands.
static enum fum_result compile_component(struct fum_component *component, const struct fum_run *run,
                                         struct fum_error *err) {
    struct fum_compiled compiled = {0};
    enum fum_result result = component->build(component, run, &compiled.graph, err);
    if (!result) result = fum_component_compile(component, &compiled, err);
    fum_compiled_clear(&compiled);
    fum_component_release(component);
    return result == FUM_ERR_NOMEM ? FUM_OK : result;
}

// Plans every component.
static bool plan_components(fum_pipeline *pipe, const struct fum_run *run) {
    const struct fum_bands bands = {
        .height = run->latent_height, .width = run->latent_width, .room = 1 << 20};
    struct fum_error err = {0};
    uint64_t activations = 0;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < pipe->num_components && !result; i++) {
        struct fum_component *component = &pipe->components[i];
        struct fum_executable_size size;
        if (component->build) result = fum_component_measure(component, run, &size, &err);
        if (!result && component->build && component != pipe->vae)
            result = compile_component(component, run, &err);
    }
    bool banded = !result && fum_bands_possible(pipe, &bands, &err);
    if (banded) result = fum_bands_measure(pipe, &bands, &activations, &err);
    if (!result) result = fum_encode_image_prepare(pipe, run->height, run->width, &err);
    fitted_expect_model(result, &err);
    return !result;
}

static fum_device *open_device(struct choices *c) {
    fum_device *device = NULL;
    struct fum_error err = {0};
    uint32_t count = 0;
    while (fum_device_planning_name((int)count)) count++;
    if (fum_device_create_planning(&device, fum_device_planning_name((int)choose(c, count)), &err))
        abort();
    return device;
}

static void plan(const fum_model *model, struct choices *c) {
    static const char *const samplers[] = {NULL,  "euler", "dpm++2m", "heun",
                                           "lcm", "ddim",  "euler_a", "dpm++3m_sde"};
    static const uint64_t budgets[] = {UINT64_C(1) << 50, UINT64_C(1) << 30, 1 << 20,
                                       FUM_MEMORY_AUTO};
    const struct fum_model_info *info = fum_model_get_info(model);
    fum_device *device = open_device(c);
    fum_pipeline *pipe = NULL;
    struct fum_error err = {0};
    struct fum_pipeline_params params = {.precision = (enum fum_precision)choose(c, 4),
                                         .weights = choose(c, 2) ? "q8_0" : NULL,
                                         .vae_tiling = one_in(c, 4)};
    int m = info->size_multiple, side = m * (int)(1 + choose(c, 3));
    struct fum_generate_params p = {.prompt = "a ship",
                                    .width = side,
                                    .height = m * (int)(1 + choose(c, 3)),
                                    .sampler = samplers[choose(c, 8)],
                                    .on_image = ignore_image};
    struct fum_run run;
    p.steps = choose_steps(model, p.sampler);
    p.has_class = fum_model_get_view(model)->unet.class_embed != FUM_UNET_CLASS_NONE;
    fitted_give_picture(model, &p);
    if (one_in(c, 3)) params.memory_budget = budgets[choose(c, 4)];
    enum fum_result result = fum_pipeline_create(&pipe, device, model, &params, &err);
    fitted_expect_model(result, &err);
    if (!result && params.memory_budget)
        fitted_expect_model(fum_generate(pipe, &p, &err), &err); // ends where work would begin
    else if (!result && make_run(model, &p, &run)) {
        fitted_counts.done += plan_components(pipe, &run);
        fum_sample_destroy(&run.program);
    }
    fum_pipeline_destroy(&pipe);
    if (fum_device_memory_used(device)) abort();
    fum_device_destroy(&device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    fum_model *model = fitted_open(&c, &(struct fitted_params){.max_bytes = UINT64_C(1) << 34});
    if (model) plan(model, &c);
    fum_model_destroy(&model);
    return 0;
}
