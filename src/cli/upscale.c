// SPDX-License-Identifier: MIT
// fumarole upscale: small pictures in, large pictures out.
#include "cli.h"
#include "cpu_driver.h"
#include "output.h"
#include "progress.h"

#include <fumarole/upscale.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_TILE = 1 << 14, MAX_REPEATS = 8 };

struct upscale_options {
    const char *model, *output, *device, *variant, *memory_text;
    enum fum_precision precision;
    int tile, repeats;
    bool no_clobber, verbose, quiet;
};

CLI_NAMES(precision_name, "auto", "f32", "f16", "bf16") // as enum fum_precision

#define FIELD(name) offsetof(struct upscale_options, name)

// clang-format off
static const struct cli_option options[] = {
    {.name = "model", .letter = 'm', .kind = CLI_PATH, .offset = FIELD(model), .value = "FILE",
     .help = "the network: ESRGAN, Real-ESRGAN (RRDB) or SRVGG compact, .pth or .safetensors"},
    {.name = "upscale-model", .kind = CLI_PATH, .offset = FIELD(model), .value = "FILE"},
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = FIELD(output), .value = "FILE",
     .help = "the large picture (default output.png); for several pictures, a folder"},
    {.name = "no-clobber", .kind = CLI_FLAG, .offset = FIELD(no_clobber),
     .help = "refuse to replace files that are there"},
    {.name = "upscale-tile-size", .kind = CLI_INT, .offset = FIELD(tile), .value = "N", .min = 0,
     .max = MAX_TILE,
     .help = "enlarge in tiles of so many pixels (default 128); 0 is what the memory holds"},
    {.name = "upscale-repeats", .kind = CLI_INT, .offset = FIELD(repeats), .value = "N", .min = 1,
     .max = MAX_REPEATS, .help = "enlarge the result again, so often in all (default 1)"},
    {.name = "memory-budget", .kind = CLI_STRING, .offset = FIELD(memory_text), .value = "BYTES",
     .help = "device memory to stay under, as 4GiB or 512MiB; auto is what is free"},
    {.name = "precision", .kind = CLI_ENUM, .offset = FIELD(precision), .value = "TYPE",
     .choice = precision_name, .help = "how values are stored (default auto):"},
    CLI_DEVICE_ROW(FIELD(device)),
    CLI_VARIANT_ROW(FIELD(variant)),
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "say more"},
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = FIELD(quiet),
     .help = "no progress"},
    {0},
};
// clang-format on

struct job {
    const struct cli_command *command;
    struct upscale_options options;
    uint64_t memory_budget;
    char **files, **outputs; // of each picture; outputs are freed at the end
    int count, index;        // index: of the picture that is being enlarged
    fum_device *device;
    fum_upscaler *upscaler;
    struct cli_progress progress;
    double started;
    int status; // of the callback
};

// ---- names of the results ----

// Returns "folder/stem.png" for a picture's file; NULL: out of memory.
static char *name_in_folder(const char *folder, const char *file) {
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file,
               *dot = strrchr(base, '.');
    size_t stem = dot && dot != base ? (size_t)(dot - base) : strlen(base),
           size = strlen(folder) + stem + sizeof "/.png";
    char *name = malloc(size);
    if (name) snprintf(name, size, "%s/%.*s.png", folder, (int)stem, base);
    return name;
}

static bool is_folder(const char *path) {
    enum fum_file_kind kind = FUM_FILE_NONE;
    size_t length = strlen(path);
    if (length > 1 && path[length - 1] == '/') return true;
    return fum_file_look(path, &kind, NULL) == FUM_OK && kind == FUM_FILE_FOLDER;
}

static int name_outputs(struct job *job) {
    const char *output = job->options.output;
    bool folder = job->count > 1 || is_folder(output);
    struct cli_outputs outputs = {.command = job->command, .no_clobber = job->options.no_clobber};
    int status = folder ? 0 : cli_output_check_pattern(job->command, "output", output);
    job->outputs = calloc((size_t)job->count, sizeof *job->outputs);
    if (!job->outputs) return cli_fail("out of memory");
    for (int i = 0; i < job->count && status == 0; i++) {
        job->outputs[i] =
            folder ? name_in_folder(output, job->files[i]) : cli_output_name(output, 0, 1);
        status = job->outputs[i] ? cli_outputs_add(&outputs, job->outputs[i])
                                 : cli_fail("out of memory");
    }
    return cli_outputs_check(&outputs, status);
}

