// SPDX-License-Identifier: MIT
// The memory that a job's request points into.
#include "fields.h"

#include <stdlib.h>

bool job_spec_own(struct job_spec *spec, void *memory) {
    void **grown =
        memory ? realloc(spec->owned, (spec->num_owned + 1) * sizeof *spec->owned) : NULL;
    if (!grown) {
        free(memory);
        return false;
    }
    spec->owned = grown;
    spec->owned[spec->num_owned++] = memory;
    return true;
}

void job_spec_free(struct job_spec *spec) {
    generate_request_free(&spec->request);
    cJSON_Delete(spec->fields);
    cJSON_Delete(spec->parameters);
    for (size_t i = 0; i < spec->num_owned; i++) free(spec->owned[i]);
    free(spec->owned);
    *spec = (struct job_spec){0};
}
