// SPDX-License-Identifier: MIT
// Takes in the jobs of other APIs, and waits for them.
#include "api.h"

#include <fumarole/file.h>

#include <stdlib.h>
#include <string.h>

// Writes the hash of a multipart request, which is the same for every boundary.
static bool hash_request(const struct api_call *call, char hash[FUM_SHA256_TEXT]) {
    char *text = cJSON_PrintUnformatted(call->given);
    size_t size = text ? strlen(text) + strlen(call->request->path) + sizeof call->attached + 8 : 0;
    char *all = text ? malloc(size) : NULL;
    if (all) {
        int bytes = snprintf(all, size, "%s\n%s\n%s\n%s", call->request->path, call->attached[0],
                             call->attached[1], text);
        fum_sha256_text(all, (size_t)bytes, hash);
    }
    free(all);
    cJSON_free(text);
    return all != NULL;
}

bool api_find_model(const struct api_call *call, struct api_model *model) {
    struct server *server = call->request->server;
    const char *name = api_member_text(call->fields, "model");
    const struct catalogue *catalogue = server_catalogue(server);
    const struct catalogue_entry *entry = *name ? catalogue_find(catalogue, CATALOGUE_MODEL, name)
                                                : catalogue_at(catalogue, CATALOGUE_MODEL, 0);
    *model = (struct api_model){0};
    if (entry) *model = (struct api_model){entry->width, entry->height, entry->takes_prompt};
    server_catalogue_done(server);
    return entry != NULL;
}

bool api_fit_prompts(struct api_call *call) {
    static const char *const names[] = {"prompt", "negative_prompt"};
    struct api_model model;
    if (!api_find_model(call, &model)) return true; // the job is refused for it
    if (model.takes_prompt)
        return cJSON_HasObjectItem(call->fields, "prompt") || api_set_text(call, "prompt", "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!*api_member_text(call->fields, names[i]))
            cJSON_DeleteItemFromObjectCaseSensitive(call->fields, names[i]);
    return true;
}

bool api_submit(struct api_call *call, const char *api, char id[JOB_ID_BYTES]) {
    struct job_spec spec = {0};
    char hash[FUM_SHA256_TEXT] = "";
    struct server *server = call->request->server;
    bool good = server_read_job(server, &spec, call->fields, &call->error);
    if (!good) api_rename_error(call, &call->error);
    bool attached = call->attached[0][0] != 0; // else the body's hash is that of its JSON
    if (good && attached && !hash_request(call, hash)) good = api_refuse_memory(call);
    if (good)
        good = server_submit(
            call->request, call->response,
            &(struct jobs_new){.spec = &spec, .api = api, .body_hash = attached ? hash : NULL}, id);
    else
        api_answer_refusal(call);
    job_spec_free(&spec);
    return good;
}

static void answer_failure(struct api_call *call, const cJSON *job) {
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(job, "error");
    const char *message = api_member_text(error, "message"), *code = api_member_text(error, "code");
    // The model may refuse what no field alone shows, such as too few steps of a sampler.
    bool refused = strcmp(api_member_text(error, "type"), "invalid_request_error") == 0;
    const struct http_error e = {.status = refused ? 422 : 500, .code = *code ? code : NULL};
    http_answer_error(call->request, call->response, &e, "%s",
                      *message ? message : "the job failed");
}

cJSON *api_wait(struct api_call *call, const char *id) {
    struct jobs *jobs = call->request->server->jobs;
    enum jobs_result result = jobs_wait(jobs, id);
    if (result == JOBS_STOPPING) {
        http_answer_error(call->request, call->response, &(struct http_error){.status = 503},
                          "the server is going down; job %s goes on when it is started again", id);
        return NULL;
    }
    cJSON *job = result ? NULL : jobs_describe(jobs, id);
    if (!job) {
        http_answer_error(call->request, call->response, &(struct http_error){.status = 500},
                          "job %s was removed before it was answered", id);
        return NULL;
    }
    if (strcmp(api_member_text(job, "state"), "failed") != 0) return job;
    answer_failure(call, job);
    cJSON_Delete(job);
    return NULL;
}
