// SPDX-License-Identifier: MIT
// Makes A1111's answer from a finished job: the pictures, the request, and the JSON text "info".
#define _POSIX_C_SOURCE 200809L

#include "sdapi.h"

#include "../base64.h"
#include "api_names.h"
#include "api_pictures.h"

#include <fumarole/metadata.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

// What is collected over the pictures of a job.
struct result {
    const struct api_call *call;
    const cJSON *job, *parameters;
    cJSON *images, *seeds, *subseeds, *prompts, *negatives, *infotexts;
    cJSON *extra; // of the first picture
    char model_hash[16];
    bool no_memory;
};

void sdapi_format_time(double seconds, char text[SDAPI_TIME_BYTES]) {
    time_t when = (time_t)seconds;
    struct tm tm = {0};
#ifdef _WIN32
    localtime_s(&tm, &when);
#else
    localtime_r(&when, &tm);
#endif
    strftime(text, SDAPI_TIME_BYTES, "%Y%m%d%H%M%S", &tm);
}

static void append(struct result *r, cJSON *array, cJSON *value) {
    if (value && cJSON_AddItemToArray(array, value)) return;
    cJSON_Delete(value);
    r->no_memory = true;
}

static void put(struct result *r, cJSON *object, const char *name, cJSON *value) {
    r->no_memory = !cli_json_put(object, name, value) || r->no_memory;
}

// True for what A1111 counts among extra_generation_params.
static bool is_extra(const char *key) {
    static const char *const begins[] = {"Schedule type", "Hires",     "Mask",
                                         "Inpaint",       "Image CFG", "ControlNet"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(key, begins[i], strlen(begins[i])) == 0) return true;
    return false;
}

static void add_metadata(struct result *r, const struct fum_metadata *m) {
    const char *hash = fum_metadata_find(m, "Model hash");
    append(r, r->infotexts, cJSON_CreateString(m->parameters ? m->parameters : ""));
    if (hash) snprintf(r->model_hash, sizeof r->model_hash, "%s", hash);
    for (size_t i = 0; i < m->num_fields && cJSON_GetArraySize(r->infotexts) == 1; i++)
        if (is_extra(m->fields[i].key))
            put(r, r->extra, m->fields[i].key, cJSON_CreateString(m->fields[i].value));
}

static void add_image(struct result *r, const struct api_file *file) {
    struct fum_metadata *metadata = NULL;
    struct fum_error err = {0};
    if (fum_metadata_decode(&metadata, file->data, file->bytes, "picture", &err) == FUM_OK)
        add_metadata(r, metadata);
    else
        r->no_memory = true;
    fum_metadata_destroy(&metadata);
    if (!api_flag(r->call, "send_images", true)) return;
    char *text = cli_base64_encode(file->data, file->bytes);
    append(r, r->images, text ? cJSON_CreateString(text) : NULL);
    free(text);
}

// Adds a picture. One that was deleted meanwhile is left out.
static void add_picture(struct result *r, const cJSON *picture) {
    struct api_file file = {0};
    double index = api_member_number(picture, "index");
    double subseed = cJSON_HasObjectItem(r->parameters, "subseed")
                         ? api_member_number(r->parameters, "subseed") + index
                         : -1;
    if (!api_read_picture(r->call->request->server->jobs, picture, &file)) return;
    add_image(r, &file);
    free(file.data);
    append(r, r->seeds, cJSON_CreateNumber(api_member_number(picture, "seed")));
    append(r, r->subseeds, cJSON_CreateNumber(subseed));
    append(r, r->prompts, cJSON_CreateString(api_member_text(r->parameters, "prompt")));
    append(r, r->negatives, cJSON_CreateString(api_member_text(r->parameters, "negative_prompt")));
}

static void put_text(struct result *r, cJSON *object, const char *name, const char *text) {
    put(r, object, name, cJSON_CreateString(text));
}

static void put_number(struct result *r, cJSON *object, const char *name, double number) {
    put(r, object, name, cJSON_CreateNumber(number));
}

static double first_number(const cJSON *array, double other) {
    return array && array->child ? array->child->valuedouble : other;
}

static double find_strength(const struct result *r) {
    const char *name = r->call->route == SDAPI_IMG2IMG ? "strength" : "hires_strength";
    return api_member_number(r->parameters, name);
}

