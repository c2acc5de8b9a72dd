// SPDX-License-Identifier: MIT
#include "painter.h"

#include "../engine.h"
#include "../recipe.h"

#include <fumarole/file.h>
#include <fumarole/tuning.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct painter {
    const char *select;
    const struct fum_log *log;
    struct cli_engine engine;
    char *loaded, *enlarges; // what the pipeline and the upscaler were opened with; NULL: none
    pthread_mutex_t lock;    // of the device and `state`
    struct painter_state state;
    const struct job_spec *job; // is being drawn, as the fields below say
    const struct painter_events *events;
    struct fum_generate_params params;
    int first, pictures, batch;
    int step, steps; // done of the picture that is being made
    double picture_began, step_began;
    bool cancelled;
    enum fum_result failure; // of a callback
    struct fum_error *err;
};

// ---- opening and closing ----

static void describe_device(struct painter *painter) {
    const struct fum_device_info *info = fum_device_get_info(painter->engine.device);
    struct painter_state *state = &painter->state;
    char *to = state->uuid;
    snprintf(state->name, sizeof state->name, "%s", info->name);
    for (int i = 0; i < 16; i++)
        to += sprintf(to, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", info->uuid[i]);
}

// Opens the device, unless it is open.
static enum fum_result open_device(struct painter *painter, struct fum_error *err) {
    const struct fum_device_params params = {.select = painter->select,
                                             .log = painter->log,
                                             .validate = getenv("FUMAROLE_VALIDATE") != NULL};
    if (painter->engine.device) return FUM_OK;
    fum_device *device = NULL;
    enum fum_result result = fum_device_create(&device, &params, err);
    pthread_mutex_lock(&painter->lock);
    painter->engine.device = device;
    if (device) describe_device(painter);
    pthread_mutex_unlock(&painter->lock);
    return result;
}

static void close_device(struct painter *painter) {
    painter_unload(painter);
    pthread_mutex_lock(&painter->lock);
    fum_device_destroy(&painter->engine.device);
    pthread_mutex_unlock(&painter->lock);
}

enum fum_result painter_create(struct painter **created, const struct painter_params *params,
                               struct fum_error *err) {
    struct painter *painter = calloc(1, sizeof *painter);
    *created = painter;
    if (!painter) {
        *err = (struct fum_error){FUM_ERR_NOMEM, "out of memory"};
        return FUM_ERR_NOMEM;
    }
    painter->select = params->device;
    painter->log = params->log;
    pthread_mutex_init(&painter->lock, NULL);
    enum fum_result result = open_device(painter, err);
    if (result != FUM_OK) painter_destroy(created);
    return result;
}

void painter_destroy(struct painter **painter) {
    if (!*painter) return;
    close_device(*painter);
    pthread_mutex_destroy(&(*painter)->lock);
    free(*painter);
    *painter = NULL;
}

void painter_unload(struct painter *painter) {
    cli_engine_close(&painter->engine);
    free(painter->loaded);
    free(painter->enlarges);
    painter->loaded = painter->enlarges = NULL;
    pthread_mutex_lock(&painter->lock);
    painter->state.model[0] = 0;
    pthread_mutex_unlock(&painter->lock);
}

void painter_get_state(struct painter *painter, struct painter_state *state) {
    pthread_mutex_lock(&painter->lock);
    *state = painter->state;
    if (painter->engine.device)
        fum_device_get_memory(painter->engine.device, &state->memory_used, &state->memory_total);
    pthread_mutex_unlock(&painter->lock);
}

// ---- callbacks ----

static bool goes_on(struct painter *painter) {
    const struct painter_events *events = painter->events;
    if (!painter->cancelled && events->cancelled)
        painter->cancelled = events->cancelled(events->user);
    return !painter->cancelled && painter->failure == FUM_OK;
}

static bool on_load(void *user, const char *component, uint64_t done, uint64_t total) {
    (void)component, (void)done, (void)total;
    return goes_on(user);
}

static bool on_compile(void *user, const char *component, int done, int total) {
    (void)component, (void)done, (void)total;
    return goes_on(user);
}

static bool on_work(void *user, enum fum_work work, int image, int done, int total) {
    (void)work, (void)image, (void)done, (void)total;
    return goes_on(user);
}

static bool on_tile(void *user, int done, int total) {
    (void)done, (void)total;
    return goes_on(user);
}

// Returns the seconds to the end of the job after a step of the batch with this picture.
static double seconds_left(const struct painter *painter, const struct fum_pipeline_stats *stats,
                           int picture) {
    int batch = painter->batch, end = (picture / batch + 1) * batch;
    int later = painter->pictures > end ? (painter->pictures - end + batch - 1) / batch : 0;
    double steps = painter->steps - painter->step + (double)later * painter->steps;
    double decodes = painter->pictures - picture;
    if (stats->step_seconds <= 0) return -1;
    return steps * stats->step_seconds + decodes * stats->decode_seconds;
}

static bool on_step(void *user, int image, int step, int steps) {
    struct painter *painter = user;
    const struct painter_events *events = painter->events;
    struct fum_pipeline_stats stats;
    double now = fum_time_now(), since = now - painter->step_began;
    fum_pipeline_get_stats(painter->engine.pipeline, &stats);
    painter->step = step;
    painter->steps = steps;
    painter->step_began = now;
    struct painter_progress progress = {.picture = image > painter->first ? image : painter->first,
                                        .pictures = painter->pictures,
                                        .step = step,
                                        .steps = steps};
    // The time before a first step went into loading, compiling, the prompt and decoding, too.
    progress.step_seconds = step == 1 && stats.step_seconds > 0 ? stats.step_seconds : since;
    progress.seconds_left = seconds_left(painter, &stats, progress.picture);
    if (events->on_progress) events->on_progress(events->user, &progress);
    return goes_on(painter);
}

// Makes the PNG of a picture.
static bool encode(struct painter *painter, const struct fum_image *image,
                   struct fum_bytes *bytes) {
    painter->failure = fum_image_encode(image, "picture.png", bytes, painter->err);
    return painter->failure == FUM_OK;
}

static bool on_preview(void *user, const struct fum_image *image, int step) {
    struct painter *painter = user;
    const struct painter_events *events = painter->events;
    struct fum_image preview = *image;
    struct fum_bytes png;
    preview.parameters = preview.request = NULL;
    if (!encode(painter, &preview, &png)) return false;
    int picture = image->index > painter->first ? image->index : painter->first;
    events->on_preview(events->user, picture, step, png.data, png.count);
    fum_bytes_free(&png);
    return goes_on(painter);
}

// Hands over a finished picture.
static bool deliver(void *user, const struct fum_image *image) {
    struct painter *painter = user;
    const struct painter_events *events = painter->events;
    const struct cli_recipe recipe = {&painter->job->request, image->seed, image->index,
                                      fum_pipeline_model_hash(painter->engine.pipeline)};
    bool no_memory = false, more = true;
    char *text = cli_recipe_write(&recipe, &no_memory);
    struct fum_image whole = *image;
    struct fum_bytes png = {0};
    whole.request = text;
    if (no_memory)
        painter->failure = FUM_ERR_NOMEM;
    else if (encode(painter, &whole, &png)) {
        struct painter_picture picture = {.index = image->index,
                                          .seed = image->seed,
                                          .width = image->width,
                                          .height = image->height,
                                          .png = png.data,
                                          .bytes = png.count,
                                          .seconds = fum_time_now() - painter->picture_began};
        fum_sha256_text(png.data, png.count, picture.sha256);
        more = !events->on_picture || events->on_picture(events->user, &picture);
    }
    free(text);
    fum_bytes_free(&png);
    painter->picture_began = painter->step_began = fum_time_now();
    if (!more) painter->cancelled = true;
    return goes_on(painter);
}

static bool on_image(void *user, const struct fum_image *image) {
    struct painter *painter = user;
    if (!painter->engine.upscaler) return deliver(painter, image);
    struct fum_error err = {0};
    const struct cli_enlargement enlargement = {image, on_tile, deliver, painter};
    enum fum_result result =
        cli_engine_enlarge(&painter->engine, &painter->job->request.options, &enlargement, &err);
    if (result != FUM_OK && goes_on(painter)) {
        painter->failure = result;
        *painter->err = err;
    }
    return goes_on(painter);
}

// ---- what a job needs ----

// Writes the options that the upscaler is opened with, to free with free().
static char *describe_upscaler(const struct generate_options *o) {
    const char *path = o->upscale_model ? o->upscale_model : "";
    size_t size = strlen(path) + 80;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s\n%llu %d %d %d", path,
                 (unsigned long long)o->pipeline.memory_budget, (int)o->pipeline.precision,
                 o->pipeline.threads, o->upscale_tile);
    return text;
}

