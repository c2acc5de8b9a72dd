// SPDX-License-Identifier: MIT
// Says why a job is refused, in terms of its fields.
#include "fields.h"

#include <stdarg.h>
#include <string.h>

bool job_refuse(struct job_error *error, const char *param, const char *code, const char *fmt,
                ...) {
    char text[sizeof error->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    *error = (struct job_error){.refusal = JOB_BAD_VALUE, .code = code};
    fum_text_escape(error->message, sizeof error->message, text, strlen(text));
    if (param) fum_text_escape(error->param, sizeof error->param, param, strlen(param));
    return false;
}

bool job_refuse_memory(struct job_error *error) {
    job_refuse(error, NULL, NULL, "out of memory");
    error->refusal = JOB_NO_MEMORY;
    return false;
}

// Returns the option that a text begins with, "--mask-blur" or "-W", and the length of its name;
// NULL: none.
static const struct cli_option *find_option(const char *text, size_t *length) {
    char name[JOB_FIELD_NAME];
    size_t dashes = strspn(text, "-");
    *length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (dashes == 2 && *length - dashes < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)(*length - dashes), text + dashes);
        return cli_options_find(generate_option_table, name);
    }
    for (const struct cli_option *o = generate_option_table; o->name; o++)
        if (dashes == 1 && *length == 2 && o->letter == text[1]) return o;
    return NULL;
}

// Copies a text with "mask_blur" for "--mask-blur" and "width" for "-W". `first` gets the first of
// these names.
static void write_fields(char *out, size_t size, const char *text, char first[JOB_FIELD_NAME]) {
    size_t used = 0, length = 0;
    first[0] = 0;
    for (const char *at = text; *at && used + 1 < size;) {
        bool begins = at == text || strchr(" (\"", at[-1]);
        const struct cli_option *option = begins && *at == '-' ? find_option(at, &length) : NULL;
        if (!option) {
            out[used++] = *at++;
            continue;
        }
        char name[JOB_FIELD_NAME];
        snprintf(name, sizeof name, "%s", option->name);
        for (char *c = name; *c; c++) *c = *c == '-' ? '_' : *c;
        if (!first[0]) memcpy(first, name, sizeof name);
        int printed = snprintf(out + used, size - used, "%s", name);
        used += (size_t)printed < size - used ? (size_t)printed : size - used - 1;
        at += length;
    }
    out[used] = 0;
}

bool job_refuse_failure(struct job_error *error, const struct cli_failure *failure) {
    char text[sizeof error->message], first[JOB_FIELD_NAME];
    if (strcmp(failure->text, "out of memory") == 0) return job_refuse_memory(error);
    write_fields(text, sizeof text, failure->text, first);
    return job_refuse(error, first, NULL, "%s", text);
}
