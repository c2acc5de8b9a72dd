// The options of `fumarole generate`.
#ifndef FUM_CLI_GENERATE_OPTIONS_H
#define FUM_CLI_GENERATE_OPTIONS_H

#include "cli.h"

struct generate_options {
    const char *model, *prompt, *prompt_file, *negative, *output;
    int width, height, steps, count; // 0: the model's own (count: 1)
    double guidance;                 // negative: the model's own
    int64_t seed;                    // -1: random
    const char *sampler, *schedule, *spacing, *prediction, *rng, *precision, *type, *device, *variant;
    double eta;
    int clip_skip; // 0: the model's own
    const char *memory_text; // as given
    uint64_t memory_budget;  // as struct fum_pipeline_params has it
    bool vae_tiling;
    const char *noise, *save_latents, *trace, *dump_graph;
    bool verbose, quiet;
    const char *mode; // sd-cli's, of which there is one
    bool ignored;
};

extern const struct cli_option generate_option_table[];

// Every field at its default.
struct generate_options generate_options_default(void);

// What a table cannot check: names of samplers and schedules, a prompt from one place only. Returns -1 or an exit
// status. `argument` is the bare argument or NULL.
int generate_options_check(const struct cli_command *command, struct generate_options *options, int argc, char **argv);

#endif
