// SPDX-License-Identifier: MIT
// Describes the server's paths in OpenAPI 3.
#ifndef FUM_CLI_SERVE_OPENAPI_H
#define FUM_CLI_SERVE_OPENAPI_H

#include "http.h"

// Returns the document, or NULL: memory is out. `context` decides which fields jobs have.
cJSON *openapi_create(const struct job_context *context);

// Adds the fields of jobs, and those that A1111 and OpenAI have, to the schemas of requests.
void openapi_add_fields(cJSON *schemas, const struct job_context *context);

#endif
