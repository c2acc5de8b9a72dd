// SPDX-License-Identifier: MIT
// Whole models with random weights: each part timed in turn, round after round.
#define _POSIX_C_SOURCE 200809L

#include "bench/bench.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "model/random_model.h"
#include "pipeline/pipeline.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// Steps of one round, and what a step is taken to reach of the fma rate before it has run.
enum { STEPS = 2, MAX_MODELS = 8 };
static const double GUESS = 0.1;
// On CPU devices models that were asked for by name are this large at the most, unless a size was
// given too.
enum { CPU_SIZE = 256 };

const char *fum_bench_model_name(int index) {
    return fum_random_model_name(index);
}

// Processor time of this thread, in seconds; 0 where the system does not say.
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
    bool named; // the user asked for it: measured at least once, however long that takes
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

static bool add(struct subject *s, struct fum_samples *samples, double value) {
    if (s->counting && !fum_samples_add(samples, value)) s->no_memory = true;
    return !s->no_memory;
}

// ---- making it ready ----

static bool on_load(void *user, const char *part, uint64_t done, uint64_t total) {
    struct subject *s = user;
    char what[64];
    snprintf(what, sizeof what, "%s, loading %s", s->name, part);
    fum_bench_progress(s->bench, what, (int)(done >> 20), (int)(total >> 20));
    return fum_bench_check(s->bench, NULL) == FUM_OK;
}

static bool on_step(void *user, int image, int step, int steps) {
    struct subject *s = user;
    (void)image, (void)step, (void)steps;
    double now = fum_time_now(), cpu = thread_seconds();
    add(s, &s->step, now - s->stamp);
    add(s, &s->host, cpu - s->cpu_stamp);
    s->stamp = now;
    s->cpu_stamp = cpu;
    return !s->no_memory && fum_bench_check(s->bench, NULL) == FUM_OK;
}

static enum fum_result make_run(struct subject *s, struct fum_error *err) {
    const struct fum_bench_params *p = &s->bench->params;
    const struct fum_model_info *info = fum_model_get_info(s->model);
    const struct fum_model_view *view = fum_model_get_view(s->model);
    bool cpu = s->bench->info->type == FUM_DEVICE_CPU;
    int size = cpu && info->width > CPU_SIZE ? CPU_SIZE : info->width, m = info->size_multiple;
    s->params = (struct fum_generate_params){
        .guidance = info->guidance, .seed = 1, .on_step = on_step, .user = s};
    s->run = (struct fum_run){.params = &s->params,
                              .width = p->width ? p->width : size,
                              .height = p->height  ? p->height
                                        : p->width ? p->width
                                                   : size,
                              .count = 1,
                              .batch = 1,
                              .copies = 2,
                              .clip_skip = 1,
                              .guidance = info->guidance,
                              .latent_channels = view->vae.latent_channels};
    if (p->height && !p->width) s->run.width = p->height;
    if (s->run.width % m || s->run.height % m || s->run.width < m || s->run.height < m)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s makes pictures of multiples of %d pixels, not %dx%d", s->name, m,
                             s->run.width, s->run.height);
    s->run.latent_width = s->run.width / m;
    s->run.latent_height = s->run.height / m;
    struct fum_sample_params sample = {
        .sampler = view->sampler, .steps = STEPS, .config = view->schedule};
    enum fum_result r = fum_sample_create(&s->run.program, &sample, err);
    size_t latent = (size_t)(s->run.latent_width * s->run.latent_height * s->run.latent_channels);
    size_t pixels = 3 * (size_t)s->run.width * (size_t)s->run.height;
    s->latents = fum_calloc(latent, sizeof(float));
    s->values = fum_calloc(pixels, sizeof(float));
    s->moments = fum_calloc(latent, sizeof(float));
    if (!r && (!s->latents || !s->values || !s->moments))
        r = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %dx%d", s->run.width,
                          s->run.height);
    return r;
}

static enum fum_result make_pipeline(struct subject *s, struct fum_error *err) {
    struct fum_pipeline_params params = {.precision = s->bench->params.precision,
                                         .log = s->bench->params.log,
                                         .on_load = on_load,
                                         .user = s};
    enum fum_result r = fum_random_model_create(&s->model, s->name, err);
    if (!r) r = make_run(s, err);
    if (!r) r = fum_pipeline_create(&s->pipe, s->bench->device, s->model, &params, err);
    return r;
}

static enum fum_result make_encoder(struct subject *s, struct fum_error *err) {
    enum fum_result result = fum_encode_image_prepare(s->pipe, s->run.height, s->run.width, err);
    if (!result) s->encode_flops = s->pipe->vae_encoder->stats.flops[FUM_STAGE_STEP];
    return result;
}

// ---- running the parts ----

