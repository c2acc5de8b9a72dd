// SPDX-License-Identifier: MIT
// The options of `fumarole generate`.
#ifndef FUM_CLI_GENERATE_OPTIONS_H
#define FUM_CLI_GENERATE_OPTIONS_H

#include "cli.h"

struct generate_options {
    const char *model, *prompt, *prompt_file, *negative, *negative_file, *output;
    int width, height, steps, count; // 0: the model's own (count: 1)
    double guidance;                 // negative: the model's own
    double class_label;              // negative: none
    struct cli_seed seed;
    const char *sampler, *schedule, *spacing, *prediction, *rng, *sampler_rng;
    const char *precision, *type, *device, *variant;
    double eta;                         // not a number: the sampler's own
    int clip_skip;                      // 0 and less: the model's own
    int threads;                        // 0 and less: chosen by the library
    int output_begin;                   // the first picture's number
    const char *memory_text, *max_vram; // as given
    uint64_t memory_budget;             // as struct fum_pipeline_params has it
    bool vae_tiling, offload, list_devices;
    const char *noise, *save_latents, *trace, *dump_graph;
    bool no_clobber, verbose, quiet;
    const char *mode; // sd-cli's; the one that is supported
};

extern const struct cli_option generate_option_table[];

// Every field at its default.
struct generate_options generate_options_default(void);

// Checks what concerns several options and fills in what follows from them. argv[0..argc) are the
// arguments beside the options. Returns -1 to go on, else an exit status.
int generate_options_check(const struct cli_command *command, struct generate_options *options,
                           int argc, char **argv);

#endif
