// SPDX-License-Identifier: MIT
#include "check.h"

#include "../engine.h"
#include "fields.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS = 4 }; // that stay open

// A model that is open, and what it was opened with.
struct checked {
    char *key; // NULL: none is open
    struct cli_engine engine;
    long used; // the last check, as they are counted
};

struct job_checker {
    pthread_mutex_t lock;
    fum_device *device;
    struct checked models[MODELS];
    long checks;
};

// ---- models ----

static void close_model(struct checked *checked) {
    cli_engine_close(&checked->engine);
    free(checked->key);
    checked->key = NULL;
}

// Takes the key over.
static enum fum_result open_model(struct job_checker *checker, struct checked *checked, char *key,
                                  const struct generate_options *options) {
    static const struct fum_pipeline_params silence = {0};
    close_model(checked);
    checked->key = key;
    checked->engine.device = checker->device;
    enum fum_result result = cli_engine_open_model(&checked->engine, options, "", NULL, NULL);
    if (!result) result = cli_engine_open_pipeline(&checked->engine, options, &silence, NULL);
    if (result) close_model(checked);
    return result;
}

// Returns the open model of the options, or NULL. The one that was used longest ago makes room.
static struct checked *find_model(struct job_checker *checker,
                                  const struct generate_options *options) {
    char *key = cli_engine_describe(options);
    struct checked *oldest = checker->models;
    if (!key) return NULL;
    for (int i = 0; i < MODELS; i++) {
        struct checked *checked = &checker->models[i];
        if (checked->key && strcmp(checked->key, key) == 0) {
            free(key);
            return checked;
        }
        if (!checked->key || (oldest->key && checked->used < oldest->used)) oldest = checked;
    }
    return open_model(checker, oldest, key, options) ? NULL : oldest;
}

struct job_checker *job_checker_create(void) {
    struct job_checker *checker = calloc(1, sizeof *checker);
    struct fum_error err;
    if (!checker) return NULL;
    if (fum_device_create_planning(&checker->device, fum_device_planning_name(0), &err) ||
        pthread_mutex_init(&checker->lock, NULL)) {
        fum_device_destroy(&checker->device);
        free(checker);
        return NULL;
    }
    return checker;
}

void job_checker_forget(struct job_checker *checker) {
    pthread_mutex_lock(&checker->lock);
    for (int i = 0; i < MODELS; i++) close_model(&checker->models[i]);
    pthread_mutex_unlock(&checker->lock);
}

void job_checker_destroy(struct job_checker **checker) {
    if (!*checker) return;
    job_checker_forget(*checker);
    fum_device_destroy(&(*checker)->device);
    pthread_mutex_destroy(&(*checker)->lock);
    free(*checker);
    *checker = NULL;
}

// ---- jobs ----

// Takes pictures. A request needs it, and a check does not call it.
static bool take_picture(void *user, const struct fum_image *image) {
    (void)user, (void)image;
    return true;
}

static bool take_preview(void *user, const struct fum_image *image, int step) {
    (void)user, (void)image, (void)step;
    return true;
}

static enum fum_result check(struct job_checker *checker, const struct job_spec *spec,
                             struct fum_error *err) {
    struct generate_options options = spec->request.options;
    struct fum_generate_params params = generate_request_params(&spec->request);
    if (spec->model) options.model = spec->model;
    options.pipeline.precision = FUM_PRECISION_AUTO; // the device that draws decides about others
    params.on_image = take_picture;
    params.on_preview = take_preview;
    // Previews that the job has by default are left out if the model has none.
    if (!cJSON_GetObjectItemCaseSensitive(spec->fields, "preview"))
        params.preview = FUM_PREVIEW_NONE;
    struct checked *checked = find_model(checker, &options);
    if (!checked) return FUM_OK;
    checked->used = ++checker->checks;
    return fum_generate_check(checked->engine.pipeline, &params, err);
}

static bool is_name(const char *text, size_t bytes, const char *name) {
    return strlen(name) == bytes && strncmp(text, name, bytes) == 0;
}

// Returns the name of the field that is given and that a text mentions first; NULL: there is none.
// Texts about other fields mention the model, too.
static const char *find_given(const cJSON *fields, const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    const cJSON *field;
    for (const char *at = text; *at;) {
        size_t bytes = strspn(at, letters);
        cJSON_ArrayForEach(field, fields) {
            if (bytes && is_name(at, bytes, field->string) && strcmp(field->string, "model") != 0)
                return field->string;
        }
        at += bytes + strcspn(at + bytes, letters);
    }
    return NULL;
}

// Returns the field that an error of the library is about; NULL: it is not known.
static const char *find_field(const struct job_spec *spec, const char *text) {
    static const struct {
        const char *begin, *field;
    } of_pictures[] = {{"the picture of a ControlNet: ", "control_image"},
                       {"the picture: ", "init_img"}};
    for (size_t i = 0; i < sizeof of_pictures / sizeof *of_pictures; i++)
        if (strncmp(text, of_pictures[i].begin, strlen(of_pictures[i].begin)) == 0)
            return of_pictures[i].field;
    return find_given(spec->fields, text);
}

// Returns a text without the folders of a path that it begins with: clients know files by name.
static const char *skip_folders(const char *text) {
    const char *end = strchr(text, ':');
    if (text[0] != '/' || !end) return text;
    while (end > text && end[-1] != '/') end--;
    return end;
}

// Refuses the job for an error of the library, which may name options of the command line.
static bool refuse(const struct job_spec *spec, const struct fum_error *err,
                   struct job_error *error) {
    struct cli_failure failure;
    snprintf(failure.text, sizeof failure.text, "%.499s", skip_folders(err->text));
    job_refuse_failure(error, &failure);
    error->code = err->code == FUM_ERR_UNSUPPORTED ? "unsupported" : "invalid_value";
    if (error->param[0]) return false;
    const char *field = find_field(spec, error->message);
    if (!field) return false;
    snprintf(error->param, sizeof error->param, "%s", field);
    if (!strstr(error->message, field)) {
        snprintf(failure.text, sizeof failure.text, "%s: %.400s", field, skip_folders(err->text));
        fum_text_escape(error->message, sizeof error->message, failure.text, strlen(failure.text));
    }
    return false;
}

bool job_check(struct job_checker *checker, const struct job_spec *spec, struct job_error *error) {
    struct fum_error err = {0};
    pthread_mutex_lock(&checker->lock);
    enum fum_result result = check(checker, spec, &err);
    pthread_mutex_unlock(&checker->lock);
    if (result == FUM_ERR_NOMEM) return job_refuse_memory(error);
    bool refused =
        result == FUM_ERR_ARG || result == FUM_ERR_UNSUPPORTED || result == FUM_ERR_FORMAT;
    err.code = result;
    return !refused || refuse(spec, &err, error);
}
