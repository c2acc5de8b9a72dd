// SPDX-License-Identifier: MIT
// OpenAI's routes for pictures and models.
#include "openai.h"
#include "routes.h"

#include <string.h>

static void draw(struct openai_call *o) {
    struct api_call *call = &o->call;
    char id[JOB_ID_BYTES];
    bool good = api_begin(call) && openai_translate(o);
    if (!good) api_answer_refusal(call);
    good = good && api_submit(call, "openai", id);
    if (good && api_flag(call, "stream", false)) {
        openai_stream(o, id);
    } else if (good) {
        cJSON *job = api_wait(call, id);
        if (job) openai_answer(o, job);
        cJSON_Delete(job);
    }
    api_end(call);
}

void route_openai_generations(const struct http_request *request, struct http_response *response) {
    draw(&(struct openai_call){.call = {.request = request,
                                        .response = response,
                                        .table = openai_fields,
                                        .route = OPENAI_GENERATE,
                                        .given = request->json}});
}

// Draws from the pictures of a multipart body.
static void draw_from_parts(const struct http_request *request, struct http_response *response,
                            unsigned route) {
    struct openai_call o = {
        .call = {.request = request, .response = response, .table = openai_fields, .route = route}};
    cJSON *given = openai_read_parts(&o);
    o.call.given = given;
    if (given)
        draw(&o);
    else
        api_answer_refusal(&o.call);
    cJSON_Delete(given);
}

void route_openai_edits(const struct http_request *request, struct http_response *response) {
    draw_from_parts(request, response, OPENAI_EDIT);
}

void route_openai_variations(const struct http_request *request, struct http_response *response) {
    draw_from_parts(request, response, OPENAI_VARY);
}

// ---- models ----

static cJSON *make_model(const struct catalogue_entry *entry) {
    cJSON *model = cJSON_CreateObject();
    bool good = model && cJSON_AddStringToObject(model, "id", entry->name) &&
                cJSON_AddStringToObject(model, "object", "model") &&
                cJSON_AddNumberToObject(model, "created", 0) && // it is not known
                cJSON_AddStringToObject(model, "owned_by", "fumarole");
    if (good) return model;
    cJSON_Delete(model);
    return NULL;
}

void route_openai_models(const struct http_request *request, struct http_response *response) {
    const struct catalogue *catalogue = server_catalogue(request->server);
    const struct catalogue_entry *entry;
    cJSON *answer = cJSON_CreateObject();
    cJSON *data = answer && cJSON_AddStringToObject(answer, "object", "list")
                      ? cJSON_AddArrayToObject(answer, "data")
                      : NULL;
    bool good = data != NULL;
    for (size_t i = 0; good && (entry = catalogue_at(catalogue, CATALOGUE_MODEL, i)); i++) {
        cJSON *model = make_model(entry);
        good = model && cJSON_AddItemToArray(data, model);
    }
    server_catalogue_done(request->server);
    if (!good) {
        cJSON_Delete(answer);
        answer = NULL;
    }
    http_answer_json(response, 200, answer);
}

void route_openai_model(const struct http_request *request, struct http_response *response) {
    const struct catalogue *catalogue = server_catalogue(request->server);
    const struct catalogue_entry *entry = catalogue_find(catalogue, CATALOGUE_MODEL, request->id);
    cJSON *model = entry ? make_model(entry) : NULL;
    server_catalogue_done(request->server);
    if (entry)
        http_answer_json(response, 200, model);
    else
        http_answer_error(
            request, response,
            &(struct http_error){.status = 404, .param = "model", .code = "model_not_found"},
            "model: there is no model \"%s\"", cli_show(request->id).text);
}
