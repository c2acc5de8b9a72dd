// SPDX-License-Identifier: MIT
// A1111's routes that draw pictures.
#include "options.h"
#include "routes.h"
#include "sdapi.h"

// Translates the fields and takes the job in. False: the request is answered.
static bool take_job(struct api_call *call, char id[JOB_ID_BYTES]) {
    struct server *server = call->request->server;
    bool good = api_begin(call);
    const cJSON *changes = good ? api_get(call, "override_settings") : NULL;
    if (good && !options_check(server, changes, &call->error)) good = false;
    cJSON *options = good ? options_list(server, changes) : NULL;
    if (good && !options) good = api_refuse_memory(call);
    good = good && sdapi_translate(call, options);
    cJSON_Delete(options);
    if (!good) api_answer_refusal(call);
    return good && api_submit(call, "sdapi", id);
}

static void draw(struct api_call *call) {
    char id[JOB_ID_BYTES];
    cJSON *job = take_job(call, id) ? api_wait(call, id) : NULL;
    if (job) http_answer_json(call->response, 200, sdapi_make_result(call, job));
    cJSON_Delete(job);
    api_end(call);
}

void route_txt2img(const struct http_request *request, struct http_response *response) {
    draw(&(struct api_call){.request = request,
                            .response = response,
                            .table = sdapi_fields,
                            .route = SDAPI_TXT2IMG,
                            .given = request->json});
}

void route_img2img(const struct http_request *request, struct http_response *response) {
    draw(&(struct api_call){.request = request,
                            .response = response,
                            .table = sdapi_fields,
                            .route = SDAPI_IMG2IMG,
                            .given = request->json});
}
