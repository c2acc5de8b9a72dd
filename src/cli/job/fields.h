// SPDX-License-Identifier: MIT
// The fields that a job may have, and how the value of each is read into options.
#ifndef FUM_CLI_JOB_FIELDS_H
#define FUM_CLI_JOB_FIELDS_H

#include "spec.h"

// A picture that a field holds.
struct job_picture {
    const char *text; // of the field, in spec->fields
    void *data;       // its file
    size_t bytes;
    int width, height;
};

// A job while its fields are read.
struct job_reader {
    struct job_spec *spec;
    const struct job_context *context;
    struct generate_options *options;
    struct job_error *error;
    const struct catalogue_entry *model; // NULL: without a catalogue
    struct job_picture pictures[CLI_MAX_CONTROLS + 2];
    int num_pictures;
    const struct job_picture *init_image; // NULL: none is given
    int upscale;                          // factor of the network's sides; 0: not known
};

// Stores why a job is refused, and returns false. `code` may be NULL.
bool job_refuse(struct job_error *error, const char *param, const char *code, const char *fmt, ...)
    FUM_PRINTF(4, 5);
bool job_refuse_memory(struct job_error *error);
// Stores a failure of the command line, with fields in place of its options.
bool job_refuse_failure(struct job_error *error, const struct cli_failure *failure);

// Finds a field by its name, with "_" or "-". Stores its first spelling as fields have it. NULL:
// there is no such field, which *error says with what it may misspell.
enum { JOB_FIELD_NAME = 48 };
const struct cli_option *job_field_find(const char *name, const struct job_context *context,
                                        char canonical[JOB_FIELD_NAME], struct job_error *error);
// Reads the value of a field, which is in spec->fields.
bool job_field_read(struct job_reader *reader, const struct cli_option *option, const cJSON *item);

// Finds a file that fields may name. NULL: there is none, which the error says.
const struct catalogue_entry *job_find_file(struct job_reader *reader, enum catalogue_kind kind,
                                            const char *name, const char *param);

// Keeps memory until the spec is freed; takes it in any case. False: memory is out, or it is NULL.
bool job_spec_own(struct job_spec *spec, void *memory);

// Puts what fields name in its place: LoRAs, ControlNets and their pictures. The context has a
// catalogue.
bool job_bind_files(struct job_reader *reader);

// The size of a job's pictures, before a second pass.
struct job_size {
    int width, height;
};
// Checks the job against its model and its limits, once its options are checked.
bool job_check_limits(struct job_reader *reader, struct job_size *size);
// Returns the noise schedule of the job's sampler with its model; NULL: it does not run with it, or
// the model is not known.
const char *job_default_schedule(const struct job_reader *reader);
// Makes spec->parameters.
bool job_describe(struct job_reader *reader, const struct job_size *size);

#endif
