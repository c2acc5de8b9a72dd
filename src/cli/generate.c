// SPDX-License-Identifier: MIT
// fumarole generate: a prompt in, pictures out.
#include "adapters.h"
#include "generate_options.h"
#include "output.h"
#include "progress.h"
#include "results.h"
#include "trace.h"
#include "vector_width.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PROMPT_BYTES = 1 << 20, MAX_SUGGESTIONS = 4 };

// One run of the command: everything it opens, and what the callbacks need.
struct job {
    const struct cli_command *command;
    struct generate_options options;
    char *prompt_text, *negative_text; // freed at the end
    fum_device *device;
    fum_model *model;
    fum_pipeline *pipeline;
    struct cli_trace trace;
    struct fum_log log;
    struct cli_progress progress;
    float *noise;
    int noise_shape[4];
    float *step_noise;
    int step_noise_shape[5];
    struct cli_adapters adapters;
    struct generate_results results;
    int graphs_dumped;
    double started;
    int step, steps; // done of the picture that is being made
    int status;      // of what a callback did
};

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

static int read_prompts(struct job *job) {
    struct generate_options *options = &job->options;
    int status = read_prompt(options->prompt_file, &options->picture.prompt, &job->prompt_text);
    if (status == 0)
        status =
            read_prompt(options->negative_file, &options->picture.negative, &job->negative_text);
    return status;
}

// Draws a random seed from the clock and reports it, so that the picture can be made again.
static void choose_seed(struct cli_seed *seed) {
    if (!seed->random) return;
    uint64_t nanoseconds = (uint64_t)(fum_time_now() * 1e9);
    uint64_t mixed =
        ((uint64_t)time(NULL) * 1000000007u + nanoseconds) * UINT64_C(0x9e3779b97f4a7c15);
    seed->value = mixed >> 33;
    fprintf(stderr, "Random seed: %llu\n", (unsigned long long)seed->value);
}

static int check_outputs(const struct cli_command *command,
                         const struct generate_options *options) {
    struct cli_outputs outputs = {.command = command, .no_clobber = options->no_clobber};
    int status = cli_output_check_pattern(command, options->output);
    int files = options->columns ? 1 : options->picture.count;
    if (options->invert) files = 0;
    for (int i = 0; status == 0 && i < files; i++) {
        char *name = cli_output_name(options->output, i, options->output_begin + i);
        status = name ? cli_outputs_add(&outputs, name) : cli_fail("out of memory");
        free(name);
    }
    if (status == 0) status = cli_outputs_add(&outputs, options->save_latents);
    if (status == 0) status = cli_outputs_add(&outputs, options->trace);
    char *graph =
        status == 0 && options->dump_graph ? cli_join(options->dump_graph, "00.txt") : NULL;
    if (status == 0)
        status = options->dump_graph && !graph ? cli_fail("out of memory")
                                               : cli_outputs_add(&outputs, graph);
    free(graph);
    return cli_outputs_check(&outputs, status);
}

