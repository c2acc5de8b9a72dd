// SPDX-License-Identifier: MIT
#include "recipe.h"

#include <fumarole/metadata.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct generate_options, name)

// ---- writing ----

// True for an option that changes the picture, in its first spelling. The others say where results
// go, what is reported, or which device draws.
static bool is_written(const struct cli_option *option) {
    static const size_t others[] = {FIELD(output),
                                    FIELD(no_clobber),
                                    FIELD(output_begin),
                                    FIELD(prompts_file),
                                    FIELD(prompt_file),
                                    FIELD(device),
                                    FIELD(list_devices),
                                    FIELD(pipeline.threads),
                                    FIELD(trace),
                                    FIELD(dump_graph),
                                    FIELD(save_latents),
                                    FIELD(negative_file),
                                    FIELD(verbose),
                                    FIELD(quiet),
                                    FIELD(mode),
                                    FIELD(from_png),
                                    FIELD(picture.preview),
                                    FIELD(preview_path),
                                    FIELD(picture.preview_interval),
                                    FIELD(control.save)};
    if (option->kind == CLI_HEADING) return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (option->offset == others[i]) return false;
    for (const struct cli_option *o = generate_option_table; o != option; o++)
        if (o->kind != CLI_HEADING && o->offset == option->offset) return false;
    return true;
}

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static cJSON *make_list(const struct cli_list *list) {
    cJSON *array = list->count ? cJSON_CreateArray() : NULL;
    for (size_t i = 0; array && i < list->count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(list->at[i]));
    return array;
}

static cJSON *make_number(double value, double usual) {
    return value == usual || isnan(value) ? NULL : cJSON_CreateNumber(value);
}

static cJSON *make_seed(const struct cli_seed *seed) {
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed->value);
    return cJSON_CreateString(digits);
}

// Returns the value of an option as --prompts-file reads it; NULL: it has its default.
static cJSON *make_value(const struct cli_option *option, const void *values, const void *usual) {
    const char *value = (const char *)values + option->offset,
               *other = (const char *)usual + option->offset;
    const char *const *text = (const void *)value, *const *other_text = (const void *)other;
    switch (option->kind) {
    case CLI_FLAG: return *(const bool *)value ? cJSON_CreateTrue() : NULL;
    case CLI_INT:
        return make_number(*(const int *)(const void *)value, *(const int *)(const void *)other);
    case CLI_REAL:
        return make_number(*(const double *)(const void *)value,
                           *(const double *)(const void *)other);
    case CLI_FLOAT:
        return make_number((double)*(const float *)(const void *)value,
                           (double)*(const float *)(const void *)other);
    case CLI_ENUM: {
        int index = *(const int *)(const void *)value;
        return index == *(const int *)(const void *)other
                   ? NULL
                   : cJSON_CreateString(option->choice((size_t)index));
    }
    case CLI_SEED: // one that is still random was not drawn, as nothing takes it
        return ((const struct cli_seed *)(const void *)value)->random
                   ? NULL
                   : make_seed((const void *)value);
    case CLI_LIST: return make_list((const void *)value);
    case CLI_STRING:
    case CLI_PATH:
    case CLI_CHOICE: return same_text(*text, *other_text) ? NULL : cJSON_CreateString(*text);
    case CLI_HEADING: break;
    }
    return NULL;
}

// Returns the options as they were given, with what was read or drawn for them.
static struct generate_options resolve(const struct cli_recipe *recipe) {
    struct generate_options options = recipe->request->given;
    const struct generate_options *checked = &recipe->request->options;
    options.picture.prompt = checked->picture.prompt;
    options.picture.negative = checked->picture.negative;
    options.seed = checked->seed;
    options.subseed = checked->subseed;
    options.control = checked->control;
    if (!options.grid_text && !options.xy) {
        options.seed.value = recipe->seed;
        options.subseed.value += (uint64_t)recipe->image;
        options.picture.count = 1;
    }
    return options;
}

// Samplers that share steps between the pictures of a batch draw each as a part of all.
static bool shares_steps(const struct fum_generate_params *picture) {
    return picture->count > 1 && picture->sampler &&
           (!strcmp(picture->sampler, "pc") || !strcmp(picture->sampler, "ode"));
}

// Adds a value, which is freed if memory for its name is out.
static void add_value(cJSON *object, const char *name, cJSON *value) {
    if (value && !cJSON_AddItemToObject(object, name, value)) cJSON_Delete(value);
}

// True if a picture that the request starts from came without a file of its own.
static bool has_sent_picture(const struct generate_request *request) {
    const struct fum_generate_params *picture = &request->options.picture;
    bool sent = picture->init_image.data || picture->mask.data;
    for (int i = 0; i < request->controls.count; i++)
        sent = sent || request->controls.list[i].image.data;
    return sent;
}

static cJSON *make_options(const struct generate_options *options) {
    const struct generate_options usual = generate_options_default();
    cJSON *object = cJSON_CreateObject();
    for (const struct cli_option *o = generate_option_table; o->name; o++) {
        if (is_written(o)) add_value(object, o->name, make_value(o, options, &usual));
    }
    return object;
}

