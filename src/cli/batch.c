// SPDX-License-Identifier: MIT
// fumarole batch: the pictures of a file of lines, on all devices of a machine or of several.
#define _POSIX_C_SOURCE 200809L

#include "batch/crew.h"
#include "batch/remote.h"
#include "cpu_driver.h"
#include "progress.h"

#include <string.h>
#include <time.h>

enum { MAX_DEVICES = 64, DEVICE_NAME_BYTES = 12 };

struct batch_options {
    struct generate_options defaults; // of every line; first, since its table has its offsets
    const char *dir;
    struct cli_list devices;
};

#define FIELD(name) offsetof(struct batch_options, name)

// clang-format off
static const struct cli_option options[] = {
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = FIELD(dir), .value = "DIR",
     .help = "the folder of the pictures and of manifest.jsonl, which is made if need be"},
    {.name = "model", .letter = 'm', .kind = CLI_PATH, .offset = FIELD(defaults.model),
     .value = "MODEL",
     .help = "diffusers folder, checkpoint file, or shipped model (default emoji)"},
    {.name = "device", .kind = CLI_LIST, .offset = FIELD(devices), .value = "WHICH",
     .help = "number, uuid or part of a name, see fumarole devices; again for more (default: all, "
             "CPU devices only without others)"},
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = FIELD(defaults.quiet),
     .help = "no progress"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(defaults.verbose),
     .help = "say more"},
    {0},
};
// clang-format on

// One run of the command on rank 0.
struct batch {
    const struct batch_options *options;
    struct ranks *ranks;
    struct manifest manifest;
    struct work *work;
    struct crew *crew;
    struct remotes *remotes;
    struct fum_log log;
    struct cli_progress progress;
    int before; // pictures that were there
    double started;
};

// ---- options ----

// Refuses what is of a single run of generate.
static int check_defaults(const struct cli_command *command, const struct generate_options *o) {
    const struct {
        const char *name;
        bool given;
    } refused[] = {
        {"prompts-file", o->prompts_file},
        {"xy", o->xy},
        {"grid", o->grid_text},
        {"from-png", o->from_png},
        {"invert", o->invert},
        {"interpolate", o->picture.interpolate[0]},
        {"reconstruct", o->picture.reconstruct},
        {"save-latents", o->save_latents},
        {"save-control", o->control.save},
        {"trace", o->trace},
        {"dump-graph", o->dump_graph},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].given)
            return cli_misuse(command, "batch has no --%s; fumarole generate has it",
                              refused[i].name);
    return 0;
}

