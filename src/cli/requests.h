// SPDX-License-Identifier: MIT
// The requests of one run of `fumarole generate`: one, a line each of --prompts-file, or one for
// each cell of --xy.
#ifndef FUM_CLI_REQUESTS_H
#define FUM_CLI_REQUESTS_H

#include "request.h"

// An axis of --xy: an option and the values it takes.
struct generate_axis {
    char *text; // holds both, cut apart
    const char *name, *values[CLI_LIST_MAX];
    int count; // 0: there is no such axis
};

struct generate_requests {
    const struct cli_command *command;
    struct generate_options options; // of the command line: model, device and what all share
    struct generate_request *list;
    size_t count, capacity;
    char *text;       // of --prompts-file, whose lines are cut apart
    char **arguments; // made of lines and axes; the options of requests point into them
    size_t num_arguments, argument_capacity;
    struct generate_axis axes[2]; // columns and rows of --xy
    char model_hash[65];          // of the model that --from-png needs; "": any
};

// Makes the requests from the options of the command line and the arguments beside them. Each is
// checked, and reads the files that it names. Returns -1 to go on, else an exit status.
int generate_requests_make(struct generate_requests *requests, int argc, char **argv);
// Sets an option that all requests share, as on the command line, or several from the members of a
// JSON object. Returns 0, or prints the error and returns an exit status.
int generate_requests_set(struct generate_requests *requests, const char *name, const char *value);
int generate_requests_set_members(struct generate_requests *requests, cJSON *object);
// Returns the number of pictures of all requests.
int generate_requests_pictures(const struct generate_requests *requests);
void generate_requests_free(struct generate_requests *requests);

#endif
