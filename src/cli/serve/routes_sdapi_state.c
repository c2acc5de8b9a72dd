// SPDX-License-Identifier: MIT
// A1111's routes about the server itself: progress, options, memory, and what runs.
#define _POSIX_C_SOURCE 200809L

#include "options.h"
#include "routes.h"
#include "sdapi.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

// ---- progress ----

// Returns the share of a job that is done.
static double find_share(const struct painter_progress *p) {
    if (p->pictures < 1) return 0;
    double step = p->steps > 0 ? (double)p->step / p->steps : 0,
           share = (p->picture + step) / p->pictures;
    return share < 1 ? share : 1;
}

static cJSON *make_state(const struct jobs_now *now) {
    char when[SDAPI_TIME_BYTES] = "0";
    cJSON *state = cJSON_CreateObject();
    bool runs = now->id[0] != 0;
    if (runs) sdapi_format_time(now->started, when);
    bool good = state && cJSON_AddBoolToObject(state, "skipped", now->skipped) &&
                cJSON_AddBoolToObject(state, "interrupted", now->interrupted) &&
                cJSON_AddStringToObject(state, "job", now->id) &&
                cJSON_AddNumberToObject(state, "job_count", now->progress.pictures) &&
                cJSON_AddStringToObject(state, "job_timestamp", when) &&
                cJSON_AddNumberToObject(state, "job_no", now->progress.picture) &&
                cJSON_AddNumberToObject(state, "sampling_step", now->progress.step) &&
                cJSON_AddNumberToObject(state, "sampling_steps", now->progress.steps);
    if (good) return state;
    cJSON_Delete(state);
    return NULL;
}

// Reads a truth value of a query as A1111 does. Returns false if the text is none.
static bool read_truth(const char *text, bool *value) {
    static const char *const words[2][6] = {{"false", "0", "no", "off", "f", "n"},
                                            {"true", "1", "yes", "on", "t", "y"}};
    for (int i = 0; i < 12; i++) {
        *value = i >= 6;
        if (strcasecmp(text, words[i / 6][i % 6]) == 0) return true;
    }
    return false;
}

static cJSON *make_current(const struct http_request *request, const struct jobs_now *now,
                           bool skipped) {
    char *preview =
        now->id[0] && !skipped ? jobs_copy_preview(request->server->jobs, now->id) : NULL;
    cJSON *value = preview ? cJSON_CreateString(preview) : cJSON_CreateNull();
    free(preview);
    return value;
}

void route_sdapi_progress(const struct http_request *request, struct http_response *response) {
    static const char name[] = "skip_current_image";
    const char *text = http_query(request, name);
    struct jobs_now now = {0};
    bool skip = false;
    if (text && !read_truth(text, &skip)) {
        http_answer_error(request, response, &(struct http_error){.status = 422, .param = name},
                          "%s must be true or false", name);
        return;
    }
    jobs_get_now(request->server->jobs, &now);
    cJSON *object = cJSON_CreateObject(), *state = make_state(&now);
    cJSON *current = make_current(request, &now, skip);
    double left = now.progress.seconds_left;
    bool good = cli_json_put(object, "state", state);
    good = cli_json_put(object, "current_image", current) && good;
    good = good && cJSON_AddNumberToObject(object, "progress", find_share(&now.progress)) &&
           cJSON_AddNumberToObject(object, "eta_relative", left > 0 ? left : 0) &&
           cJSON_AddNullToObject(object, "textinfo");
    if (!good) {
        cJSON_Delete(object);
        object = NULL;
    }
    http_answer_json(response, 200, object);
}

// ---- what runs ----

static void answer_empty(struct http_response *response) {
    http_answer_json(response, 200, cJSON_CreateObject());
}

void route_sdapi_interrupt(const struct http_request *request, struct http_response *response) {
    jobs_interrupt(request->server->jobs);
    answer_empty(response);
}

void route_sdapi_skip(const struct http_request *request, struct http_response *response) {
    jobs_skip(request->server->jobs);
    answer_empty(response);
}

void route_sdapi_unload(const struct http_request *request, struct http_response *response) {
    jobs_unload(request->server->jobs);
    answer_empty(response);
}

