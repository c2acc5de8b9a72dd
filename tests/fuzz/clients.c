// SPDX-License-Identifier: MIT
// libFuzzer target of what the server's clients of A1111 and OpenAI send: their fields are
// translated and read as a job. A refusal names a field of theirs.
#include "cli/base64.h"
#include "cli/job/json.h"
#include "cli/serve/openai.h"
#include "cli/serve/options.h"
#include "cli/serve/sdapi.h"
#include "listed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PICTURE                                                                                   \
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAADElEQVR4nGNgGB4AAADIAAGtQHYiAAAAAElFTkSuQmC" \
    "C"

static const struct {
    unsigned route; // 0: options
    bool openai;
    const char *text;
} documents[] = {
    {SDAPI_TXT2IMG, false,
     "{\"prompt\":\"a fox <lora:style:0.5>\",\"negative_prompt\":\"bad\",\"seed\":5,\"subseed\":3,"
     "\"subseed_strength\":0.5,\"sampler_name\":\"DPM++ 2M Karras\",\"scheduler\":\"automatic\","
     "\"batch_size\":2,\"n_iter\":2,\"steps\":4,\"cfg_scale\":2.5,\"width\":64,\"height\":64,"
     "\"tiling\":true,\"override_settings\":{\"CLIP_stop_at_last_layers\":2,\"emphasis\":\"None\"},"
     "\"styles\":[],\"eta\":0.5,\"send_images\":true,\"refiner_switch_at\":null}"},
    {SDAPI_TXT2IMG, false,
     "{\"prompt\":\"x\",\"enable_hr\":true,\"hr_scale\":2,\"hr_upscaler\":\"Latent\","
     "\"hr_second_pass_steps\":3,\"hr_resize_x\":64,\"hr_resize_y\":0,\"denoising_strength\":0.5,"
     "\"hr_prompt\":\"\",\"hr_sampler_name\":\"Use same sampler\",\"alwayson_scripts\":"
     "{\"ControlNet\":{\"args\":[{\"model\":\"net [1]\",\"image\":\"" PICTURE
     "\",\"module\":\"canny\",\"threshold_a\":5,\"weight\":0.5,\"guidance_end\":0.5}]}}}"},
    {SDAPI_IMG2IMG, false,
     "{\"prompt\":\"x\",\"init_images\":[\"data:image/png;base64," PICTURE "\"],\"mask\":\"" PICTURE
     "\",\"denoising_strength\":0.5,\"resize_mode\":1,\"mask_blur\":4,"
     "\"mask_blur_x\":4,\"inpainting_fill\":2,\"inpaint_full_res\":1,\"inpaint_full_res_padding\":"
     "8,"
     "\"inpainting_mask_invert\":1,\"image_cfg_scale\":1.5}"},
    {OPENAI_GENERATE, true,
     "{\"prompt\":\"a fox\",\"model\":\"gpt-image-1\",\"n\":2,\"size\":\"64x64\",\"seed\":5,"
     "\"steps\":4,\"cfg_scale\":2,\"sampler\":\"Euler "
     "a\",\"output_format\":\"webp\",\"stream\":true,"
     "\"output_compression\":50,\"partial_images\":2,\"background\":\"auto\",\"quality\":\"low\"}"},
    {OPENAI_EDIT, true,
     "{\"prompt\":\"a fox\",\"size\":\"auto\",\"strength\":0.5,\"scheduler\":\"karras\","
     "\"response_format\":\"url\",\"negative_prompt\":\"bad\"}"},
    {0, false,
     "{\"sd_model_checkpoint\":null,\"CLIP_stop_at_last_layers\":2,\"randn_source\":\"CPU\","
     "\"grid_save\":false,\"show_progress_type\":\"Full\",\"samples_format\":\"png\","
     "\"quicksettings_list\":[\"sd_vae\"],\"jpeg_quality\":80,\"upscaler_for_img2img\":\"None\"}"},
};

// ---- the server, as far as translating needs it ----

static struct catalogue *catalogue;
static struct server server;
static void *picture;
static size_t picture_bytes;

const struct catalogue *server_catalogue(struct server *s) {
    (void)s;
    return catalogue;
}

void server_catalogue_done(struct server *s) {
    (void)s;
}

bool server_read_job(struct server *s, struct job_spec *spec, const cJSON *fields,
                     struct job_error *error) {
    return job_spec_read(spec, fields, &s->context, error);
}

