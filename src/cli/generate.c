// SPDX-License-Identifier: MIT
// fumarole generate: a prompt in, pictures out.
#include "cpu_driver.h"
#include "engine.h"
#include "progress.h"
#include "recipe.h"
#include "results.h"
#include "trace.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SUGGESTIONS = 4 };

// One run of the command: everything it opens, and what the callbacks need.
struct job {
    const struct cli_command *command;
    struct generate_requests requests;
    struct generate_options options; // of the request that is being drawn
    int pictures, done;              // of all requests; before this one
    struct cli_engine engine;
    struct cli_trace trace;
    struct fum_log log;
    struct cli_progress progress;
    struct generate_results results;
    struct cli_sheet sheet; // of --xy
    int graphs_dumped;
    double started;
    int step, steps;    // done of the picture that is being made
    int status;         // of what a callback did
    int preview_status; // of writing previews, whose loss does not end the run
};

static int check_outputs(const struct generate_requests *requests) {
    const struct generate_options *options = &requests->options;
    struct cli_outputs outputs = {.command = requests->command, .no_clobber = options->no_clobber};
    size_t files = options->xy ? 1 : requests->count; // all cells are in one file
    int status = 0;
    for (size_t i = 0; i < files && status == 0; i++)
        status = generate_request_add_outputs(&requests->list[i], &outputs);
    for (size_t i = 0; i < requests->count && status == 0; i++)
        status = generate_request_add_side_outputs(&requests->list[i], &outputs);
    if (status == 0) status = cli_outputs_add(&outputs, options->trace);
    char *graph =
        status == 0 && options->dump_graph ? cli_join(options->dump_graph, "00.txt") : NULL;
    if (status == 0)
        status = options->dump_graph && !graph ? cli_fail("out of memory")
                                               : cli_outputs_add(&outputs, graph);
    free(graph);
    return cli_outputs_check(&outputs, status);
}

// Prints one line when the model knows hardly any word of the prompt.
static void suggest(const struct job *job, const char *prompt) {
    const char *suggestions[MAX_SUGGESTIONS];
    char unknown[200];
    if (!prompt || !fum_model_unknown_words(job->engine.model, prompt, unknown, sizeof unknown))
        return;
    int count = fum_model_suggest(job->engine.model, prompt, suggestions, MAX_SUGGESTIONS);
    cli_put(stderr, "fumarole: the model %s does not know: %s",
            fum_model_get_info(job->engine.model)->name, unknown);
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
    if (job->pictures > 1)
        snprintf(text, size, "picture %d/%d, %s", job->done + image + 1, job->pictures, work);
    else
        snprintf(text, size, "%s", work);
}

