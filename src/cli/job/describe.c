// SPDX-License-Identifier: MIT
// Writes down everything that a job draws by, its model's defaults too.
#include "fields.h"

#include <stdlib.h>
#include <string.h>

// Adds a value, which is freed if memory for its name is out.
static bool add_value(cJSON *object, const char *name, cJSON *value) {
    if (value && cJSON_AddItemToObject(object, name, value)) return true;
    cJSON_Delete(value);
    return false;
}

// Returns the double with the fewest digits that is this float.
static double widen(float value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.7g", (double)value);
    return strtod(digits, NULL);
}

static bool add_text(cJSON *object, const char *name, const char *text) {
    return !text || cJSON_AddStringToObject(object, name, text);
}

static bool add_number(cJSON *object, const char *name, double value) {
    return value <= 0 || cJSON_AddNumberToObject(object, name, value);
}

// Adds what a job always has. What only its model knows is left out without a catalogue.
static bool add_usual(const struct job_reader *r, const struct job_size *size, cJSON *object) {
    static const struct catalogue_entry unknown;
    const struct generate_request *request = &r->spec->request;
    const struct fum_generate_params *given = &request->given.picture;
    const struct catalogue_entry *model = r->model ? r->model : &unknown;
    bool text = given->prompt || (r->model && model->takes_prompt);
    int steps = given->steps ? given->steps : model->steps;
    if (request->num_sigmas) steps = request->num_sigmas - 1;
    return add_text(object, "prompt", given->prompt) &&
           add_text(object, "negative_prompt", given->negative || !text ? given->negative : "") &&
           add_number(object, "width", size->width ? size->width : given->width) &&
           add_number(object, "height", size->height ? size->height : given->height) &&
           add_number(object, "steps", steps) &&
           add_number(object, "cfg_scale",
                      given->guidance >= 0 ? widen(given->guidance) : widen(model->guidance)) &&
           cJSON_AddNumberToObject(object, "seed", (double)request->options.seed.value) &&
           cJSON_AddNumberToObject(object, "batch_count", request->options.picture.count) &&
           add_text(object, "sampling_method", given->sampler ? given->sampler : model->sampler) &&
           add_text(object, "scheduler",
                    given->schedule || request->num_sigmas ? given->schedule
                                                           : job_default_schedule(r));
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
            good = add_value(object, item->string, cJSON_Duplicate(item, true));
    }
    return good || job_refuse_memory(r->error);
}
