// SPDX-License-Identifier: MIT
// fumarole diffuse: the forward process, a picture that drowns in noise.
#include "cli.h"
#include "font.h"
#include "output.h"

#include <fumarole/pipeline.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_TIMES = 256, DEFAULT_TIMES = 10, MAX_TIMESTEPS = 100000 };

struct diffuse_options {
    const char *output, *json, *times, *schedule;
    double beta_start, beta_end;
    int timesteps, columns;
    struct cli_seed seed;
};

#define FIELD(name) offsetof(struct diffuse_options, name)

// clang-format off
static const struct cli_option options[] = {
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = FIELD(output), .value = "FILE",
     .help = "the grid of pictures, a .png (default diffuse.png)"},
    {.name = "times", .kind = CLI_STRING, .offset = FIELD(times), .value = "T,T,...",
     .help = "timesteps to show, from 0 (default: ten from the first to the last)"},
    {.name = "beta-schedule", .kind = CLI_CHOICE, .offset = FIELD(schedule), .value = "NAME",
     .choice = fum_beta_schedule_name, .help = "how the noise grows (default linear):"},
    {.name = "beta-start", .kind = CLI_REAL, .offset = FIELD(beta_start), .value = "F", .min = 0,
     .max = 0.999, .help = "the first beta (0.0001)"},
    {.name = "beta-end", .kind = CLI_REAL, .offset = FIELD(beta_end), .value = "F", .min = 0,
     .max = 0.999, .help = "the last beta (0.02)"},
    {.name = "timesteps", .kind = CLI_INT, .offset = FIELD(timesteps), .value = "N", .min = 1,
     .max = MAX_TIMESTEPS, .help = "timesteps of the training (1000)"},
    {.name = "columns", .kind = CLI_INT, .offset = FIELD(columns), .value = "N", .min = 1,
     .max = MAX_TIMES, .help = "pictures of a row (5)"},
    {.name = "seed", .letter = 's', .kind = CLI_SEED, .offset = FIELD(seed), .value = "N",
     .help = "of the noise, the same for all timesteps (default 42)"},
    {.name = "json", .kind = CLI_PATH, .offset = FIELD(json), .value = "FILE",
     .help = "write the levels as JSON; - is standard output"},
    {0},
};
// clang-format on

struct job {
    struct diffuse_options options;
    int times[MAX_TIMES], count, shown;
    struct cli_canvas grid;             // begun with the first picture
    int scale, cell_width, cell_height; // of a cell: the enlarged picture over its caption
    cJSON *levels;
    int status;
};

// ---- the grid ----

enum { LINES = 4, MARGIN = 2, CAPTION_WIDTH = 78 };

// Chooses the size of a cell, so that captions fit under small pictures.
static int begin_grid(struct job *job, const struct fum_image *image) {
    int columns = job->options.columns < job->count ? job->options.columns : job->count;
    int rows = (job->count + columns - 1) / columns;
    job->scale = (CAPTION_WIDTH + image->width - 1) / image->width;
    job->cell_width = image->width * job->scale + 2 * MARGIN;
    job->cell_height = image->height * job->scale + 3 * MARGIN + LINES * CLI_FONT_HEIGHT;
    long long width = (long long)columns * job->cell_width,
              height = (long long)rows * job->cell_height;
    if (width > FUM_MAX_SIDE || height > FUM_MAX_SIDE || width * height > FUM_MAX_PIXELS)
        return cli_fail("a grid of %lld x %lld pixels is too large; show fewer timesteps", width,
                        height);
    job->grid = (struct cli_canvas){malloc((size_t)(width * height) * (size_t)image->channels),
                                    (int)width, (int)height, image->channels};
    if (!job->grid.pixels) return cli_fail("out of memory");
    memset(job->grid.pixels, 255, (size_t)(width * height) * (size_t)image->channels);
    return 0;
}

static void copy_enlarged(const struct job *job, const struct fum_image *image, int left, int top) {
    size_t channels = (size_t)image->channels;
    for (int y = 0; y < image->height * job->scale; y++)
        for (int x = 0; x < image->width * job->scale; x++) {
            size_t from =
                       (size_t)(y / job->scale) * (size_t)image->width + (size_t)(x / job->scale),
                   to = (size_t)(top + y) * (size_t)job->grid.width + (size_t)(left + x);
            memcpy(job->grid.pixels + to * channels, image->pixels + from * channels, channels);
        }
}

static void write_caption(const struct job *job, const struct fum_noise_level *level, int left,
                          int top) {
    char lines[LINES][32];
    snprintf(lines[0], sizeof lines[0], "t=%d", level->t);
    snprintf(lines[1], sizeof lines[1], "β=%.4g", level->beta);
    snprintf(lines[2], sizeof lines[2], "ᾱ=%.4g", level->alpha_bar);
    snprintf(lines[3], sizeof lines[3], "SNR=%.3g", level->snr);
    for (int i = 0; i < LINES; i++)
        cli_font_write(&job->grid, left, top + i * CLI_FONT_HEIGHT, lines[i]);
}

static bool add_level(struct job *job, const struct fum_noise_level *level) {
    cJSON *item = cJSON_CreateObject();
    bool added = item && cJSON_AddNumberToObject(item, "t", level->t) &&
                 cJSON_AddNumberToObject(item, "beta", level->beta) &&
                 cJSON_AddNumberToObject(item, "alpha_bar", level->alpha_bar) &&
                 cJSON_AddNumberToObject(item, "snr", level->snr) &&
                 cJSON_AddItemToArray(job->levels, item);
    if (!added) cJSON_Delete(item);
    return added;
}