static bool on_step(void *user, int image, int step, int steps) {
    struct job *job = user;
    struct fum_pipeline_stats stats;
    int later = job->pictures - job->done - image - 1; // pictures
    char what[48];
    name_work(job, image, "step", what, sizeof what);
    fum_pipeline_get_stats(job->engine.pipeline, &stats);
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
    fum_pipeline_get_stats(job->engine.pipeline, &stats);
    int later = job->pictures - job->done - image - 1;
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

static bool on_tile(void *user, int done, int total) {
    struct job *job = user;
    const struct cli_pieces pieces = {
        .what = "enlarging", .done = done, .total = total, .interval = 10};
    if (total > 1) cli_progress_pieces(&job->progress, &pieces);
    return !cli_interrupted();
}

static bool on_large(void *user, const struct fum_image *image) {
    struct job *job = user;
    cli_progress_clear(&job->progress);
    job->status = generate_results_add(&job->results, image);
    return job->status == 0;
}

static void enlarge(struct job *job, const struct fum_image *image) {
    struct fum_error err = {0};
    const struct cli_enlargement enlargement = {image, on_tile, on_large, job};
    enum fum_result result = cli_engine_enlarge(&job->engine, &job->options, &enlargement, &err);
    if (job->status == 0 && result != FUM_OK) job->status = cli_fail_result(result, &err);
}

static enum fum_result save_preview(const void *image, const char *path, struct fum_error *err) {
    return fum_image_save(image, path, err);
}

static bool on_preview(void *user, const struct fum_image *image, int step) {
    struct job *job = user;
    (void)step;
    if (job->preview_status == 0)
        job->preview_status =
            cli_output_save(job->options.preview_path, &(struct cli_result){save_preview, image});
    return !cli_interrupted();
}

static bool on_image(void *user, const struct fum_image *image) {
    struct job *job = user;
    cli_progress_clear(&job->progress);
    if (job->engine.upscaler && image->pixels)
        enlarge(job, image);
    else
        job->status = generate_results_add(&job->results, image);
    return job->status == 0 && !cli_interrupted();
}

// Counts the operations of all requests, and those of the largest step.
static struct cli_run_flops run_flops(const struct job *job) {
    struct cli_run_flops flops = {0};
    for (size_t i = 0; i < job->requests.count; i++) {
        const struct fum_generate_params *picture = &job->requests.list[i].options.picture;
        double step = cli_engine_step_flops(&job->engine, picture);
        int steps = picture->steps ? picture->steps : fum_model_get_info(job->engine.model)->steps;
        flops.run += step * steps * picture->count;
        if (step > flops.step) flops.step = step;
    }
    return flops;
}

// Checks that every request has a prompt if the model takes one, and none if not.
static int check_prompts(const struct job *job) {
    const struct fum_model_info *info = fum_model_get_info(job->engine.model);
    for (size_t i = 0; i < job->requests.count; i++) {
        const struct generate_options *options = &job->requests.list[i].options;
        const struct fum_generate_params *picture = &options->picture;
        if (info->takes_prompt && !picture->prompt && !options->invert)
            return generate_options_no_prompt(job->command);
        if (!info->takes_prompt && (picture->prompt || picture->negative))
            return cli_misuse(job->command, "the model %s takes no prompt; leave it out",
                              info->name);
        if (i == 0 || picture->prompt != job->requests.list[i - 1].options.picture.prompt)
            suggest(job, picture->prompt);
    }
    return 0;
}

static int open_model(struct job *job) {
    struct fum_error err = {0};
    const char *hash = job->requests.model_hash, *path = job->requests.options.model;
    enum fum_result result =
        cli_engine_open_model(&job->engine, &job->requests.options, hash, &job->log, &err);
    if (result == FUM_ERR_IO && *hash) return cli_fail("%s; name it with -m", err.text);
    if (result == FUM_ERR_IO && !path) return cli_fail("%s; name a model with -m", err.text);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    const struct fum_model_info *info = fum_model_get_info(job->engine.model);
    return info->unusable ? cli_fail("%s", info->unusable) : check_prompts(job);
}

static enum fum_result save_image(const void *image, const char *path, struct fum_error *err) {
    return fum_image_save(image, path, err);
}

// Writes the picture of a ControlNet.
static bool on_control(void *user, const struct fum_image *image) {
    struct job *job = user;
    char *name = cli_output_name(job->options.control.save, image->index, image->index + 1);
    job->status = name ? cli_output_save(name, &(struct cli_result){save_image, image})
                       : cli_fail("out of memory");
    free(name);
    return job->status == 0;
}

// Opens the model, the device and the pipeline.
static int open_all(struct job *job) {
    struct fum_error err = {0};
    const struct generate_options *options = &job->requests.options;
    int status = open_model(job);
    if (status) return status;
    cli_prepare_cpu_driver(run_flops(job), &job->log);
    job->engine.device = cli_open_device(options->device, &job->log, &status);
    if (job->engine.device) status = cli_force_variant(job->engine.device, options->variant);
    if (!job->engine.device || status) return status;
    if (options->trace) status = cli_trace_begin(&job->trace, options->trace, job->engine.device);
    if (status) return status;
    const struct fum_pipeline_params callbacks = {.log = &job->log,
                                                  .on_load = on_load,
                                                  .on_compile = on_compile,
                                                  .on_graph = options->dump_graph ? on_graph : NULL,
                                                  .user = job};
    enum fum_result result = cli_engine_open_pipeline(&job->engine, options, &callbacks, &err);
    if (result == FUM_OK) result = cli_engine_open_upscaler(&job->engine, options, &job->log, &err);
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

// Draws the pictures of a request.
static int draw(struct job *job, const struct generate_request *request) {
    struct fum_error err = {0};
    struct fum_generate_params params = generate_request_params(request);
    job->options = request->options;
    job->results = (struct generate_results){
        .request = request,
        .sheet = request->options.xy ? &job->sheet : NULL,
        .cell = job->done,
        .pipeline = job->engine.pipeline,
        .device = fum_device_get_info(job->engine.device)->name,
        .started = job->started,
        .grid = {.columns = request->options.columns, .rows = request->options.rows}};
    params.on_step = on_step;
    params.on_work = on_work;
    params.on_image = on_image;
    params.on_preview = on_preview;
    params.on_control = request->options.control.save ? on_control : NULL;
    params.user = job;
    const char *picture = request->options.invert;
    enum fum_result result = picture ? fum_invert(job->engine.pipeline, &params, picture, &err)
                                     : fum_generate(job->engine.pipeline, &params, &err);
    cli_progress_clear(&job->progress);
    if (cli_interrupted() && result == FUM_OK) result = FUM_ERR_CANCELLED;
    if (job->status == 0 && result != FUM_OK) // a callback that fails says why itself
        job->status = cli_fail_result(result, &err);
    job->done += params.count;
    return generate_results_end(&job->results, job->status);
}

// Draws all requests. What was drawn when one fails is kept.
static int draw_all(struct job *job) {
    int status = 0;
    cli_progress_begin(&job->progress, job->requests.options.quiet);
    for (size_t i = 0; i < job->requests.count && status == 0; i++) {
        if (i > 0) generate_results_free(&job->results);
        if (job->requests.count > 1) job->started = i > 0 ? fum_time_now() : job->started;
        status = draw(job, &job->requests.list[i]);
    }
    if (job->requests.options.xy) status = generate_results_sheet(&job->results, status);
    return status ? status : job->preview_status;
}

static void print_stats(const struct job *job) {
    struct fum_pipeline_stats stats;
    fum_pipeline_get_stats(job->engine.pipeline, &stats);
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
    cli_engine_close(&job->engine);
    fum_device_destroy(&job->engine.device);
    generate_results_free(&job->results);
    cli_sheet_free(&job->sheet);
    generate_requests_free(&job->requests);
}

// Parses the options. Those of --from-png come first, so that the command line changes them.
static int read_options(struct generate_requests *requests, int *argc, char **argv) {
    struct generate_options *options = &requests->options;
    int count = *argc, status;
    char **copy = malloc(((size_t)count + 1) * sizeof *copy);
    if (!copy) return cli_fail("out of memory");
    memcpy(copy, argv, ((size_t)count + 1) * sizeof *copy);
    status = cli_read_options(requests->command, argc, argv, options);
    const char *picture = options->from_png;
    if (status < 0 && picture) {
        *options = generate_options_default();
        status = cli_recipe_read(requests, picture);
        status = status ? status : -1;
    }
    if (status < 0 && picture) {
        memcpy(argv, copy, ((size_t)count + 1) * sizeof *copy);
        *argc = count;
        status = cli_read_options(requests->command, argc, argv, options);
        if (*argc) options->picture.prompt = NULL; // a bare argument takes its place
    }
    free(copy);
    return status;
}

// Opens everything, and draws.
static int work(struct job *job) {
    const struct generate_options *options = &job->requests.options;
    job->log = cli_log(options->verbose);
    job->pictures = generate_requests_pictures(&job->requests);
    job->sheet.axes = job->requests.axes;
    cli_catch_interrupt();
    int status = open_all(job);
    if (status == 0) status = draw_all(job);
    if (status == 0 && options->verbose) print_stats(job);
    if (!job->trace.file) return status;
    int trace_status = cli_trace_end(&job->trace, job->engine.device);
    return status ? status : trace_status;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct job job = {.command = command,
                      .requests = {.command = command, .options = generate_options_default()},
                      .started = fum_time_now()};
    // -1 to go on: after --help and --version there is no work.
    int status = read_options(&job.requests, &argc, argv);
    if (status < 0 && job.requests.options.list_devices)
        status = cli_devices.run(&cli_devices, 0, argv);
    else if (status < 0)
        status = generate_requests_make(&job.requests, argc, argv);
    if (status < 0) {
        status = check_outputs(&job.requests);
        if (status == 0) status = work(&job);
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
