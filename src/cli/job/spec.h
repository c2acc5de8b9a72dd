// SPDX-License-Identifier: MIT
// What a job is to draw: the fields of a JSON object, checked and settled. The jobs of `serve` and
// the lines of `batch` are read here.
#ifndef FUM_CLI_JOB_SPEC_H
#define FUM_CLI_JOB_SPEC_H

#include "../request.h"
#include "catalogue.h"

// Why a field is refused. The kinds become HTTP statuses in the server.
enum job_refusal {
    JOB_ACCEPTED = 0,
    JOB_BAD_VALUE,     // 422: an unknown field, a wrong type, out of its range
    JOB_UNKNOWN_MODEL, // 422, or 404 for OpenAI's clients
    JOB_NO_MEMORY,
};

struct job_error {
    enum job_refusal refusal;
    char message[500]; // one line, escaped, with the field's name in it
    char param[80];    // the field's name; "": none
    const char *code;  // "out_of_range", "model_not_found", …; NULL: none
};

// Where a job comes from.
struct job_context {
    // Models, LoRAs and other files that fields may name. NULL: fields hold paths, as on the
    // command line.
    const struct catalogue *catalogue;
    const struct generate_options *defaults; // of fields that are left out
    int max_steps, max_pictures;             // 0: those of generate
    long long max_pixels;                    // of a picture that is made; 0: those of generate
    size_t max_prompt;                       // characters; 0: any number
};

// A job that was read. Zero to begin with.
struct job_spec {
    struct generate_request request; // what the painter draws
    const char *model;               // path of the model; NULL: the shipped one
    const char *model_name;
    cJSON *fields;     // settled, pictures as base64: read again, they make the same pictures
    cJSON *parameters; // the same without pictures' bytes, and with the model's defaults filled in
    void **owned;      // memory that the request points into
    size_t num_owned;
};

// Reads the fields of an object strictly. A name is a long flag with "_" or "-", and a number is a
// JSON number. A picture is base64 or a data URL with a catalogue, and a path without. Seeds are
// settled. Any thread. Returns false with *error filled in; the spec is to be freed in any case.
bool job_spec_read(struct job_spec *spec, const cJSON *fields, const struct job_context *context,
                   struct job_error *error);
void job_spec_free(struct job_spec *spec);

#endif