static enum fum_result open_pipeline(struct painter *painter,
                                     const struct generate_options *options,
                                     struct fum_error *err) {
    const struct fum_pipeline_params callbacks = {
        .log = painter->log, .on_load = on_load, .on_compile = on_compile, .user = painter};
    enum fum_result result =
        fum_device_force_variant(painter->engine.device, options->variant, err);
    if (result == FUM_OK)
        result = cli_engine_open_model(&painter->engine, options, "", painter->log, err);
    if (result == FUM_OK)
        result = cli_engine_open_pipeline(&painter->engine, options, &callbacks, err);
    if (result != FUM_OK) return result;
    const char *path = fum_model_get_info(painter->engine.model)->path;
    pthread_mutex_lock(&painter->lock);
    snprintf(painter->state.model, sizeof painter->state.model, "%s", path);
    pthread_mutex_unlock(&painter->lock);
    return FUM_OK;
}

// Opens what the job is drawn with, unless it is open, and closes what it is not.
static enum fum_result open_engine(struct painter *painter, struct fum_error *err) {
    struct generate_options options = painter->job->request.options;
    if (painter->job->model) options.model = painter->job->model;
    char *loads = cli_engine_describe(&options), *enlarges = describe_upscaler(&options);
    enum fum_result result = FUM_OK;
    if (!loads || !enlarges) result = FUM_ERR_NOMEM;
    if (result == FUM_OK && (!painter->loaded || strcmp(painter->loaded, loads) != 0)) {
        painter_unload(painter);
        result = open_pipeline(painter, &options, err);
    }
    if (result == FUM_OK && (!painter->enlarges || strcmp(painter->enlarges, enlarges) != 0)) {
        fum_upscaler_destroy(&painter->engine.upscaler);
        result = cli_engine_open_upscaler(&painter->engine, &options, painter->log, err);
    }
    if (result != FUM_OK) {
        free(loads);
        free(enlarges);
        painter_unload(painter);
        return result;
    }
    free(painter->loaded);
    free(painter->enlarges);
    painter->loaded = loads;
    painter->enlarges = enlarges;
    return FUM_OK;
}