// Finds the devices to draw on. `names` holds those that were not given.
static int choose_devices(const struct batch_options *given, struct cli_list *devices,
                          char names[MAX_DEVICES][DEVICE_NAME_BYTES]) {
    static struct fum_device_info infos[MAX_DEVICES];
    struct fum_error err = {0};
    int count = 0;
    bool others = false;
    *devices = given->devices;
    if (devices->count) return 0;
    enum fum_result result = fum_device_list(infos, MAX_DEVICES, &count, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    if (count > MAX_DEVICES) count = MAX_DEVICES;
    for (int i = 0; i < count; i++) others = others || infos[i].type != FUM_DEVICE_CPU;
    for (int i = 0; i < count; i++) {
        if (others && infos[i].type == FUM_DEVICE_CPU) continue;
        snprintf(names[i], DEVICE_NAME_BYTES, "%d", i);
        devices->at[devices->count++] = names[i];
    }
    return devices->count ? 0 : cli_fail("there is no device to draw on");
}

// Leaves a rank the device of its place on its machine.
static void take_own_device(const struct ranks *ranks, struct cli_list *devices) {
    if (ranks_count(ranks) == 1) return;
    devices->at[0] = devices->at[(size_t)ranks_local(ranks) % devices->count];
    devices->count = 1;
}

// ---- rank 0 ----

static void show_progress(struct batch *batch, int done, int all) {
    int drawn = done - batch->before;
    double seconds = fum_time_now() - batch->started;
    cli_progress_pictures(&batch->progress, done, all,
                          drawn > 0 ? seconds / drawn * (all - done) : 0);
}

// Waits until all is drawn or nothing can draw it, while other ranks get their parts.
static int watch_work(struct batch *batch) {
    const struct timespec pause = {.tv_nsec = 2000000};
    int done, all, shown = -1;
    while (work_count(batch->work, &done, &all) && !work_stopped(batch->work)) {
        if (crew_active(batch->crew) + remotes_active(batch->remotes) == 0)
            return cli_fail("no device is left to draw %d of %d pictures", all - done, all);
        remotes_poll(batch->remotes);
        if (done != shown) show_progress(batch, done, all);
        shown = done;
        nanosleep(&pause, NULL);
    }
    return 0;
}

// Draws what is missing.
static int draw_missing(struct batch *batch, const struct cli_list *devices) {
    const struct crew_params params = {.work = batch->work,
                                       .defaults = &batch->options->defaults,
                                       .devices = devices,
                                       .rank = ranks_index(batch->ranks),
                                       .log = &batch->log};
    int status = crew_create(&batch->crew, &params);
    if (status && remotes_active(batch->remotes) == 0) return status;
    batch->started = fum_time_now();
    cli_progress_begin(&batch->progress, batch->options->defaults.quiet);
    status = watch_work(batch);
    cli_progress_clear(&batch->progress);
    return status;
}

// Reads the lines, and draws what the folder lacks of them.
static int draw_lines(struct batch *batch, FILE *file, const char *name,
                      const struct cli_list *devices) {
    const struct work_params params = {.file = file,
                                       .name = name,
                                       .defaults = &batch->options->defaults,
                                       .manifest = &batch->manifest,
                                       .whole_lines =
                                           devices->count == 1 && ranks_count(batch->ranks) == 1};
    int all = 0;
    int status = manifest_open(&batch->manifest, batch->options->dir);
    if (status == 0) status = work_create(&batch->work, &params);
    if (status == 0 && work_count(batch->work, &batch->before, &all)) {
        batch->remotes = remotes_create(batch->ranks, batch->work);
        status = batch->remotes ? draw_missing(batch, devices) : cli_fail("out of memory");
    }
    if (batch->work) work_stop(batch->work, 0);
    crew_destroy(&batch->crew);
    return status;
}

// Reports how many pictures there are. Returns the exit status.
static int report(const struct batch *batch) {
    int done, all;
    work_count(batch->work, &done, &all);
    cli_put_line(stdout, "%s: %d of %d pictures, %d of them new", batch->options->dir, done, all,
                 done - batch->before);
    return work_status(batch->work);
}

static int run_first(struct batch *batch, const char *path, const struct cli_list *devices) {
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : cli_open_text(path);
    int status =
        file ? draw_lines(batch, file, standard ? "standard input" : path, devices) : CLI_FAILED;
    if (file && !standard) fclose(file);
    // The other ranks wait to be sent away, however it ended.
    if (!batch->remotes) batch->remotes = remotes_create(batch->ranks, batch->work);
    remotes_destroy(&batch->remotes);
    if (status == 0) status = report(batch);
    work_destroy(&batch->work);
    manifest_close(&batch->manifest);
    return cli_interrupted() ? cli_interrupted_status() : status;
}

// ---- the command ----

static int run_ranks(const struct batch_options *values, const char *path) {
    char names[MAX_DEVICES][DEVICE_NAME_BYTES];
    struct cli_list devices;
    struct fum_log log = cli_log(values->defaults.verbose);
    struct ranks *ranks = ranks_begin();
    if (!ranks) return CLI_FAILED;
    cli_prepare_cpu_driver((struct cli_run_flops){.run = CLI_LONG_RUN_FLOPS}, &log);
    int status = choose_devices(values, &devices, names);
    if (status == 0) {
        take_own_device(ranks, &devices);
        struct batch batch = {
            .options = values, .ranks = ranks, .manifest = {.lock = -1}, .log = log};
        const struct remote_params remote = {devices.at[0], &values->defaults, &log};
        status = ranks_index(ranks) == 0 ? run_first(&batch, path, &devices)
                                         : remote_run(ranks, &remote);
    }
    return ranks_end(&ranks, status);
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct batch_options values = {.defaults = generate_options_default()};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc != 1) return cli_misuse(command, "name one file of lines, or - for standard input");
    if (!values.dir) return cli_misuse(command, "name the folder of the pictures with -o DIR");
    status = check_defaults(command, &values.defaults);
    if (status) return status;
    cli_catch_interrupt();
    return run_ranks(&values, argv[0]);
}

const struct cli_command cli_batch = {
    .name = "batch",
    .arguments = "[OPTIONS] FILE.jsonl -o DIR",
    .summary = "the pictures of a file of lines, on all devices",
    .details =
        "A line is a JSON object of options of fumarole generate, such as {\"prompt\": \"a cat\", "
        "\"seed\": 5, \"batch_count\": 3}; options of generate that are given here hold for lines "
        "without them. Pictures and their rows in manifest.jsonl appear as they are done. Run it "
        "again to draw what is missing. Under mpirun or srun, each rank draws on a device.\n",
    .foreign = &cli_foreign_generate,
    .options = options,
    .more = generate_option_table,
    .run = run,
};