static enum fum_result run_text(struct subject *s, struct fum_error *err) {
    char prompt[64];
    snprintf(prompt, sizeof prompt, "picture %d", ++s->prompts);
    double start = fum_time_now();
    enum fum_result r = fum_encode(s->pipe,
                                   &(struct fum_prompts){.prompt = prompt,
                                                         .negative = prompt + 1,
                                                         .guided = true,
                                                         .clip_skip = s->run.clip_skip},
                                   err);
    add(s, &s->text, fum_time_now() - start);
    return r;
}

// The share of the fma rate around what took `seconds`.
static enum fum_result share(struct subject *s, struct fum_samples *samples, double flops,
                             double seconds, struct fum_error *err) {
    struct fum_guard before = s->guard;
    enum fum_result r = fum_measure_guard(s->bench, seconds, &s->guard, err);
    if (!r && flops > 0 && seconds > 0)
        add(s, samples, flops / seconds / ((before.fma + s->guard.fma) / 2));
    return r;
}

static enum fum_result run_steps(struct subject *s, struct fum_error *err) {
    struct fum_batch batch = {.latents = s->latents};
    enum fum_result r = fum_denoise_prepare(s->pipe, &s->run, err);
    if (r) return r;
    s->stamp = fum_time_now();
    s->cpu_stamp = thread_seconds();
    r = fum_denoise(s->pipe, &s->run, &batch, err);
    if (!r && !batch.finite) s->note = "values overflowed: times are those of NaN";
    if (r) return r;
    return share(s, &s->step_of_fma, s->pipe->unet->stats.flops[FUM_STAGE_STEP],
                 s->pipe->times.step, err);
}

static enum fum_result run_decode(struct subject *s, struct fum_error *err) {
    struct fum_pipeline_stats stats;
    const struct fum_latents latents = {s->latents, s->run.latent_height, s->run.latent_width};
    double start = fum_time_now();
    enum fum_result r = fum_decode_values(s->pipe, &latents, s->values, err);
    double seconds = fum_time_now() - start;
    if (r) return r;
    add(s, &s->decode, seconds);
    fum_pipeline_get_stats(s->pipe, &stats);
    return share(s, &s->decode_of_fma, stats.vae.flops[FUM_STAGE_STEP], seconds, err);
}

static enum fum_result run_encode(struct subject *s, struct fum_error *err) {
    const struct fum_pixels pixels = {s->values, s->run.height, s->run.width};
    double start = fum_time_now();
    enum fum_result result = fum_encode_image(s->pipe, &pixels, s->moments, err);
    add(s, &s->encode, fum_time_now() - start);
    return result;
}

typedef enum fum_result (*part_fn)(struct subject *s, struct fum_error *err);
static const struct {
    const char *name;
    part_fn run;
} parts[] = {
    {"text", run_text}, {"steps", run_steps}, {"decode", run_decode}, {"encode", run_encode}};
enum { NUM_PARTS = sizeof parts / sizeof *parts };

static enum fum_result run_round(struct subject *s, const char *round, struct fum_error *err) {
    enum fum_result r = FUM_OK;
    for (int i = 0; i < NUM_PARTS && !r; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s, %s", s->name, round);
        fum_bench_progress(s->bench, what, i, NUM_PARTS);
        r = fum_bench_check(s->bench, err);
        if (!r) r = parts[i].run(s, err);
    }
    if (!r && s->no_memory) r = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a measurement");
    return r;
}

// ---- a model ----

// Whether a round, of what is known of the model's arithmetic, fits the time that is left.
static bool has_time(const struct subject *s) {
    double flops = s->pipe->unet->stats.flops[FUM_STAGE_STEP] * STEPS;
    double rate = fum_samples_median(&s->bench->limits.samples[FUM_LIMIT_FMA_F32]);
    return fum_time_now() + flops / (rate * GUESS) < s->end;
}

// Whether the weights leave room for the rest.
static bool has_room(const struct subject *s) {
    bool stated;
    uint64_t bytes = fum_random_model_parameters(s->model) * fum_dtype_size(s->pipe->unet->storage);
    return bytes < fum_device_memory_budget(s->bench->device, &stated) / 10 * 9;
}

