// SPDX-License-Identifier: MIT
// Measures whole models with random weights: each part in turn, round after round.
#define _POSIX_C_SOURCE 200809L

#include "bench/bench.h"

#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/text.h"
#include "model/random_model.h"
#include "pipeline/pipeline.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// Steps of one round, and the share of the fma rate that a step is assumed to reach before it has
// run.
enum { STEPS = 2, MAX_MODELS = 8 };
static const double GUESS = 0.1;
// On CPU devices models that were requested by name are at most this large, unless a size was given
// too.
enum { CPU_SIZE = 256 };

const char *fum_bench_model_name(int index) {
    return fum_random_model_name(index);
}

// Returns the processor time of this thread in seconds, or 0 if the system does not report it.
static double thread_seconds(void) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0)
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
#endif
    return 0;
}

// One model while it is measured.
struct subject {
    struct fum_bench_run *bench;
    const char *name;
    bool named; // requested by the user: measured at least once, however long that takes
    double end; // when its time is over
    fum_model *model;
    fum_pipeline *pipe;
    struct fum_generate_params params;
    struct fum_run run;
    float *latents, *values, *moments; // of one picture: latents, pixels
    double encode_flops;
    int prompts; // so far: each is a new one

    double stamp, cpu_stamp; // when the last step ended
    bool counting;           // samples are kept
    struct fum_guard guard;
    struct fum_samples text, step, decode, encode, host, step_of_fma, decode_of_fma;
    bool no_memory; // for a sample
    double load_seconds;
    const char *note;
};

static bool add_sample(struct subject *s, struct fum_samples *samples, double value) {
    if (s->counting && !fum_samples_add(samples, value)) s->no_memory = true;
    return !s->no_memory;
}

// ---- making it ready ----

static bool on_load(void *user, const char *component, uint64_t done, uint64_t total) {
    struct subject *s = user;
    char what[64];
    snprintf(what, sizeof what, "%s, loading %s", s->name, component);
    fum_bench_progress(s->bench, what, (int)(done >> 20), (int)(total >> 20));
    return fum_bench_check(s->bench, NULL) == FUM_OK;
}

static bool on_step(void *user, int image, int step, int steps) {
    struct subject *s = user;
    (void)image, (void)step, (void)steps;
    double now = fum_time_now(), cpu = thread_seconds();
    add_sample(s, &s->step, now - s->stamp);
    add_sample(s, &s->host, cpu - s->cpu_stamp);
    s->stamp = now;
    s->cpu_stamp = cpu;
    return !s->no_memory && fum_bench_check(s->bench, NULL) == FUM_OK;
}

// Sets the size of the pictures. One side that was given stands for both.
static void choose_size(struct subject *s, int size) {
    const struct fum_bench_params *p = &s->bench->params;
    s->run.width = p->width ? p->width : p->height;
    s->run.height = p->height ? p->height : p->width;
    if (!s->run.width) s->run.width = s->run.height = size;
}

static enum fum_result make_run(struct subject *s, struct fum_error *err) {
    const struct fum_model_info *info = fum_model_get_info(s->model);
    const struct fum_model_view *view = fum_model_get_view(s->model);
    bool cpu = s->bench->info->type == FUM_DEVICE_CPU;
    int size = cpu && info->width > CPU_SIZE ? CPU_SIZE : info->width, m = info->size_multiple;
    s->params = (struct fum_generate_params){
        .guidance = info->guidance, .seed = 1, .on_step = on_step, .user = s};
    s->run = (struct fum_run){.params = &s->params,
                              .count = 1,
                              .batch = 1,
                              .copies = 2,
                              .clip_skip = 1,
                              .guidance = info->guidance,
                              .latent_channels = view->vae.latent_channels};
    choose_size(s, size);
    if (s->run.width % m || s->run.height % m || s->run.width < m || s->run.height < m)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s makes pictures of multiples of %d pixels, not %dx%d", s->name, m,
                             s->run.width, s->run.height);
    s->run.latent_width = s->run.width / m;
    s->run.latent_height = s->run.height / m;
    struct fum_sample_params sample = {
        .sampler = view->sampler, .steps = STEPS, .config = view->schedule};
    enum fum_result result = fum_sample_create(&s->run.program, &sample, err);
    size_t latent = (size_t)(s->run.latent_width * s->run.latent_height * s->run.latent_channels);
    size_t pixels = 3 * (size_t)s->run.width * (size_t)s->run.height;
    s->latents = fum_calloc(latent, sizeof(float));
    s->values = fum_calloc(pixels, sizeof(float));
    s->moments = fum_calloc(latent, sizeof(float));
    if (!result && (!s->latents || !s->values || !s->moments))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %dx%d", s->run.width,
                               s->run.height);
    return result;
}

