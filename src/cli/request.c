// SPDX-License-Identifier: MIT
#include "request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PROMPT_BYTES = 1 << 20 };

// Replaces *prompt by the text of a file that one of the options names, if it does.
static int read_prompt(const char *path, const char **prompt, char **text) {
    size_t bytes = 0;
    if (!path) return 0;
    *text = cli_read_text(strcmp(path, "-") == 0 ? NULL : path, MAX_PROMPT_BYTES, &bytes);
    if (!*text) return CLI_FAILED;
    if (strlen(*text) != bytes)
        return cli_fail("%s: holds a NUL byte; a prompt file is plain UTF-8 text", path);
    if (cli_trim_newline(*text, bytes) == 0)
        return cli_fail("%s: is empty; it should hold the prompt", path);
    *prompt = *text;
    return 0;
}

// Draws a random seed from the clock and reports it, so that the picture can be made again.
static void choose_seed(struct cli_seed *seed, const char *name) {
    if (!seed->random) return;
    uint64_t nanoseconds = (uint64_t)(fum_time_now() * 1e9);
    uint64_t mixed =
        ((uint64_t)time(NULL) * 1000000007u + nanoseconds) * UINT64_C(0x9e3779b97f4a7c15);
    *seed = (struct cli_seed){.value = mixed >> 33};
    fprintf(stderr, "Random %s: %llu\n", name, (unsigned long long)seed->value);
}

static int read_noise(struct generate_request *request) {
    const struct generate_options *options = &request->options;
    struct fum_error err = {0};
    enum fum_result result = FUM_OK;
    if (options->noise)
        result = fum_noise_read(options->noise, &request->noise, request->noise_shape, &err);
    if (result == FUM_OK && options->step_noise)
        result = fum_step_noise_read(options->step_noise, &request->step_noise,
                                     request->step_noise_shape, &err);
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

// Reads "14.6,7.8,3.5,0", also in brackets as sd-cli allows.
static int read_sigmas(struct generate_request *request) {
    const char *given = request->options.sigmas, *text = given;
    if (!text) return 0;
    size_t room = strlen(text) / 2 + 1; // a value takes two letters at least, but for the last
    bool bracket = *text == '[';
    request->sigmas = malloc(room * sizeof *request->sigmas);
    if (!request->sigmas) return cli_fail("out of memory");
    text += bracket;
    for (bool more = true; more;) {
        char *end;
        double value = strtod(text, &end);
        bool read = end != text && isfinite(value) && (size_t)request->num_sigmas < room;
        text = end + strspn(end, " ");
        more = *text == ',';
        if (!read || (!more && strcmp(text, bracket ? "]" : "") != 0))
            return cli_misuse(&cli_generate,
                              "--sigmas needs numbers such as 14.6,7.8,3.5,0, not \"%s\"",
                              cli_show(given).text);
        request->sigmas[request->num_sigmas++] = value;
        text += more;
    }
    return 0;
}

int generate_request_read(struct generate_request *request) {
    struct generate_options *options = &request->options;
    struct fum_generate_params *picture = &options->picture;
    int status = read_prompt(options->prompt_file, &picture->prompt, &request->prompt_text);
    if (status == 0)
        status = read_prompt(options->negative_file, &picture->negative, &request->negative_text);
    if (status == 0) status = read_noise(request);
    if (status == 0) status = read_sigmas(request);
    if (status == 0 && !cli_adapters_read(&request->adapters, &options->lora))
        status = cli_fail("out of memory");
    if (status == 0)
        status = cli_controls_read(&request->controls, &cli_generate, &options->control);
    if (status == 0) choose_seed(&options->seed, "seed");
    if (status == 0 && picture->subseed_strength > 0) choose_seed(&options->subseed, "subseed");
    return status;
}

// Adds the files of --save-control, which those of later requests replace.
static int add_control_outputs(const struct generate_request *request,
                               struct cli_outputs *outputs) {
    const char *save = request->options.control.save;
    if (!save) return 0;
    int status = cli_output_check_pattern(outputs->command, "save-control", save);
    for (int i = 0; i < request->controls.count && status == 0; i++) {
        char *name = cli_output_name(save, i, i + 1);
        status = name ? cli_outputs_add_replaced(outputs, name, "save-control")
                      : cli_fail("out of memory");
        free(name);
    }
    return status;
}

// Adds the file of previews, which those of later pictures and requests replace.
static int add_preview_output(const struct generate_request *request, struct cli_outputs *outputs) {
    const char *path = request->options.preview_path;
    if (request->options.picture.preview == FUM_PREVIEW_NONE) return 0;
    int status = cli_output_check_pattern(outputs->command, "preview-path", path);
    return status ? status : cli_outputs_add_replaced(outputs, path, "preview-path");
}

int generate_request_add_side_outputs(const struct generate_request *request,
                                      struct cli_outputs *outputs) {
    int status = add_control_outputs(request, outputs);
    return status ? status : add_preview_output(request, outputs);
}

int generate_request_add_outputs(const struct generate_request *request,
                                 struct cli_outputs *outputs) {
    const struct generate_options *options = &request->options;
    int status = cli_output_check_pattern(outputs->command, "output", options->output);
    int files = options->columns ? 1 : options->picture.count;
    if (options->invert) files = 0;
    for (int i = 0; status == 0 && i < files; i++) {
        int index = request->before + i;
        char *name = cli_output_name(options->output, index, options->output_begin + index);
        status = name ? cli_outputs_add(outputs, name) : cli_fail("out of memory");
        free(name);
    }
    return status ? status : cli_outputs_add(outputs, options->save_latents);
}

struct fum_generate_params generate_request_params(const struct generate_request *request) {
    struct fum_generate_params params = request->options.picture;
    params.seed = request->options.seed.value;
    params.subseed = request->options.subseed.value;
    params.noise = request->noise;
    params.step_noise = request->step_noise;
    if (request->options.two_passes) params.hires = &request->options.hires;
    params.sigmas = request->sigmas;
    params.num_sigmas = request->num_sigmas;
    params.adapters = request->adapters.list;
    params.num_adapters = request->adapters.count;
    params.controls = request->controls.list;
    params.num_controls = request->controls.count;
    memcpy(params.noise_shape, request->noise_shape, sizeof params.noise_shape);
    memcpy(params.step_noise_shape, request->step_noise_shape, sizeof params.step_noise_shape);
    return params;
}

void generate_request_free(struct generate_request *request) {
    fum_noise_free(&request->noise);
    fum_noise_free(&request->step_noise);
    cli_adapters_free(&request->adapters);
    free(request->sigmas);
    free(request->prompt_text);
    free(request->negative_text);
}