static int read_noise(struct job *job) {
    struct fum_error err = {0};
    enum fum_result result = FUM_OK;
    if (job->options.noise)
        result = fum_noise_read(job->options.noise, &job->noise, job->noise_shape, &err);
    if (result == FUM_OK && job->options.step_noise)
        result = fum_step_noise_read(job->options.step_noise, &job->step_noise,
                                     job->step_noise_shape, &err);
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

// Prints one line when the model knows hardly any word of the prompt.
static void suggest(const struct job *job) {
    const char *suggestions[MAX_SUGGESTIONS];
    char unknown[200];
    if (!job->options.picture.prompt) return;
    if (!fum_model_unknown_words(job->model, job->options.picture.prompt, unknown, sizeof unknown))
        return;
    int count =
        fum_model_suggest(job->model, job->options.picture.prompt, suggestions, MAX_SUGGESTIONS);
    cli_put(stderr, "fumarole: the model %s does not know: %s",
            fum_model_get_info(job->model)->name, unknown);
    for (int i = 0; i < count; i++) cli_put(stderr, "%s \"%s\"", i ? "," : "; try", suggestions[i]);
    fputc('\n', stderr);
}

static bool on_load(void *user, const char *component, uint64_t done, uint64_t total) {
    struct job *job = user;
    cli_progress_load(&job->progress, component, done, total, job->options.verbose);
    return !cli_interrupted();
}

static bool on_compile(void *user, const char *component, int done, int total) {
    struct job *job = user;
    cli_progress_compile(&job->progress, component, done, total, job->options.verbose);
    return !cli_interrupted();
}

// Writes "step" or "picture 2/3, step".
static void name_work(const struct job *job, int image, const char *work, char *text, size_t size) {
    if (job->options.picture.count > 1)
        snprintf(text, size, "picture %d/%d, %s", image + 1, job->options.picture.count, work);
    else
        snprintf(text, size, "%s", work);
}

static bool on_step(void *user, int image, int step, int steps) {
    struct job *job = user;
    struct fum_pipeline_stats stats;
    int later = job->options.picture.count - image - 1; // pictures
    char what[48];
    name_work(job, image, "step", what, sizeof what);
    fum_pipeline_get_stats(job->pipeline, &stats);
    job->step = step;
    job->steps = steps;
    job->progress.step_seconds = stats.step_seconds;
    job->progress.later_seconds = (later + 1) * stats.decode_seconds;
    cli_progress_step(&job->progress, what, step, steps, (long)later * steps);
    return !cli_interrupted();
}

// Returns the seconds from the finished pieces of a step or a decoding to the end of everything; 0:
// not known yet.
static double time_left(const struct job *job, enum fum_work work, int image, double done) {
    struct fum_pipeline_stats stats;
    fum_pipeline_get_stats(job->pipeline, &stats);
    int later = job->options.picture.count - image - 1;
    double steps = (double)later * job->steps, decodes = later + 1 - done;
    if (work == FUM_WORK_STEP) {
        steps += job->steps - job->step - done;
        decodes = later + 1;
    }
    return stats.step_seconds > 0 ? steps * stats.step_seconds + decodes * stats.decode_seconds : 0;
}

static bool on_work(void *user, enum fum_work work, int image, int done, int total) {
    struct job *job = user;
    char text[32], what[64];
    bool decodes = work == FUM_WORK_DECODE;
    if (job->step == job->steps && !decodes) job->step = 0; // of the next picture
    if (decodes)
        snprintf(text, sizeof text, "decoding");
    else
        snprintf(text, sizeof text, "step %d", job->step + 1);
    name_work(job, image, text, what, sizeof what);
    struct cli_pieces pieces = {
        .what = what, .done = done, .total = total, .interval = decodes ? 1 : 10};
    pieces.left = time_left(job, work, image, (double)done / total);
    if (total > 1 || decodes) cli_progress_pieces(&job->progress, &pieces);
    return !cli_interrupted();
}

static void write_text(struct job *job, const char *component, const char *pass, const char *suffix,
                       const char *text) {
    if (!text || job->status) return;
    size_t size =
        strlen(job->options.dump_graph) + strlen(component) + strlen(pass) + strlen(suffix) + 32;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%02d-%s-%s.%s", job->options.dump_graph, job->graphs_dumped,
                 component, pass, suffix);
    job->status = path ? cli_output_save_text(path, text) : cli_fail("out of memory");
    free(path);
}

static void on_graph(void *user, const char *component, const char *pass, const char *text,
                     const char *dot) {
    struct job *job = user;
    write_text(job, component, pass, "txt", text);
    write_text(job, component, pass, "dot", dot);
    job->graphs_dumped++;
}

static bool on_image(void *user, const struct fum_image *image) {
    struct job *job = user;
    cli_progress_clear(&job->progress);
    job->status = generate_results_add(&job->results, image);
    return job->status == 0 && !cli_interrupted();
}

// Returns a rough count of the floating-point operations of all steps, from the UNet's parameters.
// SD1.5 has 860 M of them, and its evaluation of 64 × 64 latent pixels takes 803 GFLOP.
static double run_flops(const struct job *job) {
    const struct fum_model_info *info = fum_model_get_info(job->model);
    const struct fum_generate_params *picture = &job->options.picture;
    struct fum_component_info component;
    double parameters = 0;
    for (int i = 0; fum_model_get_component(job->model, i, &component); i++)
        if (strcmp(component.name, "unet") == 0) parameters = (double)component.parameters;
    double width = picture->width ? picture->width : info->width;
    double height = picture->height ? picture->height : info->height;
    double pixels = width * height / info->size_multiple / info->size_multiple;
    return 0.23 * parameters * pixels * 2 * (picture->steps ? picture->steps : info->steps) *
           picture->count;
}

static int open_model(struct job *job) {
    struct fum_error err = {0};
    char program_dir[CLI_PATH_BYTES];
    struct fum_model_params params = {.path = job->options.model,
                                      .program_dir = cli_program_dir(program_dir),
                                      .prediction = job->options.prediction,
                                      .embeddings_dir = job->options.embeddings_dir,
                                      .log = &job->log};
    enum fum_result result = fum_model_open(&job->model, &params, &err);
    if (result == FUM_ERR_IO && !params.path) return cli_fail("%s; name a model with -m", err.text);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    const struct fum_model_info *info = fum_model_get_info(job->model);
    if (info->unusable) return cli_fail("%s", info->unusable);
    const struct fum_generate_params *picture = &job->options.picture;
    if (info->takes_prompt && !picture->prompt && !job->options.invert)
        return generate_options_no_prompt(job->command);
    if (!info->takes_prompt && (picture->prompt || picture->negative))
        return cli_misuse(job->command, "the model %s takes no prompt; leave it out", info->name);
    return 0;
}

