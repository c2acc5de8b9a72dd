// SPDX-License-Identifier: MIT
#include "fields.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// ---- seeds ----

// Returns a random number below 2⁵³. Calls at the same time, on any threads, return different ones.
static uint64_t draw_number(void) {
    static atomic_uint_fast64_t calls;
    uint64_t x = (uint64_t)time(NULL) * UINT64_C(1000000007) + (uint64_t)(fum_time_now() * 1e9);
    x += (atomic_fetch_add(&calls, 1) + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) >> 11;
}

// Draws a seed that is to be random, so that the last picture's is a whole number of JSON too.
static bool settle_seed(struct job_reader *r, struct cli_seed *seed, const char *name) {
    const uint64_t limit = (UINT64_C(1) << 53) - (uint64_t)r->options->picture.count;
    if (seed->random) *seed = (struct cli_seed){.value = draw_number() % limit};
    if (r->context->catalogue && seed->value > limit)
        return job_refuse(r->error, name, "out_of_range",
                          "%s and the number of pictures exceed 9007199254740991", name);
    return cli_json_put(r->spec->fields, name, cJSON_CreateNumber((double)seed->value)) ||
           job_refuse_memory(r->error);
}

static bool settle_seeds(struct job_reader *r) {
    struct generate_options *options = r->options;
    if (!settle_seed(r, &options->seed, "seed")) return false;
    return options->picture.subseed_strength <= 0 || settle_seed(r, &options->subseed, "subseed");
}

// ---- the model ----

// Finds the model that the field names, or the default one.
static bool find_model(struct job_reader *r) {
    const struct catalogue *catalogue = r->context->catalogue;
    const char *name = r->options->model;
    if (!catalogue) {
        r->spec->model = r->spec->model_name = name;
        return true;
    }
    r->model = name ? catalogue_find(catalogue, CATALOGUE_MODEL, name)
                    : catalogue_at(catalogue, CATALOGUE_MODEL, 0);
    if (!r->model) {
        job_refuse(r->error, "model", "model_not_found", "model: there is no model \"%s\" here",
                   name ? cli_show(name).text : "");
        r->error->refusal = JOB_UNKNOWN_MODEL;
        return false;
    }
    char *path = cli_copy(r->model->path), *copy = cli_copy(r->model->name);
    bool kept = job_spec_own(r->spec, path);
    if (!job_spec_own(r->spec, copy) || !kept) return job_refuse_memory(r->error);
    if (!cli_json_put(r->spec->fields, "model", cJSON_CreateString(copy)))
        return job_refuse_memory(r->error);
    r->spec->model = path;
    r->spec->model_name = r->options->model = copy;
    return true;
}

// ---- the fields ----

// Adds a field under its first name.
static bool add_field(struct job_reader *r, const cJSON *item) {
    char name[JOB_FIELD_NAME];
    const struct cli_option *option = job_field_find(item->string, r->context, name, r->error);
    if (!option) return false;
    if (cJSON_IsNull(item))
        return job_refuse(r->error, name, "wrong_type", "%s must not be null; leave it out", name);
    if (cJSON_GetObjectItemCaseSensitive(r->spec->fields, name))
        return job_refuse(r->error, name, NULL, "%s is given twice, once as \"%s\"", name,
                          cli_show(item->string).text);
    return cli_json_put(r->spec->fields, name, cJSON_Duplicate(item, true)) ||
           job_refuse_memory(r->error);
}

// Reads all fields into options. Texts stay in spec->fields.
static bool read_fields(struct job_reader *r, const cJSON *object) {
    char name[JOB_FIELD_NAME];
    r->spec->fields = cJSON_CreateObject();
    if (!r->spec->fields) return job_refuse_memory(r->error);
    for (const cJSON *item = object->child; item; item = item->next)
        if (!add_field(r, item)) return false;
    for (const cJSON *item = r->spec->fields->child; item; item = item->next) {
        const struct cli_option *option = job_field_find(item->string, r->context, name, r->error);
        if (!option || !job_field_read(r, option, item)) return false;
    }
    return true;
}

// Checks the options as the command line does, and reads what they name.
static bool check_options(struct job_reader *r) {
    struct generate_request *request = &r->spec->request;
    const struct generate_options *options = &request->options;
    struct cli_failure failure;
    if (!options->picture.prompt && !options->prompt_file && !options->model)
        return job_refuse(r->error, "prompt", "missing", "prompt is missing");
    cli_collect_failures(&failure);
    int status = generate_options_check(&cli_generate, &request->options, 0, NULL);
    if (status < 0) status = generate_request_read(request);
    cli_collect_failures(NULL);
    return status == 0 || job_refuse_failure(r->error, &failure);
}

// Replaces paths by the names that were given. Pictures say how they were made, and no path of this
// machine.
static void hide_paths(const struct job_reader *r, struct generate_options *given) {
    const cJSON *fields = r->spec->fields;
    given->picture.adapter_dir = given->embeddings_dir = NULL;
    given->hires.upscaler =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(fields, "hires_upscaler"));
    given->upscale_model =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(fields, "upscale_model"));
}

bool job_spec_read(struct job_spec *spec, const cJSON *fields, const struct job_context *context,
                   struct job_error *error) {
    struct generate_request *request = &spec->request;
    struct job_reader reader = {
        .spec = spec, .context = context, .options = &request->options, .error = error};
    *spec = (struct job_spec){0};
    *error = (struct job_error){0};
    request->options = context->defaults ? *context->defaults : generate_options_default();
    if (context->catalogue && !request->options.picture.preview)
        request->options.picture.preview = FUM_PREVIEW_COLOURS;
    if (!cJSON_IsObject(fields))
        return job_refuse(error, NULL, "wrong_type", "the fields must be a JSON object");
    if (!read_fields(&reader, fields) || !find_model(&reader) || !settle_seeds(&reader))
        return false;
    request->given = request->options;
    if (context->catalogue) hide_paths(&reader, &request->given);
    struct job_size size = {0};
    if (!check_options(&reader)) return false;
    if (context->catalogue && !job_bind_files(&reader)) return false;
    return job_check_limits(&reader, &size) && job_describe(&reader, &size);
}