// Moves what was collected into the object.
static void put_lists(struct result *r, cJSON *info) {
    put(r, info, "all_prompts", r->prompts);
    put(r, info, "all_negative_prompts", r->negatives);
    put(r, info, "all_seeds", r->seeds);
    put(r, info, "all_subseeds", r->subseeds);
    put(r, info, "infotexts", r->infotexts);
    put(r, info, "extra_generation_params", r->extra);
}

static void put_settings(struct result *r, cJSON *info) {
    const cJSON *p = r->parameters;
    double skip = api_member_number(p, "clip_skip");
    put_number(r, info, "width", api_member_number(p, "width"));
    put_number(r, info, "height", api_member_number(p, "height"));
    put_text(r, info, "sampler_name", api_sampler_label(api_member_text(p, "sampling_method")));
    put_number(r, info, "cfg_scale", api_member_number(p, "cfg_scale"));
    put_number(r, info, "steps", api_member_number(p, "steps"));
    put_number(r, info, "batch_size", api_number(r->call, "batch_size", 1));
    put(r, info, "restore_faces", cJSON_CreateFalse());
    put(r, info, "face_restoration_model", cJSON_CreateNull());
    put_text(r, info, "sd_model_name", api_member_text(r->job, "model"));
    put_text(r, info, "sd_model_hash", r->model_hash);
    put(r, info, "sd_vae_name", cJSON_CreateNull());
    put(r, info, "sd_vae_hash", cJSON_CreateNull());
    put_number(r, info, "seed_resize_from_w", -1);
    put_number(r, info, "seed_resize_from_h", -1);
    put_number(r, info, "denoising_strength", find_strength(r));
    put_number(r, info, "index_of_first_image", 0);
    put(r, info, "styles", cJSON_CreateArray());
    put_number(r, info, "clip_skip", skip > 0 ? skip : 1);
    put(r, info, "is_using_inpainting_conditioning", cJSON_CreateFalse());
    put_text(r, info, "version", fum_version());
}

// Returns the text "info".
static cJSON *make_info(struct result *r) {
    char when[SDAPI_TIME_BYTES];
    cJSON *info = cJSON_CreateObject();
    double seed = first_number(r->seeds, api_member_number(r->parameters, "seed"));
    double subseed = first_number(r->subseeds, -1);
    put_text(r, info, "prompt", api_member_text(r->parameters, "prompt"));
    put_text(r, info, "negative_prompt", api_member_text(r->parameters, "negative_prompt"));
    put_number(r, info, "seed", seed);
    put_number(r, info, "subseed", subseed);
    put_number(r, info, "subseed_strength", api_member_number(r->parameters, "subseed_strength"));
    put_settings(r, info);
    sdapi_format_time(api_member_number(r->job, "created"), when);
    put_text(r, info, "job_timestamp", when);
    put_lists(r, info);
    char *text = r->no_memory ? NULL : cli_json_print(info);
    cJSON_Delete(info);
    cJSON *value = text ? cJSON_CreateString(text) : NULL;
    cJSON_free(text);
    return value;
}

// Returns the request without its pictures, unless the client requests them.
static cJSON *copy_request(const struct api_call *call) {
    cJSON *copy = cJSON_Duplicate(call->given, true);
    if (api_flag(call, "include_init_images", false)) return copy;
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "init_images");
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "mask");
    return copy;
}

cJSON *sdapi_make_result(const struct api_call *call, const cJSON *job) {
    struct result r = {.call = call,
                       .job = job,
                       .parameters = cJSON_GetObjectItemCaseSensitive(job, "parameters"),
                       .images = cJSON_CreateArray(),
                       .seeds = cJSON_CreateArray(),
                       .subseeds = cJSON_CreateArray(),
                       .prompts = cJSON_CreateArray(),
                       .negatives = cJSON_CreateArray(),
                       .infotexts = cJSON_CreateArray(),
                       .extra = cJSON_CreateObject()};
    cJSON *answer = cJSON_CreateObject();
    const cJSON *picture;
    cJSON_ArrayForEach(picture, cJSON_GetObjectItemCaseSensitive(job, "pictures"))
        add_picture(&r, picture);
    put(&r, answer, "images", r.images);
    put(&r, answer, "parameters", copy_request(call));
    put(&r, answer, "info", make_info(&r));
    if (!r.no_memory) return answer;
    cJSON_Delete(answer);
    return NULL;
}
