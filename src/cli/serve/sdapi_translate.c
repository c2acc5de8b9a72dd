// SPDX-License-Identifier: MIT
// Turns A1111's fields into those of a job.
#include "sdapi.h"

#include "options.h"

#include <string.h>

static bool set_flag(struct api_call *call, const char *field) {
    return api_set(call, field, cJSON_CreateTrue());
}

// Sets a field to a number that is given. The job's own default stands for one that is not.
static bool set_given(struct api_call *call, const char *name, const char *field) {
    const cJSON *value = api_get(call, name);
    return !value || api_set_number(call, field, value->valuedouble);
}

// Sets it unless it is 0, which leaves the decision to another field.
static bool set_unless_0(struct api_call *call, const char *name, const char *field) {
    return api_number(call, name, 0) == 0 || set_given(call, name, field);
}

// ---- both routes ----

static bool set_seeds(struct api_call *call) {
    if (!api_get(call, "seed") && !api_set_number(call, "seed", -1)) return false;
    // Without a strength a drawn subseed would only make equal pictures unequal files.
    if (api_number(call, "subseed_strength", 0) == 0) return true;
    return set_given(call, "subseed_strength", "subseed_strength") &&
           api_set_number(call, "subseed", api_number(call, "subseed", -1));
}

static bool set_count(struct api_call *call) {
    double size = api_number(call, "batch_size", 1), rounds = api_number(call, "n_iter", 1);
    int most = call->request->server->context.max_pictures;
    if (size < 1 || size > most)
        return api_refuse(call, "batch_size", "out_of_range", "batch_size must lie in 1..%d", most);
    if (rounds < 1 || rounds > most)
        return api_refuse(call, "n_iter", "out_of_range", "n_iter must lie in 1..%d", most);
    if (size * rounds > most)
        return api_refuse(call, "n_iter", "out_of_range",
                          "batch_size times n_iter must be at most %d, not %.0f", most,
                          size * rounds);
    return api_set_number(call, "batch_count", size * rounds);
}

// ---- the second pass ----

// Returns the name that jobs have for an upscaler of A1111.
static const char *find_upscaler(const char *name) {
    static const char *const names[][2] = {{"None", "lanczos"}, // which then fills the size
                                           {"Latent", "latent"},
                                           {"Latent (bicubic)", "latent-bicubic"},
                                           {"Nearest", "nearest"},
                                           {"Lanczos", "lanczos"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cli_same_word(name, names[i][0])) return names[i][1];
    return name;
}

// Refuses values that the second pass would have of its own.
static bool check_second_pass(struct api_call *call) {
    static const struct {
        const char *name, *same, *first;
    } fields[] = {{"hr_checkpoint_name", "Use same checkpoint", NULL},
                  {"hr_sampler_name", "Use same sampler", "sampler_name"},
                  {"hr_scheduler", "Use same scheduler", "scheduler"},
                  {"hr_prompt", "", "prompt"},
                  {"hr_negative_prompt", "", "negative_prompt"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *text = api_text(call, fields[i].name, "");
        const char *first = fields[i].first ? api_text(call, fields[i].first, "") : "";
        if (*text && !cli_same_word(text, fields[i].same) && strcmp(text, first) != 0)
            return api_refuse(call, fields[i].name, "unsupported",
                              "%s is not supported: the second pass has what the first has",
                              fields[i].name);
    }
    return true;
}

static bool set_second_pass(struct api_call *call) {
    if (!api_flag(call, "enable_hr", false)) return true;
    const char *upscaler = find_upscaler(api_text(call, "hr_upscaler", "Latent"));
    return check_second_pass(call) && set_flag(call, "hires") &&
           set_given(call, "hr_scale", "hires_scale") &&
           set_unless_0(call, "hr_resize_x", "hires_width") &&
           set_unless_0(call, "hr_resize_y", "hires_height") &&
           set_unless_0(call, "hr_second_pass_steps", "hires_steps") &&
           set_given(call, "denoising_strength", "hires_strength") &&
           api_set_text(call, "hires_upscaler", upscaler);
}

// ---- pictures that are given ----

// Sets a field by a number that A1111 has for a name.
static bool set_by_number(struct api_call *call, const char *name, double number,
                          const char *const *names) {
    int count = 0;
    while (names[count]) count++;
    if (number < 0 || number >= count)
        return api_refuse(call, name, "out_of_range", "%s must lie in 0..%d", name, count - 1);
    const struct api_field *f = call->table;
    while (strcmp(f->name, name) != 0 || !(f->routes & call->route)) f++;
    return api_set_text(call, f->field, names[(int)number]);
}

static bool set_mask_blur(struct api_call *call) {
    enum { USUAL_BLUR = 4 };
    double blur = api_number(call, "mask_blur", USUAL_BLUR);
    double x = api_number(call, "mask_blur_x", blur), y = api_number(call, "mask_blur_y", blur);
    if (!api_get(call, "mask_blur")) blur = x;
    if (x != blur)
        return api_refuse(call, "mask_blur_x", "unsupported", "mask_blur_x must be mask_blur");
    if (y != blur)
        return api_refuse(call, "mask_blur_y", "unsupported",
                          "mask_blur_y must be mask_blur, and as mask_blur_x");
    return api_set_number(call, "mask_blur", blur);
}

static bool set_mask(struct api_call *call) {
    static const char *const fills[] = {"fill", "original", "noise", "zero", NULL};
    const char *mask = api_text(call, "mask", "");
    if (!*mask) return true;
    bool good =
        api_set_text(call, "mask", mask) && set_mask_blur(call) &&
        set_by_number(call, "inpainting_fill", api_number(call, "inpainting_fill", 0), fills) &&
        (!api_flag(call, "inpainting_mask_invert", false) || set_flag(call, "mask_invert"));
    if (!good || !api_flag(call, "inpaint_full_res", true)) return good;
    return set_flag(call, "inpaint_only_masked") &&
           api_set_number(call, "inpaint_padding", api_number(call, "inpaint_full_res_padding", 0));
}

static bool set_pictures(struct api_call *call) {
    static const char *const modes[] = {"stretch", "crop", "pad", NULL};
    static const double usual_strength = 0.75;
    const cJSON *images = api_get(call, "init_images");
    if (!images || cJSON_GetArraySize(images) != 1 || !cJSON_IsString(images->child))
        return api_refuse(call, "init_images", "invalid_value",
                          "init_images must be a list of one picture, as base64");
    return api_set_text(call, "init_img", images->child->valuestring) &&
           api_set_number(call, "strength",
                          api_number(call, "denoising_strength", usual_strength)) &&
           set_by_number(call, "resize_mode", api_number(call, "resize_mode", 0), modes) &&
           set_mask(call);
}

bool sdapi_translate(struct api_call *call, const cJSON *options) {
    const char *sampler = api_text(call, "sampler_name", api_text(call, "sampler_index", NULL));
    bool good = options_set_fields(call, options) && set_seeds(call) && set_count(call) &&
                sdapi_set_controls(call) &&
                api_set_sampling(call, sampler, api_text(call, "scheduler", NULL));
    good = good && api_fit_prompts(call);
    if (good && api_flag(call, "tiling", false)) good = api_set_text(call, "seamless", "xy");
    if (!good) return false;
    return call->route == SDAPI_IMG2IMG ? set_pictures(call) : set_second_pass(call);
}
