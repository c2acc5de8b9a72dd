// SPDX-License-Identifier: MIT
// One request of `fumarole generate`: its options, and the files that they name.
#ifndef FUM_CLI_REQUEST_H
#define FUM_CLI_REQUEST_H

#include "adapters.h"
#include "generate_options.h"
#include "output.h"

struct generate_request {
    struct generate_options given;   // as given, before its defaults are filled in
    struct generate_options options; // checked
    // Pictures that earlier requests write under the same --output. They count in this one's names.
    int before;
    char *prompt_text, *negative_text;
    float *noise;
    int noise_shape[4];
    float *step_noise;
    int step_noise_shape[5];
    double *sigmas;
    int num_sigmas;
    struct cli_adapters adapters;
    struct cli_controls controls;
};

// Reads the prompts, noises and adapters that the options name. Returns 0, or prints the error and
// returns an exit status.
int generate_request_read(struct generate_request *request);
// Adds the files that the request will write, but for those below. Returns as generate_request_read
// does.
int generate_request_add_outputs(const struct generate_request *request,
                                 struct cli_outputs *outputs);
// Adds the files of --save-control and --preview-path, which later requests may replace.
int generate_request_add_side_outputs(const struct generate_request *request,
                                      struct cli_outputs *outputs);
// Returns what the library is to draw, without callbacks. Pointers are the request's.
struct fum_generate_params generate_request_params(const struct generate_request *request);
void generate_request_free(struct generate_request *request);

#endif