static enum fum_result make_pipeline(struct subject *s, struct fum_error *err) {
    struct fum_pipeline_params params = {.precision = s->bench->params.precision,
                                         .log = s->bench->params.log,
                                         .on_load = on_load,
                                         .user = s};
    enum fum_result result = fum_random_model_create(&s->model, s->name, err);
    if (!result) result = make_run(s, err);
    if (!result) result = fum_pipeline_create(&s->pipe, s->bench->device, s->model, &params, err);
    return result;
}

static enum fum_result make_encoder(struct subject *s, struct fum_error *err) {
    enum fum_result result = fum_encode_image_prepare(s->pipe, s->run.height, s->run.width, err);
    if (!result) s->encode_flops = fum_pipeline_encode_flops(s->pipe);
    return result;
}

// ---- running the parts ----

static enum fum_result run_text(struct subject *s, struct fum_error *err) {
    char prompt[64];
    snprintf(prompt, sizeof prompt, "picture %d", ++s->prompts);
    double start = fum_time_now();
    fum_conditions_free(&s->run.conditions);
    s->run.tags.prompt = prompt;
    s->params.prompt = prompt;
    s->params.negative = prompt + 1;
    enum fum_result result = fum_conditions_make(s->pipe, &s->run, err);
    if (!result) result = fum_encode(s->pipe, &s->run, err);
    s->run.tags.prompt = NULL;
    s->params.prompt = s->params.negative = NULL;
    add_sample(s, &s->text, fum_time_now() - start);
    return result;
}

// Adds the share of the fma rate that something reached which ran for `seconds`.
static enum fum_result share(struct subject *s, struct fum_samples *samples, double flops,
                             double seconds, struct fum_error *err) {
    struct fum_guard before = s->guard;
    enum fum_result result = fum_measure_guard(s->bench, seconds, &s->guard, err);
    if (!result && flops > 0 && seconds > 0)
        add_sample(s, samples, flops / seconds / ((before.fma + s->guard.fma) / 2));
    return result;
}

static enum fum_result run_steps(struct subject *s, struct fum_error *err) {
    struct fum_batch batch = {.latents = s->latents};
    enum fum_result result = fum_denoise_prepare(s->pipe, &s->run, err);
    if (result) return result;
    s->stamp = fum_time_now();
    s->cpu_stamp = thread_seconds();
    result = fum_denoise(s->pipe, &s->run, &batch, err);
    if (!result && !batch.finite) s->note = "values overflowed: times are those of NaN";
    if (result) return result;
    struct fum_pipeline_stats stats;
    fum_pipeline_get_stats(s->pipe, &stats);
    return share(s, &s->step_of_fma, stats.unet.flops[FUM_STAGE_STEP], stats.step_seconds, err);
}

static enum fum_result run_decode(struct subject *s, struct fum_error *err) {
    struct fum_pipeline_stats stats;
    const struct fum_latents latents = {s->latents, s->run.latent_height, s->run.latent_width};
    double start = fum_time_now();
    enum fum_result result = fum_decode_values(s->pipe, &latents, s->values, err);
    double seconds = fum_time_now() - start;
    if (result) return result;
    add_sample(s, &s->decode, seconds);
    fum_pipeline_get_stats(s->pipe, &stats);
    return share(s, &s->decode_of_fma, stats.vae.flops[FUM_STAGE_STEP], seconds, err);
}

static enum fum_result run_encode(struct subject *s, struct fum_error *err) {
    const struct fum_pixels pixels = {s->values, s->run.height, s->run.width};
    double start = fum_time_now();
    enum fum_result result = fum_encode_image(s->pipe, &pixels, s->moments, err);
    add_sample(s, &s->encode, fum_time_now() - start);
    return result;
}

typedef enum fum_result (*part_fn)(struct subject *s, struct fum_error *err);
static const struct {
    const char *name;
    part_fn run;
} parts[] = {
    {"text", run_text}, {"steps", run_steps}, {"decode", run_decode}, {"encode", run_encode}};
