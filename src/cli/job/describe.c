// SPDX-License-Identifier: MIT
// Writes down everything that a job draws by, its model's defaults too.
#include "fields.h"

#include <fumarole/sampler.h>

#include <stdlib.h>
#include <string.h>

// Returns the double with the fewest digits that is this float.
static double widen(float value) {
    double wide = 0;
    for (int precision = 6; precision <= 9; precision++) {
        char digits[32];
        snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        wide = strtod(digits, NULL);
        if ((float)wide == value) break;
    }
    return wide;
}

static bool add_text(cJSON *object, const char *name, const char *text) {
    return !text || cJSON_AddStringToObject(object, name, text);
}

static bool add_number(cJSON *object, const char *name, double value) {
    return value <= 0 || cJSON_AddNumberToObject(object, name, value);
}

// What a model that is not known adds.
static const struct catalogue_entry unknown;

static const struct catalogue_entry *model_of(const struct job_reader *r) {
    return r->model ? r->model : &unknown;
}

// Returns the schedule that a job is drawn on; NULL: it has none, or it is not known.
static const char *find_schedule(const struct job_reader *r) {
    const char *schedule = r->spec->request.given.picture.schedule,
               *sampler = r->spec->request.options.picture.sampler;
    if (schedule) return schedule;
    schedule = job_default_schedule(r);
    if (!sampler) sampler = model_of(r)->sampler;
    return schedule && sampler && fum_sampler_accepts(sampler, schedule) ? schedule : NULL;
}

// Adds how a job samples. Noise levels that are given stand for steps and schedule.
static bool add_sampling(const struct job_reader *r, cJSON *object) {
    const struct generate_request *request = &r->spec->request;
    const struct fum_generate_params *given = &request->given.picture;
    const struct catalogue_entry *model = model_of(r);
    const char *own = model->schedule ? model->sampler : NULL; // else it draws without one
    const char *sampler = given->sampler ? given->sampler : own;
    if (!add_text(object, "sampling_method", sampler)) return false;
    return request->num_sigmas || add_text(object, "scheduler", find_schedule(r));
}

// Adds what a job always has. What only its model knows is left out without a catalogue.
static bool add_usual(const struct job_reader *r, const struct job_size *size, cJSON *object) {
    const struct generate_request *request = &r->spec->request;
    const struct fum_generate_params *given = &request->given.picture;
    const char *negative = given->negative;
    if (!negative && (given->prompt || model_of(r)->takes_prompt)) negative = "";
    int steps = given->steps ? given->steps : model_of(r)->steps;
    if (request->num_sigmas) steps = 0;
    float guidance = given->guidance >= 0 ? given->guidance : model_of(r)->guidance;
    return add_text(object, "prompt", given->prompt) &&
           add_text(object, "negative_prompt", negative) &&
           add_number(object, "width", size->width ? size->width : given->width) &&
           add_number(object, "height", size->height ? size->height : given->height) &&
           add_number(object, "steps", steps) && add_number(object, "cfg_scale", widen(guidance)) &&
           cJSON_AddNumberToObject(object, "seed", (double)request->options.seed.value) &&
           cJSON_AddNumberToObject(object, "batch_count", request->options.picture.count) &&
           add_sampling(r, object);
}

// True for a field that holds the bytes of a picture.
static bool holds_bytes(const struct job_reader *r, const char *name) {
    static const char *const names[] = {"init_img", "mask", "control_image"};
    for (size_t i = 0; r->context->catalogue && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

bool job_describe(struct job_reader *r, const struct job_size *size) {
    cJSON *object = r->spec->parameters = cJSON_CreateObject();
    bool good = object && add_usual(r, size, object);
    for (const cJSON *item = r->spec->fields->child; item && good; item = item->next) {
        bool there = cJSON_GetObjectItemCaseSensitive(object, item->string) != NULL;
        if (!there && !holds_bytes(r, item->string))
            good = cli_json_put(object, item->string, cJSON_Duplicate(item, true));
    }
    return good || job_refuse_memory(r->error);
}