// ---- drawing ----

// Fills in what is drawn, and with which callbacks.
static void begin_job(struct painter *painter, const struct job_spec *job,
                      const struct painter_events *events, int first) {
    static const struct painter_events silence = {0};
    painter->job = job;
    painter->events = events ? events : &silence;
    painter->params = generate_request_params(&job->request);
    painter->params.on_step = on_step;
    painter->params.on_work = on_work;
    painter->params.on_image = on_image;
    painter->params.user = painter;
    if (painter->events->on_preview)
        painter->params.on_preview = on_preview;
    else
        painter->params.preview = FUM_PREVIEW_NONE;
    painter->first = first;
    painter->pictures = painter->params.count > 0 ? painter->params.count : 1;
    painter->batch = painter->params.batch > 0 ? painter->params.batch : 1;
    painter->step = painter->steps = 0;
    painter->picture_began = painter->step_began = fum_time_now();
    painter->cancelled = false;
    painter->failure = FUM_OK;
}

// Draws with the previews that the job requests. Those that it has by default are left out if the
// model has none.
static enum fum_result draw_pictures(struct painter *painter, int first, struct fum_error *err) {
    struct fum_generate_params *params = &painter->params;
    fum_pipeline *pipeline = painter->engine.pipeline;
    bool requested = cJSON_GetObjectItemCaseSensitive(painter->job->fields, "preview") != NULL;
    enum fum_result result = fum_generate_from(pipeline, params, first, err);
    if (result != FUM_ERR_UNSUPPORTED || !params->preview || requested) return result;
    params->preview = FUM_PREVIEW_NONE;
    params->on_preview = NULL;
    return fum_generate_from(pipeline, params, first, err);
}

enum fum_result painter_draw(struct painter *painter, const struct job_spec *job, int first,
                             const struct painter_events *events, struct fum_error *err) {
    struct fum_error own = {0};
    begin_job(painter, job, events, first);
    painter->err = &own;
    enum fum_result result = open_device(painter, &own);
    if (result == FUM_OK) result = open_engine(painter, &own);
    if (result == FUM_OK) result = draw_pictures(painter, first, &own);
    if (painter->failure != FUM_OK) result = painter->failure;
    if (result != FUM_OK && !own.text[0])
        snprintf(own.text, sizeof own.text, "%s", fum_result_name(result));
    own.code = result;
    if (result != FUM_OK && err) *err = own;
    // A device that was lost is opened again for the next job, and memory that ran out is freed.
    if (result == FUM_ERR_DEVICE) close_device(painter);
    if (result == FUM_ERR_NOMEM) painter_unload(painter);
    return result;
}
