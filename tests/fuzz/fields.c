// SPDX-License-Identifier: MIT
// libFuzzer target of jobs' fields: JSON as a client sends it, read as the server does. What is
// taken must read back from its settled text.
#include "cli/job/json.h"
#include "cli/job/spec.h"
#include "listed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PICTURE                                                                                   \
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAADElEQVR4nGNgGB4AAADIAAGtQHYiAAAAAElFTkSuQmC" \
    "C"

static const char *const documents[] = {
    "{\"prompt\":\"a fox <lora:style:0.5>\",\"negative-prompt\":\"bad\",\"width\":64,\"height\":64,"
    "\"steps\":4,\"cfg_scale\":2.5,\"seed\":5,\"batch_count\":3,\"sampling_method\":\"Euler a\","
    "\"scheduler\":\"karras\",\"clip_skip\":1,\"lora\":[\"style:0.5:1\"],"
    "\"subseed\":3,\"subseed_strength\":0.5,\"eta\":0.5,\"rng\":\"cpu\",\"preview\":\"none\"}",
    "{\"prompt\":\"x\",\"init_img\":\"" PICTURE "\",\"mask\":\"data:image/png;base64," PICTURE
    "\",\"strength\":0.5,\"mask_blur\":4,\"inpaint_fill\":\"noise\",\"mask_invert\":true,"
    "\"inpaint_only_masked\":true,\"inpaint_padding\":8,\"outpaint\":\"8,8,0,0\","
    "\"resize_mode\":\"crop\"}",
    "{\"prompt\":\"x\",\"hires\":true,\"hires_scale\":2,\"hires_steps\":3,\"hires_strength\":0.5,"
    "\"hires_upscaler\":\"lanczos\",\"sigmas\":\"9,3,0\",\"freeu\":\"auto\",\"cfg_interval\":"
    "\"0.2,0.8\",\"cache_mode\":\"deepcache\",\"cache_option\":\"interval=3\",\"seamless\":\"xy\"}",
    "{\"prompt\":\"x\",\"control_net\":\"net\",\"control_image\":[\"" PICTURE
    "\"],\"control_strength\":0.5,\"control_end\":[1],\"control_preprocess\":\"canny\","
    "\"pag_scale\":3,\"slg_scale\":2,\"skip_layers\":\"7,8\",\"guidance_rescale\":0.7,"
    "\"apg_eta\":0,\"tolerance\":0.001,\"timestep_spacing\":\"trailing\",\"class\":2}",
};

static struct catalogue *catalogue;

static void expect(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "fuzzing: %s\n", what);
    abort();
}

// A refusal says in one line why, and names its field.
static void check_error(const struct job_error *error) {
    size_t length = strlen(error->message);
    if (getenv("FUZZ_SHOW")) fprintf(stderr, "%s\n", error->message);
    expect(error->refusal != JOB_ACCEPTED && length > 0, "a refusal without a reason");
    expect(fum_text_escape(NULL, 0, error->message, length) == length, "a raw byte in a message");
    expect(fum_text_escape(NULL, 0, error->param, strlen(error->param)) == strlen(error->param),
           "a raw byte in a name");
}

// Reads the parameters as fields, as a client does that draws a picture again.
static void check_parameters(const struct job_spec *spec, const struct job_context *context) {
    const struct fum_generate_params *picture = &spec->request.options.picture;
    struct job_error error = {0};
    struct job_spec again;
    if (picture->init_image.data || spec->request.controls.count) return; // they are left out
    if (!job_spec_read(&again, spec->parameters, context, &error)) {
        char *text = cJSON_PrintUnformatted(spec->parameters);
        fprintf(stderr, "fuzzing: %s: %s\n", text, error.message);
        abort();
    }
    expect(cJSON_Compare(again.parameters, spec->parameters, true), "parameters are others");
    job_spec_free(&again);
}

// Reads the settled fields from their text, as a server does that starts again.
static void check_settled(const struct job_spec *spec, const struct job_context *context) {
    struct job_json_error json_error;
    struct job_error error = {0};
    struct job_spec again;
    cJSON *json = NULL;
    char *text = cJSON_PrintUnformatted(spec->fields);
    expect(text && !job_json_read(&json, text, strlen(text), &json_error), "fields are no JSON");
    if (!job_spec_read(&again, json, context, &error)) {
        fprintf(stderr, "fuzzing: %s: %s\n", text, error.message);
        abort();
    }
    expect(cJSON_Compare(again.fields, spec->fields, true), "settled fields changed");
    expect(cJSON_Compare(again.parameters, spec->parameters, true), "parameters changed");
    expect(!again.request.options.seed.random, "a seed is not settled");
    job_spec_free(&again);
    cJSON_Delete(json);
    cJSON_free(text);
}

// Makes a request of some of the fields, seldom of all of a kind.
static char *make_document(struct choices *c, size_t *bytes) {
    enum { COUNT = sizeof documents / sizeof *documents };
    static struct damage_members members;
    uint32_t which = choose(c, COUNT);
    for (uint32_t i = members.count ? COUNT : 0; i < COUNT; i++)
        damage_members_add(&members, documents[i]);
    return one_in(c, 32) ? damage_json(documents[which], c, bytes)
                         : damage_object(&members, c, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    struct job_json_error json_error;
    struct job_error error;
    struct job_spec spec;
    size_t bytes;
    if (!catalogue) catalogue = listed_create();
    const struct job_context context = {.catalogue = one_in(&c, 4) ? NULL : catalogue,
                                        .max_steps = 1000,
                                        .max_pictures = 100,
                                        .max_pixels = 1 << 20,
                                        .max_prompt = 1000};
    char *text = make_document(&c, &bytes);
    cJSON *json = NULL;
    enum cli_json read = job_json_read(&json, text, bytes, &json_error);
    expect((read == CLI_JSON_GOOD) == (json != NULL), "JSON without a value");
    expect(!json == (json_error.text[0] != 0), "JSON without a reason");
    if (json && job_spec_read(&spec, json, &context, &error)) {
        check_settled(&spec, &context);
        check_parameters(&spec, &context);
    } else if (json) {
        check_error(&error);
    }
    if (json) job_spec_free(&spec);
    cJSON_Delete(json);
    free(text);
    return 0;
}