enum { NUM_PARTS = FUM_COUNT(parts) };

static enum fum_result run_round(struct subject *s, const char *round, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < NUM_PARTS && !result; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s, %s", s->name, round);
        fum_bench_progress(s->bench, what, i, NUM_PARTS);
        result = fum_bench_check(s->bench, err);
        if (!result) result = parts[i].run(s, err);
    }
    if (!result && s->no_memory)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a measurement");
    return result;
}

// ---- a model ----

// True if a round fits the time that is left, as far as the model's arithmetic is known.
static bool has_time(const struct subject *s) {
    struct fum_pipeline_stats stats;
    fum_pipeline_get_stats(s->pipe, &stats);
    double flops = stats.unet.flops[FUM_STAGE_STEP] * STEPS;
    double rate = fum_samples_median(&s->bench->limits.samples[FUM_LIMIT_FMA_F32]);
    return fum_time_now() + flops / (rate * GUESS) < s->end;
}

// True if the weights leave room for the rest.
static bool has_room(const struct subject *s) {
    bool stated;
    uint64_t bytes =
        fum_random_model_parameters(s->model) * fum_dtype_size(fum_pipeline_storage(s->pipe));
    return bytes < fum_device_memory_budget(s->bench->device, &stated) / 10 * 9;
}

static enum fum_result measure_model(struct subject *s, struct fum_error *err) {
    double start = fum_time_now();
    enum fum_result result = fum_measure_guard(s->bench, 1, &s->guard, err);
    if (!result) result = make_pipeline(s, err);
    if (!result && !s->named && !has_room(s)) {
        s->note = "not run: its weights do not fit the device's memory";
        return FUM_OK;
    }
    if (!result) result = run_text(s, err);
    if (!result) result = fum_denoise_prepare(s->pipe, &s->run, err);
    if (!result) result = make_encoder(s, err);
    s->load_seconds = fum_time_now() - start;
    if (result) return result;
    if (!s->named && !has_time(s)) {
        s->note = "not run: a round would take longer than the time given (--time gives more)";
        return FUM_OK;
    }
    // The first round warms up, unless it is already as long as the time given.
    double first = fum_time_now();
    s->counting = !has_time(s);
    result = run_round(s, "first run", err);
    double took = fum_time_now() - first;
    bool counted = s->counting;
    s->counting = true;
    for (int round = counted; round < s->bench->params.repeats && !result; round++) {
        char what[32];
        snprintf(what, sizeof what, "repeat %d", round + 1);
        if ((round || !s->named) && fum_time_now() + took > s->end) break;
        result = run_round(s, what, err);
    }
    return result;
}

static enum fum_result report_model(struct subject *s, uint64_t used_before,
                                    struct fum_bench_model *out, struct fum_error *err) {
    fum_arena *arena = s->bench->arena;
    *out = (struct fum_bench_model){.name = s->name,
                                    .width = s->run.width,
                                    .height = s->run.height,
                                    .load_seconds = s->load_seconds,
                                    .note = s->note,
                                    .encode_flops = s->encode_flops,
                                    .memory_peak =
                                        fum_device_memory_peak(s->bench->device) - used_before};
    if (s->model) out->steps = fum_model_get_info(s->model)->steps;
    if (s->pipe) {
        struct fum_pipeline_stats stats;
        fum_pipeline_get_stats(s->pipe, &stats);
        out->type = fum_pipeline_storage(s->pipe);
        out->step_flops = stats.unet.flops[FUM_STAGE_STEP];
        out->decode_flops = stats.vae.flops[FUM_STAGE_STEP];
        out->dispatches = stats.unet.dispatches[FUM_STAGE_STEP];
        out->barriers = stats.unet.barriers[FUM_STAGE_STEP];
        out->planned_unet = stats.unet.weight_bytes + stats.unet.activation_bytes;
        out->planned_vae = stats.vae.weight_bytes + stats.vae.activation_bytes;
    }
    bool fits = fum_samples_finish(&s->text, arena, &out->text) &&
                fum_samples_finish(&s->step, arena, &out->step) &&
                fum_samples_finish(&s->decode, arena, &out->decode) &&
                fum_samples_finish(&s->encode, arena, &out->encode) &&
                fum_samples_finish(&s->host, arena, &out->host) &&
                fum_samples_finish(&s->step_of_fma, arena, &out->step_of_fma) &&
                fum_samples_finish(&s->decode_of_fma, arena, &out->decode_of_fma);
    double picture = out->text.median + out->steps * out->step.median + out->decode.median;
    if (out->text.count && out->step.count && out->decode.count) out->pictures = 1 / picture;
    return fits ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
}