static bool on_picture(void *user, const struct fum_noise_level *level,
                       const struct fum_image *image) {
    struct job *job = user;
    if (!job->grid.pixels && (job->status = begin_grid(job, image))) return false;
    int columns = job->grid.width / job->cell_width;
    int left = job->shown % columns * job->cell_width + MARGIN,
        top = job->shown / columns * job->cell_height + MARGIN;
    copy_enlarged(job, image, left, top);
    write_caption(job, level, left, top + image->height * job->scale + MARGIN);
    if (!add_level(job, level)) job->status = cli_fail("out of memory");
    job->shown++;
    return job->status == 0 && !cli_interrupted();
}

// ---- the command ----

static int parse_times(const struct cli_command *command, struct job *job) {
    const char *text = job->options.times;
    int last = job->options.timesteps - 1;
    job->count = 0;
    for (int i = 0; !text && i < DEFAULT_TIMES; i++)
        job->times[job->count++] =
            (int)((long long)i * last / (DEFAULT_TIMES - 1)); // from the first to the last
    while (text) {
        char *end;
        long t = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
        if (t < 0 || (*end && *end != ','))
            return cli_misuse(command, "--times needs timesteps such as 0,100,999, not \"%s\"",
                              cli_show(job->options.times).text);
        if (t > last) return cli_misuse(command, "timestep %ld is not between 0 and %d", t, last);
        if (job->count == MAX_TIMES)
            return cli_misuse(command, "--times takes at most %d timesteps", MAX_TIMES);
        job->times[job->count++] = (int)t;
        text = *end ? end + 1 : NULL;
    }
    return 0;
}

static enum fum_result save_grid(const void *what, const char *path, struct fum_error *err) {
    const struct job *job = what;
    const struct fum_image image = {.width = job->grid.width,
                                    .height = job->grid.height,
                                    .channels = job->grid.channels,
                                    .pixels = job->grid.pixels};
    return fum_image_save(&image, path, err);
}

static int write_json(const struct job *job) {
    const char *schedule = job->options.schedule;
    cJSON *root = cJSON_CreateObject();
    bool made = root &&
                cJSON_AddStringToObject(root, "beta_schedule", schedule ? schedule : "linear") &&
                cJSON_AddNumberToObject(root, "timesteps", job->options.timesteps) &&
                cJSON_AddItemReferenceToObject(root, "levels", job->levels);
    char *text = made ? cJSON_Print(root) : NULL;
    int status = text ? 0 : cli_fail("out of memory");
    if (text) status = cli_output_save_text(job->options.json, text);
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}

static int check_outputs(const struct cli_command *command, const struct diffuse_options *values) {
    struct cli_outputs outputs = {.command = command};
    int status = cli_output_check_pattern(command, "output", values->output);
    if (status == 0) status = cli_outputs_add(&outputs, values->output);
    if (status == 0) status = cli_outputs_add(&outputs, values->json);
    return cli_outputs_check(&outputs, status);
}

static int diffuse(struct job *job, const char *path) {
    struct fum_error err = {0};
    const struct diffuse_options *o = &job->options;
    const struct fum_diffuse_params params = {.path = path,
                                              .beta_schedule = o->schedule,
                                              .beta_start = o->beta_start,
                                              .beta_end = o->beta_end,
                                              .train_timesteps = o->timesteps,
                                              .times = job->times,
                                              .num_times = job->count,
                                              .seed = o->seed.random ? 0 : o->seed.value,
                                              .on_picture = on_picture,
                                              .user = job};
    enum fum_result result = fum_diffuse(&params, &err);
    if (job->status == 0 && result != FUM_OK) job->status = cli_fail_result(result, &err);
    if (job->status == 0)
        job->status = cli_output_save(o->output, &(struct cli_result){save_grid, job});
    if (job->status == 0 && o->json) job->status = write_json(job);
    if (job->status == 0)
        cli_put_line(cli_report_stream(), "%s: %d x %d, %d timesteps", o->output, job->grid.width,
                     job->grid.height, job->count);
    return job->status;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct job job = {
        .options = {
            .output = "diffuse.png", .timesteps = 1000, .columns = 5, .seed = {.value = 42}}};
    int status = cli_read_options(command, &argc, argv, &job.options);
    if (status >= 0) return status;
    if (argc != 1) return cli_misuse(command, "name one picture, a PNG");
    status = parse_times(command, &job);
    if (status == 0) status = check_outputs(command, &job.options);
    if (status) return status;
    cli_catch_interrupt();
    job.levels = cJSON_CreateArray();
    status = job.levels ? diffuse(&job, argv[0]) : cli_fail("out of memory");
    free(job.grid.pixels);
    cJSON_Delete(job.levels);
    return status;
}

const struct cli_command cli_diffuse = {
    .name = "diffuse",
    .arguments = "[OPTIONS] IMAGE",
    .summary = "a picture at several timesteps of the forward process",
    .details = "Under each picture stand its timestep t, beta, the product alpha-bar of 1 - beta "
               "up to t, and the ratio of signal to noise, alpha-bar / (1 - alpha-bar).\n",
    .options = options,
    .run = run,
};
