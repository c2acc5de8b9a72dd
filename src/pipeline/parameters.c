// SPDX-License-Identifier: MIT
// Writes the text that a picture carries: everything that changes it, with A1111's keys, so that
// A1111 reads it.
#include "pipeline/enlarge.h"
#include "pipeline/pipeline.h"

#include "base/macros.h"
#include "base/number.h"
#include "io/image.h"

#include <stdio.h>
#include <string.h>

enum { MAX_EXTRAS = 24 + FUM_MAX_CONTROLS, MAX_MODEL_NAME = 256, HASH_DIGITS = 10 };

// Holds what A1111 has no field for, and eta, which A1111 writes where it is not the sampler's
// default.
struct extras {
    struct fum_image_extra pairs[MAX_EXTRAS];
    size_t count;
    char class_label[FUM_NUMBER_BYTES], eta[FUM_NUMBER_BYTES], scale[FUM_NUMBER_BYTES];
    char strength[FUM_NUMBER_BYTES], upscale[FUM_NUMBER_BYTES], steps[FUM_NUMBER_BYTES], size[32];
    char image_scale[FUM_NUMBER_BYTES], blur[FUM_NUMBER_BYTES];
    char subseed[24], variation[FUM_NUMBER_BYTES];
    char between[200], adapters[500], freeu[4 * FUM_NUMBER_BYTES], cache[200];
    char control_keys[FUM_MAX_CONTROLS][24], controls[FUM_MAX_CONTROLS][240];
};

static void add_extra(struct extras *e, const char *key, const char *value) {
    if (value && e->count < MAX_EXTRAS) e->pairs[e->count++] = (struct fum_image_extra){key, value};
}

// Writes "name:unet:text, …" of the request's adapters, without their folders. The prompt has its
// own tags.
static const char *describe_adapters(const struct fum_generate_params *p, char *text, size_t size) {
    size_t used = 0;
    for (int i = 0; i < p->num_adapters && used < size; i++) {
        const struct fum_adapter *a = &p->adapters[i];
        const char *slash = strrchr(a->name, '/');
        char unet[FUM_NUMBER_BYTES], texts[FUM_NUMBER_BYTES];
        int n =
            snprintf(text + used, size - used, "%s%s:%s:%s", used ? ", " : "",
                     slash ? slash + 1 : a->name, fum_number_shorten(unet, (double)a->unet_weight),
                     fum_number_shorten(texts, (double)a->text_weight));
        used += n > 0 ? (size_t)n : 0;
    }
    return used ? text : NULL;
}