// ---- the work ----

static enum fum_result save_image(const void *image, const char *path, struct fum_error *err) {
    return fum_image_save(image, path, err);
}

static bool on_tile(void *user, int done, int total) {
    struct job *job = user;
    struct cli_pieces pieces = {.what = "enlarging", .done = done, .total = total, .interval = 10};
    pieces.left = (fum_time_now() - job->started) * (total - done) / done;
    if (total > 1) cli_progress_pieces(&job->progress, &pieces);
    return !cli_interrupted();
}

static bool on_image(void *user, const struct fum_image *image) {
    struct job *job = user;
    const char *name = job->outputs[job->index];
    cli_progress_clear(&job->progress);
    job->status = cli_output_save(name, &(struct cli_result){save_image, image});
    if (job->status == 0)
        cli_put_line(cli_report_stream(), "%s: %d x %d, %s, on %s, %.2f s", name, image->width,
                     image->height, fum_upscaler_get_info(job->upscaler)->family,
                     fum_device_get_info(job->device)->name, fum_time_now() - job->started);
    return job->status == 0 && !cli_interrupted();
}

static int open_all(struct job *job, const struct fum_log *log) {
    const struct upscale_options *o = &job->options;
    struct fum_error err = {0};
    int status = 0;
    cli_prepare_cpu_driver((struct cli_run_flops){CLI_LONG_RUN_FLOPS, CLI_LARGE_STEP_FLOPS}, log);
    job->device = cli_open_device(o->device, log, &status);
    if (job->device) status = cli_force_variant(job->device, o->variant);
    if (!job->device || status) return status;
    const struct fum_upscaler_params params = {.path = o->model,
                                               .tile = o->tile ? o->tile : FUM_UPSCALE_TILE_AUTO,
                                               .memory_budget = job->memory_budget,
                                               .precision = o->precision,
                                               .log = log};
    enum fum_result result = fum_upscaler_create(&job->upscaler, job->device, &params, &err);
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

static int enlarge(struct job *job) {
    struct fum_error err = {0};
    struct fum_upscale_params params = {.file = job->files[job->index],
                                        .repeats = job->options.repeats,
                                        .on_tile = on_tile,
                                        .on_image = on_image,
                                        .user = job};
    job->started = fum_time_now();
    cli_progress_begin(&job->progress, job->options.quiet);
    enum fum_result result = fum_upscaler_run(job->upscaler, &params, &err);
    cli_progress_clear(&job->progress);
    if (job->status || result == FUM_OK) return job->status;
    return cli_fail_result(result, &err);
}

static int check_arguments(struct job *job) {
    const struct upscale_options *o = &job->options;
    if (!o->model)
        return cli_misuse(job->command, "no network: name its file with -m, such as an ESRGAN");
    if (job->count < 1) return cli_misuse(job->command, "name the pictures to enlarge");
    if (o->memory_text && !(job->memory_budget = cli_parse_bytes(o->memory_text)))
        return cli_misuse(job->command,
                          "--memory-budget takes auto or a size such as 4GiB, not \"%s\"",
                          cli_show(o->memory_text).text);
    return 0;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct job job = {.command = command,
                      .options = {.output = "output.png", .tile = FUM_UPSCALE_TILE, .repeats = 1}};
    int status = cli_read_options(command, &argc, argv, &job.options);
    if (status >= 0) return status;
    const struct fum_log log = cli_log(job.options.verbose);
    job.files = argv;
    job.count = argc;
    status = check_arguments(&job);
    if (status == 0) status = name_outputs(&job);
    cli_catch_interrupt();
    if (status == 0) status = open_all(&job, &log);
    for (; status == 0 && job.index < job.count; job.index++) status = enlarge(&job);
    fum_upscaler_destroy(&job.upscaler);
    fum_device_destroy(&job.device);
    for (int i = 0; job.outputs && i < job.count; i++) free(job.outputs[i]);
    free(job.outputs);
    return status && cli_interrupted() ? cli_interrupted_status() : status;
}

const struct cli_command cli_upscale = {
    .name = "upscale",
    .arguments = "-m FILE [OPTIONS] IMAGE...",
    .summary = "a picture in, a larger one out",
    .details = "Each network enlarges by its own factor, mostly 4. Transparency is enlarged to the "
               "nearest pixel, and a PNG's parameters are kept.\n",
    .options = options,
    .run = run,
};
