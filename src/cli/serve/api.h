// SPDX-License-Identifier: MIT
// What the routes of A1111 and OpenAI share: the fields of a client become those of a job, and
// errors name the client's own.
#ifndef FUM_CLI_SERVE_API_H
#define FUM_CLI_SERVE_API_H

#include "server.h"

#include <fumarole/file.h>

enum api_type {
    API_FREE,  // any
    API_BOOL,  // true or false
    API_FLAG,  // the same, 0 or 1
    API_WHOLE, // a number without a fraction
    API_NUMBER,
    API_TEXT,
    API_LIST,
    API_OBJECT,
};
enum api_use {
    API_COPIED,  // the job's field gets the value, which is checked there
    API_READ,    // the route reads it
    API_NOTHING, // it has no effect
    API_NEUTRAL, // only values that do nothing are taken
};

// A field of a client's object. Tables end with a NULL name.
struct api_field {
    const char *name;
    enum api_type type;
    enum api_use use;
    const char *field;   // of jobs, that it sets; messages about that one name this. NULL: none
    const char *neutral; // JSON array of values that do nothing, beside null, 0, "", false, …
    unsigned routes;     // bits of the routes that take it
    const char *help;    // for /openapi.json; NULL: that of the job's field
};

// A request on its way to a job.
struct api_call {
    const struct http_request *request;
    struct http_response *response;
    const struct api_field *table;
    unsigned route;     // a bit of `routes`
    const cJSON *given; // the client's object
    cJSON *fields;      // of the job, made by api_begin; freed by api_end
    // Hashes of what came beside the object, for idempotency keys.
    char attached[2][FUM_SHA256_TEXT];
    struct job_error error;
};

// Checks the names and types of everything that is given, and copies what can be. Returns false
// with *error filled in. api_end follows in any case.
bool api_begin(struct api_call *call);
void api_end(struct api_call *call);

// Returns a value that is given and not null; NULL: none.
const cJSON *api_get(const struct api_call *call, const char *name);
// Returns a given value, or another one in its place. Types are those of the table.
double api_number(const struct api_call *call, const char *name, double other);
bool api_flag(const struct api_call *call, const char *name, bool other);
const char *api_text(const struct api_call *call, const char *name, const char *other);

// Sets a field of the job. A NULL value is refused memory. Returns false with *error filled in.
bool api_set(struct api_call *call, const char *field, cJSON *value);
bool api_set_text(struct api_call *call, const char *field, const char *text);
bool api_set_number(struct api_call *call, const char *field, double number);

// Sets the sampler and the schedule. Jobs have all spellings of samplers, and api_names.h those of
// schedules.
bool api_set_sampling(struct api_call *call, const char *sampler, const char *schedule);

// Sets an empty prompt where none is given, and leaves out empty prompts for a model that takes
// none.
bool api_fit_prompts(struct api_call *call);
// Stores the defaults of the job's model, or of the default one. False: there is no such model.
struct api_model {
    int width, height;
    bool takes_prompt;
};
bool api_find_model(const struct api_call *call, struct api_model *model);

// Refuses the request because of a field. Returns false.
bool api_refuse(struct api_call *call, const char *name, const char *code, const char *fmt, ...)
    FUM_PRINTF(4, 5);
bool api_refuse_memory(struct api_call *call);

// Puts the client's name of a field in place of the job's.
void api_rename_error(const struct api_call *call, struct job_error *error);

// Reads the job of the fields and takes it in. False: the request is answered with the error.
bool api_submit(struct api_call *call, const char *api, char id[JOB_ID_BYTES]);
// Waits for a job. Returns the object Job, or NULL: the request is answered with the error. One
// that was cancelled has the pictures that were finished.
cJSON *api_wait(struct api_call *call, const char *id);
// Answers with *error.
void api_answer_refusal(struct api_call *call);
void api_answer_no_memory(const struct http_request *request, struct http_response *response);

// Returns the text or the number of a member; "" and 0: it has none.
const char *api_member_text(const cJSON *object, const char *name);
double api_member_number(const cJSON *object, const char *name);

#endif