// Writes numbers with commas between them.
static const char *join_numbers(const double *numbers, int count, char *text, size_t size) {
    char number[FUM_NUMBER_BYTES];
    size_t used = 0;
    for (int i = 0; i < count && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                         fum_number_shorten(number, numbers[i]));
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

static void describe_freeu(const struct fum_changes *changes, struct extras *e) {
    double factors[FUM_FREEU_FACTORS];
    if (!changes->has_freeu) return;
    for (int i = 0; i < FUM_FREEU_FACTORS; i++) factors[i] = (double)changes->freeu[i];
    add_extra(e, "FreeU", join_numbers(factors, FUM_FREEU_FACTORS, e->freeu, sizeof e->freeu));
}

static void describe_cache(const struct fum_cache_choice *cache, struct extras *e) {
    const struct fum_cache_params *p = &cache->params;
    const double numbers[] = {p->interval, p->branch, p->threshold, p->start, p->end};
    char text[5 * FUM_NUMBER_BYTES];
    if (!cache->kind) return;
    snprintf(e->cache, sizeof e->cache, "%s, %s", cache->kind->name,
             join_numbers(numbers, (int)FUM_COUNT(numbers), text, sizeof text));
    add_extra(e, "Step cache", e->cache);
}

// Adds what A1111 writes of a second pass.
static void describe_second_pass(const struct fum_run *run, struct extras *e) {
    const struct fum_hires_params *hires = run->hires;
    if (!hires) return;
    const struct fum_enlarger *way =
        fum_enlarger_find(hires->upscaler ? hires->upscaler : "latent");
    const char *slash = way ? NULL : strrchr(hires->upscaler, '/');
    double scale = hires->scale != 0 ? hires->scale : FUM_HIRES_SCALE;
    snprintf(e->size, sizeof e->size, "%dx%d", run->width, run->height);
    add_extra(e, "Denoising strength", fum_number_shorten(e->strength, run->strength));
    if (hires->width || hires->height)
        add_extra(e, "Hires resize", e->size);
    else
        add_extra(e, "Hires upscale", fum_number_shorten(e->upscale, scale));
    if (hires->steps) add_extra(e, "Hires steps", fum_number_shorten(e->steps, hires->steps));
    if (way)
        add_extra(e, "Hires upscaler", way->label);
    else
        add_extra(e, "Hires upscaler", slash ? slash + 1 : hires->upscaler);
}

// Adds what a mask does, with A1111's keys.
static void collect_mask(const struct fum_run *run, struct extras *e) {
    static const char *const fills[] = {[FUM_INPAINT_FILL] = "fill",
                                        [FUM_INPAINT_NOISE] = "latent noise",
                                        [FUM_INPAINT_ZERO] = "latent nothing"};
    const struct fum_generate_params *p = run->params;
    if (p->image_guidance > 0)
        add_extra(e, "Image CFG scale",
                  fum_number_shorten(e->image_scale, (double)p->image_guidance));
    if (!run->given.mask.soft.pixels) return;
    if (p->mask_blur > 0) add_extra(e, "Mask blur", fum_number_shorten(e->blur, p->mask_blur));
    if (p->mask_invert) add_extra(e, "Mask mode", "Inpaint not masked");
    add_extra(e, "Masked content",
              (size_t)p->inpaint_fill < FUM_COUNT(fills) ? fills[p->inpaint_fill] : NULL);
    if (p->only_masked) add_extra(e, "Inpaint area", "Only masked");
}

static void collect_extras(const fum_pipeline *pipe, const struct fum_run *run, struct extras *e) {
    const struct fum_generate_params *p = run->params;
    const struct fum_sample_program *program = run->program;
    static const char *const seamless[] = {NULL, "x", "y", "xy"};
    static const char *const emphasis[] = {NULL, "No norm", "None"}; // as A1111 writes them
    e->count = 0;
    if (p->has_class)
        add_extra(e, "Class", fum_number_shorten(e->class_label, (double)p->class_label));
    add_extra(e, "Classifier", p->classifier);
    if (p->classifier)
        add_extra(e, "Classifier scale",
                  fum_number_shorten(e->scale, (double)run->classifier_scale));
    char share[FUM_NUMBER_BYTES];
    if (run->ends)
        snprintf(e->between, sizeof e->between, "%.80s to %.80s at %s", p->interpolate[0],
                 p->interpolate[1], fum_number_format(share, 4, fum_run_share(run, pipe->image)));
    add_extra(e, "Interpolated", run->ends ? e->between : NULL);
    if (program->takes_eta && program->eta != program->default_eta)
        add_extra(e, program->default_eta > 0 ? "Eta" : "Eta DDIM",
                  fum_number_shorten(e->eta, program->eta));
    add_extra(e, "Emphasis", emphasis[(size_t)p->emphasis < FUM_COUNT(emphasis) ? p->emphasis : 0]);
    collect_mask(run, e);
    if (p->subseed_strength > 0) {
        snprintf(e->subseed, sizeof e->subseed, "%llu",
                 (unsigned long long)(p->subseed + (uint64_t)pipe->image));
        add_extra(e, "Variation seed", e->subseed);
        add_extra(e, "Variation seed strength",
                  fum_number_shorten(e->variation, p->subseed_strength));
    }
    add_extra(e, "Timestep spacing", fum_spacing_word(program->spacing));
    add_extra(e, "Prediction type", fum_prediction_word(program->prediction));
    add_extra(e, "Initial noise", p->noise ? "from a file" : NULL);
    add_extra(e, "Step noise", p->step_noise ? "from a file" : NULL);
    add_extra(e, "Seamless", seamless[p->seamless & FUM_SEAMLESS_XY]);
    describe_second_pass(run, e);
    for (int i = 0; i < p->num_controls; i++) {
        snprintf(e->control_keys[i], sizeof e->control_keys[i], "ControlNet %d", i);
        add_extra(e, e->control_keys[i],
                  fum_control_describe(&p->controls[i], e->controls[i], sizeof e->controls[i]));
    }
    describe_freeu(&run->changes, e);
    describe_cache(&run->changes.cache, e);
    add_extra(e, "Adapters", describe_adapters(p, e->adapters, sizeof e->adapters));
    add_extra(e, "Precision", fum_dtype_name(pipe->unet->storage));
    add_extra(e, "Weight type", pipe->params.weights);
}

// Returns the model's name without the extension of a weight file, as A1111 writes it.
static const char *model_name(const fum_pipeline *pipe, char text[MAX_MODEL_NAME]) {
    static const char *const endings[] = {".safetensors", ".ckpt", ".gguf"};
    snprintf(text, MAX_MODEL_NAME, "%s", fum_model_get_info(pipe->model)->name);
    char *dot = strrchr(text, '.');
    for (size_t i = 0; dot && i < FUM_COUNT(endings); i++)
        if (!strcmp(dot, endings[i]) && dot > text) {
            *dot = 0;
            break;
        }
    return text;
}

// Names the picture that waits for the model's hash.
struct waiting {
    const struct fum_generate_params *params;
    int image;
};

// Reports the end of the decoding again. False if the caller cancels: the picture is complete by
// then and is handed over without the hash.
static bool report_waiting(void *user) {
    const struct waiting *w = user;
    return !w->params->on_work ||
           w->params->on_work(w->params->user, FUM_WORK_DECODE, w->image, 1, 1);
}

static bool go_on(void *user) {
    (void)user;
    return false; // it is read only if it is complete
}

const char *fum_pipeline_model_hash(const fum_pipeline *pipe) {
    return fum_model_hash_wait(pipe->hash, go_on, NULL);
}

// Returns the steps as they were requested. A strength below 1 leaves out the first of them.
static int count_steps(const fum_pipeline *pipe, const struct fum_run *run) {
    if (run->hires) return run->steps_before;
    if (run->strength <= 0 || run->params->sigmas) return run->program->steps;
    return run->params->steps ? run->params->steps : fum_model_get_info(pipe->model)->steps;
}

char *fum_parameters_text(const fum_pipeline *pipe, const struct fum_run *run, uint64_t seed) {
    const struct fum_generate_params *p = run->params;
    char name[MAX_MODEL_NAME], hash[HASH_DIGITS + 1];
    struct waiting waiting = {p, pipe->image};
    const char *digest = fum_model_hash_wait(pipe->hash, report_waiting, &waiting);
    struct extras extras;
    collect_extras(pipe, run, &extras);
    snprintf(hash, sizeof hash, "%s", digest ? digest : "");
    return fum_image_format_parameters(&(struct fum_image_parameters){
        .prompt = p->prompt ? p->prompt : "",
        .negative = p->negative,
        .steps = count_steps(pipe, run),
        .sampler = run->program->sampler_label,
        .schedule = run->program->schedule_label,
        .cfg = run->guidance,
        .seed = seed,
        .width = run->width,
        .height = run->height,
        .model_hash = digest ? hash : NULL,
        .model = model_name(pipe, name),
        .denoising = run->given.strength,
        .clip_skip = run->clip_skip,
        .rng = p->rng == FUM_RNG_CPU ? "CPU" : "NV",
        .extra = extras.pairs,
        .extra_count = extras.count,
        .version = "fumarole " FUM_VERSION,
    });
}