static void release_subject(struct subject *s) {
    fum_pipeline_destroy(&s->pipe);
    fum_model_destroy(&s->model);
    fum_sample_destroy(&s->run.program);
    fum_conditions_free(&s->run.conditions);
    fum_free(s->latents);
    fum_free(s->values);
    fum_free(s->moments);
    struct fum_samples *all[] = {&s->text, &s->step,        &s->decode,       &s->encode,
                                 &s->host, &s->step_of_fma, &s->decode_of_fma};
    for (size_t i = 0; i < FUM_COUNT(all); i++) fum_samples_free(all[i]);
}

// Measures one model. *out is filled in, even if the model cannot run.
static enum fum_result run_model(struct subject *s, struct fum_bench_model *out,
                                 struct fum_error *err) {
    fum_device *device = s->bench->device;
    uint64_t used = fum_device_memory_used(device);
    struct fum_error problem = {0}, ignored;
    fum_device_memory_peak_reset(device);
    enum fum_result result = measure_model(s, &problem);
    if (result == FUM_ERR_NOMEM || result == FUM_ERR_UNSUPPORTED) { // others may still fit
        s->note = fum_arena_strdup(s->bench->arena, problem.text);
        result = FUM_OK;
    } else if (result == FUM_ERR_CANCELLED) {
        s->note = "stopped early";
    }
    enum fum_result reported = report_model(s, used, out, result ? &ignored : &problem);
    release_subject(s);
    if (!result) result = reported;
    return result ? fum_error_set(err, result, "%s", problem.text) : FUM_OK;
}

// ---- which ----

// True if the part of `list` up to the next comma is `name`.
static bool is_first(const char *list, const char *name) {
    size_t n = strcspn(list, ",");
    return strlen(name) == n && !strncmp(list, name, n);
}

static enum fum_result choose_models(const struct fum_bench_run *run, bool *requested,
                                     struct fum_error *err) {
    const char *list = run->params.models;
    for (int i = 0; fum_random_model_name(i); i++)
        // Without a list, models are tried in this order while time is left; CPU devices have it
        // for the smallest alone.
        requested[i] = !list ? i == 0 || run->info->type != FUM_DEVICE_CPU : !strcmp(list, "all");
    while (list && strcmp(list, "all")) {
        int i = 0;
        while (fum_random_model_name(i) && !is_first(list, fum_random_model_name(i))) i++;
        if (!fum_random_model_name(i))
            return fum_error_set(err, FUM_ERR_ARG,
                                 "no model \"%s\" to time: use emoji, sd1.5, sd2.1, sdxl or all",
                                 fum_text_show_bytes(list, strcspn(list, ",")).text);
        requested[i] = true;
        list += strcspn(list, ",");
        if (!*list) break;
        list++;
    }
    return FUM_OK;
}

enum fum_result fum_bench_models_check(const struct fum_bench_run *run, struct fum_error *err) {
    bool requested[MAX_MODELS] = {false};
    return choose_models(run, requested, err);
}

enum fum_result fum_bench_models(struct fum_bench_run *run, double seconds, struct fum_error *err) {
    bool requested[MAX_MODELS] = {false};
    double end = fum_time_now() + seconds;
    int left = 0;
    enum fum_result result = choose_models(run, requested, err);
    if (result) return result;
    for (int i = 0; i < MAX_MODELS; i++) left += requested[i];
    struct fum_bench_model *models = fum_arena_alloc(run->arena, MAX_MODELS, sizeof *models);
    if (!models) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
    run->report->models = models;
    for (int i = 0; i < MAX_MODELS && !result; i++) {
        if (!requested[i]) continue;
        double each = (end - fum_time_now()) / left--;
        if (each <= 0 && !run->params.models) break;
        struct subject subject = {.bench = run,
                                  .name = fum_random_model_name(i),
                                  .named = run->params.models != NULL,
                                  .end = fum_time_now() + each};
        result = run_model(&subject, &models[run->report->num_models], err);
        run->report->num_models++;
    }
    return result;
}
