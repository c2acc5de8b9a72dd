// SPDX-License-Identifier: MIT
// Declares the options of `fumarole generate`.
#ifndef FUM_CLI_GENERATE_OPTIONS_H
#define FUM_CLI_GENERATE_OPTIONS_H

#include "cli.h"
#include "controls.h"

#include <fumarole/pipeline.h>

// The library's structures are filled in by the table; what the program adds to them, such as
// callbacks, it fills in later.
struct generate_options {
    struct fum_generate_params picture;
    struct fum_pipeline_params pipeline;
    struct fum_model_params parts; // what is given apart from the model
    const char *model, *prediction, *embeddings_dir, *device, *variant;
    const char *prompt_file, *negative_file, *output;
    const char *noise, *step_noise, *save_latents, *trace, *dump_graph;
    const char *outpaint;      // as given
    const char *from_png;      // a picture to draw again; NULL: none
    const char *invert;        // a picture whose noise is looked for; NULL: none
    const char *upscale_model; // enlarges the pictures; NULL: none does
    int upscale_tile, upscale_repeats;
    const char *preview_path;
    const char *interval;  // of --cfg-interval, as given
    const char *grid_text; // as given
    int columns, rows;     // of --grid; 0: every picture is a file
    struct cli_list lora;  // as given
    struct cli_control_options control;
    const char *prompts_file, *xy;
    const char *sigmas; // as given
    bool two_passes;    // --hires
    struct fum_hires_params hires;
    const char *cache_option;              // as given
    const char *freeu;                     // as given
    bool circular, circular_x, circular_y; // sd-cli's spellings of --seamless
    struct cli_seed seed, subseed;
    int type;                           // index of the name in the table
    int sampler_rng;                    // as picture.rng; -1: not given
    int output_begin;                   // the first picture's number
    int mode;                           // sd-cli's; all that are accepted mean the same
    const char *memory_text, *max_vram; // as given
    bool offload, list_devices, no_clobber, verbose, quiet;
};

extern const struct cli_option generate_option_table[];

// True if each line of --prompts-file may set the option: it is not of the model, the device, or
// the whole run.
bool generate_option_is_of_request(const struct cli_option *option);

// Returns the options with every field at its default.
struct generate_options generate_options_default(void);

// Checks what concerns several options and resolves defaults to those of the library. argv[0..argc)
// are the arguments beside the options. Returns -1 to go on, else an exit status.
int generate_options_check(const struct cli_command *command, struct generate_options *options,
                           int argc, char **argv);

// Checks the options about pictures that are given, and reads --outpaint. Returns -1 to go on, else
// an exit status.
int generate_options_check_pictures(const struct cli_command *command,
                                    struct generate_options *options);

// Reads options that change the networks (changes.c), the later ones as generate_options_check.
void generate_options_add_seamless(struct generate_options *options);
int generate_options_read_cache(const struct cli_command *command,
                                struct generate_options *options);
int generate_options_read_freeu(const struct cli_command *command,
                                struct generate_options *options);

// Reports that a prompt is missing. Returns the exit status.
int generate_options_no_prompt(const struct cli_command *command);

#endif