// Does nothing: a model is loaded with the first job that needs it.
void route_sdapi_reload(const struct http_request *request, struct http_response *response) {
    (void)request;
    answer_empty(response);
}

// ---- options ----

void route_sdapi_options(const struct http_request *request, struct http_response *response) {
    http_answer_json(response, 200, options_list(request->server, NULL));
}

void route_sdapi_set_options(const struct http_request *request, struct http_response *response) {
    struct job_error error = {0};
    struct fum_error err = {0};
    if (!options_check(request->server, request->json, &error)) {
        http_answer_refusal(request, response, &error);
        return;
    }
    enum fum_result result = options_change(request->server, request->json, &err);
    if (result == FUM_OK)
        answer_empty(response);
    else if (result == FUM_ERR_NOMEM)
        api_answer_no_memory(request, response);
    else if (result == FUM_ERR_NO_SPACE)
        http_answer_error(request, response,
                          &(struct http_error){.status = 507, .code = "no_space"},
                          "no space on the disk to keep the options: %s", err.text);
    else
        http_answer_error(request, response, &(struct http_error){.status = 500},
                          "the options could not be kept: %s", err.text);
}

// ---- the machine ----

// Adds {"free","used","total"} in bytes.
static bool add_memory(cJSON *object, const char *name, double used, double total) {
    cJSON *memory = cJSON_AddObjectToObject(object, name);
    return memory && cJSON_AddNumberToObject(memory, "free", total > used ? total - used : 0) &&
           cJSON_AddNumberToObject(memory, "used", used) &&
           cJSON_AddNumberToObject(memory, "total", total);
}

static double find_pages(int name) {
    long pages = sysconf(name);
    return pages > 0 ? (double)pages * (double)sysconf(_SC_PAGESIZE) : 0;
}

static bool add_devices(cJSON *object, struct jobs *jobs) {
    cJSON *devices = jobs_describe_devices(jobs), *device;
    double used = 0, total = 0;
    cJSON_ArrayForEach(device, devices) {
        used += api_member_number(device, "memory_used");
        total += api_member_number(device, "memory_total");
    }
    cJSON *cuda = devices ? cJSON_AddObjectToObject(object, "cuda") : NULL;
    cJSON_Delete(devices);
    return cuda && add_memory(cuda, "system", used, total);
}

void route_sdapi_memory(const struct http_request *request, struct http_response *response) {
    cJSON *object = cJSON_CreateObject();
    double total = find_pages(_SC_PHYS_PAGES), available = find_pages(_SC_AVPHYS_PAGES);
    bool good = object && add_memory(object, "ram", total - available, total) &&
                add_devices(object, request->server->jobs);
    if (!good) {
        cJSON_Delete(object);
        object = NULL;
    }
    http_answer_json(response, 200, object);
}

static bool add_path(cJSON *object, const char *name, const char *path) {
    return path ? cJSON_AddStringToObject(object, name, path) != NULL
                : cJSON_AddNullToObject(object, name) != NULL;
}

// Answers with the flags of this program under the names of A1111's.
void route_sdapi_flags(const struct http_request *request, struct http_response *response) {
    const struct serve_options *o = request->server->options;
    const char *first = o->models.count ? o->models.at[0] : NULL;
    const char *device = o->devices.count ? o->devices.at[0] : NULL;
    cJSON *object = cJSON_CreateObject();
    bool good = object && cJSON_AddTrueToObject(object, "api") &&
                cJSON_AddBoolToObject(object, "listen", strcmp(o->listen_ip, "127.0.0.1") != 0) &&
                cJSON_AddStringToObject(object, "server_name", o->listen_ip) &&
                cJSON_AddNumberToObject(object, "port", request->server->port) &&
                add_path(object, "ckpt", first) && add_path(object, "ckpt_dir", o->models_dir) &&
                add_path(object, "lora_dir", o->lora_dir) &&
                add_path(object, "embeddings_dir", o->embeddings_dir) &&
                add_path(object, "esrgan_models_path", o->upscalers_dir) &&
                add_path(object, "data_dir", o->state_dir) &&
                add_path(object, "device_id", device) &&
                add_path(object, "cors_allow_origins", o->cors);
    if (!good) {
        cJSON_Delete(object);
        object = NULL;
    }
    http_answer_json(response, 200, object);
}