char *cli_recipe_write(const struct cli_recipe *recipe, bool *no_memory) {
    const struct generate_options *given = &recipe->request->given;
    const struct fum_generate_params *picture = &recipe->request->options.picture;
    *no_memory = false;
    if (picture->interpolate[0] || picture->reconstruct || has_sent_picture(recipe->request) ||
        (shares_steps(picture) && !given->xy))
        return NULL;
    const struct generate_options options = resolve(recipe);
    cli_json_begin();
    cJSON *json = cJSON_CreateObject(), *object = make_options(&options);
    cJSON_AddStringToObject(json, "version", fum_version());
    if (recipe->model_hash) cJSON_AddStringToObject(json, "model_hash", recipe->model_hash);
    add_value(json, "options", object);
    char *text = cli_json_refused() ? NULL : cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    *no_memory = !text;
    return text;
}

// ---- reading ----

// A field of A1111's parameters, and the option that it sets.
static const struct {
    const char *key, *option;
} fields[] = {{"Steps", "steps"},
              {"Schedule type", "scheduler"},
              {"CFG scale", "cfg-scale"},
              {"Seed", "seed"},
              {"Variation seed", "subseed"},
              {"Variation seed strength", "subseed-strength"},
              {"Clip skip", "clip-skip"},
              {"Emphasis", "emphasis"},
              {"Eta", "eta"},
              {"Eta DDIM", "eta"},
              {"Class", "class"},
              {"Timestep spacing", "timestep-spacing"},
              {"Prediction type", "prediction"},
              {"Precision", "precision"},
              {"Weight type", "type"}};

static int set(struct generate_requests *requests, const char *name, const char *value) {
    if (!value || !cli_options_find(generate_option_table, name)) return 0;
    return generate_requests_set(requests, name, value);
}

// Sets the sampler. Older versions write the schedule behind it: "DPM++ 2M Karras".
static int set_sampler(struct generate_requests *requests, const char *label) {
    char text[64];
    if (!label) return 0;
    snprintf(text, sizeof text, "%s", label);
    for (size_t i = 0; fum_schedule_label(i); i++) {
        const char *schedule = fum_schedule_label(i);
        size_t length = strlen(text), end = strlen(schedule);
        if (length <= end + 1 || strcmp(text + length - end, schedule) ||
            text[length - end - 1] != ' ')
            continue;
        text[length - end - 1] = 0;
        int status = set(requests, "scheduler", schedule);
        if (status) return status;
        break;
    }
    return set(requests, "sampling-method", text);
}

static int set_size(struct generate_requests *requests, const char *size) {
    char width[16] = "", height[16] = "";
    if (!size || sscanf(size, "%15[0-9]x%15[0-9]", width, height) != 2) return 0;
    int status = set(requests, "width", width);
    return status ? status : set(requests, "height", height);
}

// Sets options from the parameters. A1111 draws noise on the GPU unless they say CPU.
static int set_from_parameters(struct generate_requests *requests, const struct fum_metadata *m) {
    const char *rng = fum_metadata_find(m, "RNG"), *hash = fum_metadata_find(m, "Model hash");
    int status = *m->prompt ? set(requests, "prompt", m->prompt) : 0;
    if (status == 0 && *m->negative_prompt)
        status = set(requests, "negative-prompt", m->negative_prompt);
    if (status == 0) status = set_sampler(requests, fum_metadata_find(m, "Sampler"));
    if (status == 0) status = set_size(requests, fum_metadata_find(m, "Size"));
    if (status == 0 && rng) status = set(requests, "rng", strcmp(rng, "CPU") ? "cuda" : "cpu");
    for (size_t i = 0; i < sizeof fields / sizeof *fields && status == 0; i++) {
        const char *value = fum_metadata_find(m, fields[i].key);
        if (value && strcmp(value, "Automatic")) status = set(requests, fields[i].option, value);
    }
    if (hash) snprintf(requests->model_hash, sizeof requests->model_hash, "%s", hash);
    return status;
}

// Refuses options that no picture is written with. A picture from anywhere must not choose which
// files are written.
static int check_options(const cJSON *options) {
    const cJSON *member;
    cJSON_ArrayForEach(member, options) {
        const struct cli_option *option = cli_options_find(generate_option_table, member->string);
        if (!option || !is_written(option))
            return cli_fail("holds the option \"%s\", which is not one that a picture has",
                            cli_show(member->string).text);
    }
    return 0;
}

static int set_from_request(struct generate_requests *requests, const char *text) {
    cJSON *json = cJSON_Parse(text);
    cJSON *options = cJSON_GetObjectItemCaseSensitive(json, "options"),
          *hash = cJSON_GetObjectItemCaseSensitive(json, "model_hash");
    int status = cJSON_IsObject(options)
                     ? check_options(options)
                     : cli_fail("its text \"fumarole\" is not what a fumarole wrote");
    if (status == 0) status = generate_requests_set_members(requests, options);
    if (cJSON_IsString(hash))
        snprintf(requests->model_hash, sizeof requests->model_hash, "%s", hash->valuestring);
    cJSON_Delete(json);
    return status;
}

int cli_recipe_read(struct generate_requests *requests, const char *path) {
    struct fum_error err = {0};
    struct fum_metadata *metadata = NULL;
    enum fum_result result = fum_metadata_read(&metadata, path, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    int status;
    cli_set_place(path);
    if (metadata->request)
        status = set_from_request(requests, metadata->request);
    else if (metadata->num_fields)
        status = set_from_parameters(requests, metadata);
    else
        status = cli_fail("carries no parameters of its making");
    cli_set_place(NULL);
    fum_metadata_destroy(&metadata);
    return status;
}