static enum fum_result measure(struct subject *s, struct fum_error *err) {
    double start = fum_time_now();
    enum fum_result r = fum_measure_guard(s->bench, 1, &s->guard, err);
    if (!r) r = make_pipeline(s, err);
    if (!r && !s->named && !has_room(s)) {
        s->note = "not run: its weights do not fit the device's memory";
        return FUM_OK;
    }
    if (!r) r = run_text(s, err);
    if (!r) r = fum_denoise_prepare(s->pipe, &s->run, err);
    if (!r) r = make_encoder(s, err);
    s->load_seconds = fum_time_now() - start;
    if (r) return r;
    if (!s->named && !has_time(s)) {
        s->note = "not run: a round would take longer than the time given (--time gives more)";
        return FUM_OK;
    }
    // The first round warms up, unless it is already as long as the time given.
    double first = fum_time_now();
    s->counting = !has_time(s);
    r = run_round(s, "first run", err);
    double took = fum_time_now() - first;
    bool counted = s->counting;
    s->counting = true;
    for (int round = counted; round < s->bench->params.repeats && !r; round++) {
        char what[32];
        snprintf(what, sizeof what, "repeat %d", round + 1);
        if ((round || !s->named) && fum_time_now() + took > s->end) break;
        r = run_round(s, what, err);
    }
    return r;
}

static enum fum_result report(struct subject *s, uint64_t used_before, struct fum_bench_model *out,
                              struct fum_error *err) {
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
        out->type = s->pipe->unet->storage;
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

static void release(struct subject *s) {
    fum_pipeline_destroy(&s->pipe);
    fum_model_destroy(&s->model);
    fum_sample_destroy(&s->run.program);
    fum_free(s->latents);
    fum_free(s->values);
    fum_free(s->moments);
    struct fum_samples *all[] = {&s->text, &s->step,        &s->decode,       &s->encode,
                                 &s->host, &s->step_of_fma, &s->decode_of_fma};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) fum_samples_free(all[i]);
}

static enum fum_result run_model(struct fum_bench_run *bench, const char *name, bool named,
                                 double seconds, struct fum_bench_model *out,
                                 struct fum_error *err) {
    struct subject s = {
        .bench = bench, .name = name, .named = named, .end = fum_time_now() + seconds};
    uint64_t used = fum_device_memory_used(bench->device);
    struct fum_error problem = {0}, ignored;
    fum_device_memory_peak_reset(bench->device);
    enum fum_result r = measure(&s, &problem);
    if (r == FUM_ERR_NOMEM || r == FUM_ERR_UNSUPPORTED) { // others may still fit
        s.note = fum_arena_strdup(bench->arena, problem.text);
        r = FUM_OK;
    } else if (r == FUM_ERR_CANCELLED) {
        s.note = "stopped early";
    }
    enum fum_result reported = report(&s, used, out, r ? &ignored : &problem);
    release(&s);
    if (!r) r = reported;
    return r ? fum_error_set(err, r, "%s", problem.text) : FUM_OK;
}

// ---- which ----

// The part of `list` up to the next comma is `name`.
static bool is_first(const char *list, const char *name) {
    size_t n = strcspn(list, ",");
    return strlen(name) == n && !strncmp(list, name, n);
}

static enum fum_result choose(const struct fum_bench_run *run, bool *wanted,
                              struct fum_error *err) {
    const char *list = run->params.models;
    for (int i = 0; fum_random_model_name(i); i++)
        // What is not named is tried in this order while there is time; CPU devices have it for the
        // smallest alone.
        wanted[i] = !list ? i == 0 || run->info->type != FUM_DEVICE_CPU : !strcmp(list, "all");
    while (list && strcmp(list, "all")) {
        int i = 0;
        while (fum_random_model_name(i) && !is_first(list, fum_random_model_name(i))) i++;
        if (!fum_random_model_name(i))
            return fum_error_set(err, FUM_ERR_ARG,
                                 "no model \"%s\" to time: use emoji, sd1.5, sd2.1, sdxl or all",
                                 fum_text_show_bytes(list, strcspn(list, ",")).text);
        wanted[i] = true;
        list += strcspn(list, ",");
        if (!*list) break;
        list++;
    }
    return FUM_OK;
}

enum fum_result fum_bench_models_check(const struct fum_bench_run *run, struct fum_error *err) {
    bool wanted[MAX_MODELS] = {false};
    return choose(run, wanted, err);
}

enum fum_result fum_bench_models(struct fum_bench_run *run, double seconds, struct fum_error *err) {
    bool wanted[MAX_MODELS] = {false};
    double end = fum_time_now() + seconds;
    int left = 0;
    enum fum_result r = choose(run, wanted, err);
    if (r) return r;
    for (int i = 0; i < MAX_MODELS; i++) left += wanted[i];
    struct fum_bench_model *models = fum_arena_alloc(run->arena, MAX_MODELS, sizeof *models);
    if (!models) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the report");
    run->report->models = models;
    for (int i = 0; i < MAX_MODELS && !r; i++) {
        if (!wanted[i]) continue;
        double each = (end - fum_time_now()) / left--;
        if (each <= 0 && !run->params.models) break;
        r = run_model(run, fum_random_model_name(i), run->params.models != NULL, each,
                      &models[run->report->num_models], err);
        run->report->num_models++;
    }
    return r;
}