// Refuses every job: none is drawn here.
bool server_submit(const struct http_request *request, struct http_response *response,
                   const struct jobs_new *job, char id[JOB_ID_BYTES]) {
    (void)request, (void)response, (void)job;
    id[0] = 0;
    return false;
}

static void open_server(void) {
    catalogue = listed_create();
    if (options_open(&server.a1111_options, fitted_folder())) fitted_fail("options");
    if (cli_base64_decode(PICTURE, &picture, &picture_bytes)) fitted_fail("a picture");
    server.context = (struct job_context){.catalogue = catalogue,
                                          .max_steps = 1000,
                                          .max_pictures = 100,
                                          .max_pixels = 1 << 20,
                                          .max_prompt = 1000};
}

// ---- checks ----

static void expect(bool good, const struct job_error *error, const char *what) {
    if (good) return;
    fprintf(stderr, "fuzzing: %s: \"%s\", %s\n", what, error->param, error->message);
    abort();
}

static bool is_field(const struct api_call *call, const char *name) {
    if (cJSON_GetObjectItemCaseSensitive(call->given, name)) return true;
    for (const struct api_field *f = call->table; f->name; f++)
        if (strcmp(f->name, name) == 0) return true;
    return false;
}

static void check_error(const struct api_call *call) {
    const struct job_error *error = &call->error;
    size_t length = strlen(error->message);
    if (getenv("FUZZ_SHOW")) fprintf(stderr, "%s: %s\n", error->param, error->message);
    expect(error->refusal != JOB_ACCEPTED && length > 0, error, "a refusal without a reason");
    expect(fum_text_escape(NULL, 0, error->message, length) == length, error, "a raw byte");
    bool named =
        !error->param[0] || strpbrk(error->param, "\\\xe2") || is_field(call, error->param);
    expect(named, error, "a field that is not the client's");
}

// Reads the translated fields as a job.
static void read_job(struct api_call *call) {
    struct job_spec spec = {0};
    bool good = server_read_job(&server, &spec, call->fields, &call->error);
    if (!good) {
        api_rename_error(call, &call->error);
        check_error(call);
    }
    job_spec_free(&spec);
}

static void translate_sdapi(struct api_call *call) {
    bool good = api_begin(call);
    const cJSON *changes = good ? api_get(call, "override_settings") : NULL;
    if (good && !options_check(&server, changes, &call->error)) {
        api_end(call);
        return; // which names an option
    }
    cJSON *options = good ? options_list(&server, changes) : NULL;
    if (good && sdapi_translate(call, options))
        read_job(call);
    else
        check_error(call);
    cJSON_Delete(options);
    api_end(call);
}

static void translate_openai(struct openai_call *o) {
    if (api_begin(&o->call) && openai_translate(o))
        read_job(&o->call);
    else
        check_error(&o->call);
    api_end(&o->call);
}

// Checks options. Those that are taken are listed as they were given, and can be sent again.
static void check_options(const cJSON *changes) {
    struct job_error error = {0};
    if (!options_check(&server, changes, &error)) return;
    cJSON *list = options_list(&server, changes);
    expect(list && options_check(&server, list, &error), &error,
           "options that cannot be sent again");
    cJSON_Delete(list);
}

// Makes a request of some of the fields of a kind, seldom of all.
static char *make_document(uint32_t kind, struct choices *c, size_t *bytes) {
    static struct damage_members members[sizeof documents / sizeof *documents];
    if (!members[kind].count) damage_members_add(&members[kind], documents[kind].text);
    return one_in(c, 32) ? damage_json(documents[kind].text, c, bytes)
                         : damage_object(&members[kind], c, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    struct job_json_error json_error;
    size_t bytes;
    if (!catalogue) open_server();
    uint32_t kind = choose(&c, sizeof documents / sizeof *documents);
    const struct http_request request = {.server = &server, .path = "/", .host = "localhost"};
    struct http_response response = {0};
    struct openai_call o = {.call = {.request = &request,
                                     .response = &response,
                                     .table = documents[kind].openai ? openai_fields : sdapi_fields,
                                     .route = documents[kind].route},
                            .image = picture,
                            .image_bytes = picture_bytes};
    char *text = make_document(kind, &c, &bytes);
    cJSON *json = NULL;
    job_json_read(&json, text, bytes, &json_error);
    o.call.given = json;
    if (cJSON_IsObject(json) && documents[kind].openai)
        translate_openai(&o);
    else if (cJSON_IsObject(json) && documents[kind].route)
        translate_sdapi(&o.call);
    else if (cJSON_IsObject(json))
        check_options(json);
    cJSON_Delete(json);
    free(text);
    return 0;
}