// Opens the model, the device and the pipeline.
static int open_all(struct job *job) {
    struct fum_error err = {0};
    int status = open_model(job);
    if (status) return status;
    suggest(job);
    cli_choose_vector_width(run_flops(job), &job->log);
    job->device = cli_open_device(job->options.device, &job->log, &status);
    if (job->device) status = cli_force_variant(job->device, job->options.variant);
    if (!job->device || status) return status;
    if (job->options.trace) status = cli_trace_begin(&job->trace, job->options.trace, job->device);
    if (status) return status;
    struct fum_pipeline_params params = job->options.pipeline;
    params.log = &job->log;
    params.on_load = on_load;
    params.on_compile = on_compile;
    params.on_graph = job->options.dump_graph ? on_graph : NULL;
    params.user = job;
    enum fum_result result =
        fum_pipeline_create(&job->pipeline, job->device, job->model, &params, &err);
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

static int generate(struct job *job) {
    struct fum_error err = {0};
    struct fum_generate_params params = job->options.picture;
    params.seed = job->options.seed.value;
    params.noise = job->noise;
    params.step_noise = job->step_noise;
    params.adapters = job->adapters.list;
    params.num_adapters = job->adapters.count;
    job->results = (struct generate_results){
        .options = &job->options,
        .device = fum_device_get_info(job->device)->name,
        .started = job->started,
        .grid = {.columns = job->options.columns, .rows = job->options.rows}};
    params.on_step = on_step;
    params.on_work = on_work;
    params.on_image = on_image;
    params.user = job;
    memcpy(params.noise_shape, job->noise_shape, sizeof params.noise_shape);
    memcpy(params.step_noise_shape, job->step_noise_shape, sizeof params.step_noise_shape);
    cli_progress_begin(&job->progress, job->options.quiet);
    const char *picture = job->options.invert;
    enum fum_result result = picture ? fum_invert(job->pipeline, &params, picture, &err)
                                     : fum_generate(job->pipeline, &params, &err);
    cli_progress_clear(&job->progress);
    if (cli_interrupted() && result == FUM_OK) result = FUM_ERR_CANCELLED;
    if (job->status == 0 && result != FUM_OK) // a callback that fails says why itself
        job->status = cli_fail_result(result, &err);
    return generate_results_end(&job->results, job->status);
}

static void print_stats(const struct job *job) {
    struct fum_pipeline_stats stats;
    fum_pipeline_get_stats(job->pipeline, &stats);
    const struct fum_executable_stats *unet = &stats.unet;
    fprintf(stderr,
            "A step: %.3f s (median), %d dispatches, %d barriers, %.2f GFLOP; peak device memory "
            "%.1f MiB\n",
            stats.step_seconds, unet->dispatches[FUM_STAGE_STEP], unet->barriers[FUM_STAGE_STEP],
            unet->flops[FUM_STAGE_STEP] / 1e9, (double)stats.memory_peak / (1 << 20));
    fprintf(stderr,
            "Compiling %d kernels: %.2f s; loading: %.2f s; prompts: %.2f s; decoding a picture: "
            "%.2f s\n",
            stats.kernels, stats.compile_seconds, stats.load_seconds, stats.prompt_seconds,
            stats.decode_seconds);
}

static void close_all(struct job *job) {
    fum_pipeline_destroy(&job->pipeline);
    fum_device_destroy(&job->device);
    fum_model_destroy(&job->model);
    fum_noise_free(&job->noise);
    fum_noise_free(&job->step_noise);
    generate_results_free(&job->results);
    cli_adapters_free(&job->adapters);
    free(job->prompt_text);
    free(job->negative_text);
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct job job = {
        .command = command, .options = generate_options_default(), .started = fum_time_now()};
    int status = cli_read_options(command, &argc, argv, &job.options);
    if (status < 0 && job.options.list_devices) return cli_devices.run(&cli_devices, 0, argv);
    if (status < 0) status = generate_options_check(command, &job.options, argc, argv);
    if (status >= 0) return status;

    job.log = cli_log(job.options.verbose);
    status = read_prompts(&job);
    if (status == 0) status = check_outputs(command, &job.options);
    if (status == 0) status = read_noise(&job);
    if (status == 0 && !cli_adapters_read(&job.adapters, &job.options.lora))
        status = cli_fail("out of memory");
    if (status == 0) {
        cli_catch_interrupt();
        choose_seed(&job.options.seed);
        status = open_all(&job);
    }
    if (status == 0) status = generate(&job);
    if (status == 0 && job.options.verbose) print_stats(&job);
    if (job.trace.file) {
        int trace_status = cli_trace_end(&job.trace, job.device);
        status = status ? status : trace_status;
    }
    close_all(&job);
    return status && cli_interrupted() ? cli_interrupted_status() : status;
}

const struct cli_command cli_generate = {
    .name = "generate",
    .arguments = "[OPTIONS] [PROMPT]",
    .summary = "a prompt in, a picture out",
    .details = "A model that was trained without texts takes no prompt. With -b, the second "
               "picture is output_2.png, or what a %d in the name makes of it. "
               "Options of sd-cli that change nothing here are accepted with a note.\n",
    .foreign = &cli_foreign_generate,
    .options = generate_option_table,
    .run = run,
};
