// SPDX-License-Identifier: MIT
// fumarole train: trains a model by a recipe.
#include "cli.h"

#include "help.h"
#include "progress.h"
#include "ranks/ranks.h"

#include <fumarole/train.h>

#include <string.h>

struct train_options {
    struct fum_training_params params;
    struct cli_list settings;
    // Short spellings of settings, in the order of `short_keys`.
    const char *steps, *batch, *lr, *seed, *precision;
    const char *device;
    bool plan, quiet, verbose;
    struct ranks *ranks; // the processes that train together
};

#define FIELD(name) offsetof(struct train_options, name)
#define PARAM(name) offsetof(struct train_options, params.name)

// clang-format off
static const struct cli_option options[] = {
    CLI_HEADING_ROW("What to train"),
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = PARAM(output), .value = "DIR",
     .help = "folder of the results (default: the recipe's name)"},
    {.name = "model", .letter = 'm', .kind = CLI_PATH, .offset = PARAM(model), .value = "MODEL",
     .help = "model to begin with, as in generate"},
    {.name = "stage", .kind = CLI_STRING, .offset = PARAM(stage), .value = "STAGE",
     .help = "the part of ldm to train: vae or unet"},
    {.name = "prior", .kind = CLI_PATH, .offset = PARAM(prior), .value = "DIR",
     .help = "train ddpm on the latents of this VQ-VAE, which can then generate"},
    {.name = "data", .kind = CLI_PATH, .offset = PARAM(data), .value = "PATH",
     .help = "the data set, stands for data.path"},
    {.name = "resume", .kind = CLI_PATH, .offset = PARAM(resume), .value = "DIR",
     .help = "go on with the interrupted run of this folder"},
    {.name = "init", .kind = CLI_PATH, .offset = PARAM(init), .value = "FILE",
     .help = "safetensors file with the weights to begin with"},
    {.name = "replay", .kind = CLI_PATH, .offset = PARAM(replay), .value = "FILE",
     .help = "safetensors file with everything that would be drawn"},
    CLI_HEADING_ROW("Settings"),
    {.name = "config", .kind = CLI_PATH, .offset = PARAM(config), .value = "FILE",
     .help = "INI file of settings, over the recipe's defaults"},
    {.name = "set", .kind = CLI_LIST, .offset = FIELD(settings), .value = "SECTION.KEY=VALUE",
     .help = "change one setting; can be given several times"},
    {.name = "steps", .kind = CLI_STRING, .offset = FIELD(steps), .value = "N",
     .help = "stands for train.steps"},
    {.name = "batch", .kind = CLI_STRING, .offset = FIELD(batch), .value = "N",
     .help = "stands for train.batch"},
    {.name = "lr", .kind = CLI_STRING, .offset = FIELD(lr), .value = "X",
     .help = "stands for train.lr"},
    {.name = "seed", .kind = CLI_STRING, .offset = FIELD(seed), .value = "S",
     .help = "stands for train.seed"},
    {.name = "precision", .kind = CLI_STRING, .offset = FIELD(precision), .value = "TYPE",
     .help = "stands for train.precision: f32, f16 or bf16"},
    CLI_HEADING_ROW("Device"),
    CLI_DEVICE_ROW(FIELD(device)),
    {.name = "plan", .kind = CLI_FLAG, .offset = FIELD(plan),
     .help = "print the device memory of a step, and train nothing; the device may be one of those "
             "that only plan, such as amd-rdna2 or intel-xe"},
    CLI_HEADING_ROW("Messages"),
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = FIELD(quiet),
     .help = "no progress"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "more about what happens"},
    {0},
};
// clang-format on

// ---- help ----

static void list_recipes(void) {
    printf("\nRecipes:\n");
    for (size_t i = 0; fum_recipe_name(i); i++)
        cli_help_row(fum_recipe_name(i), fum_recipe_summary(fum_recipe_name(i)), 24);
    printf("\nfumarole train RECIPE --help lists a recipe's settings.\n");
}

// Prints the settings of a recipe. In its INI file the line above a key says what the key means.
static void list_settings(const char *recipe) {
    char section[64] = "", meaning[256] = "";
    printf("\nSettings of %s:\n", recipe);
    for (const char *line = fum_recipe_defaults(recipe); *line;) {
        int length = (int)strcspn(line, "\n");
        const char *equals = memchr(line, '=', (size_t)length);
        char row[160];
        if (*line == '#') {
            snprintf(meaning, sizeof meaning, "%.*s", length - 2, line + 2);
        } else if (*line == '[') {
            snprintf(section, sizeof section, "%.*s", length - 2, line + 1);
        } else if (equals) {
            snprintf(row, sizeof row, "%s.%.*s", section, length, line);
            cli_help_row(row, meaning, 40);
        }
        if (*line != '#' && !equals) meaning[0] = 0;
        line += length + (line[length] == '\n');
    }
}

// ---- progress ----

struct watch {
    struct cli_progress progress;
    bool verbose;
    double began, last_line;
    int64_t first;
};

static bool on_compile(void *user, int done, int total) {
    struct watch *watch = user;
    cli_progress_compile(&watch->progress, "training", done, total, watch->verbose);
    return !cli_interrupted();
}

static bool on_step(void *user, const struct fum_training_step *step) {
    struct watch *watch = user;
    if (!watch->progress.quiet) cli_progress_training(&watch->progress, step);
    return !cli_interrupted();
}

// ---- the run ----

// Appends the settings that have options of their own. Returns false if there are too many.
static bool add_short_settings(struct train_options *o, char texts[][96]) {
    const struct {
        const char *key, *value;
    } given[] = {{"train.steps", o->steps},
                 {"train.batch", o->batch},
                 {"train.lr", o->lr},
                 {"train.seed", o->seed},
                 {"train.precision", o->precision}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (!given[i].value) continue;
        if (o->settings.count == CLI_LIST_MAX) return false;
        snprintf(texts[i], sizeof texts[i], "%s=%s", given[i].key, given[i].value);
        o->settings.at[o->settings.count++] = texts[i];
    }
    return true;
}

static bool sum_over_ranks(void *user, float *values, size_t count) {
    return ranks_sum(user, values, count);
}

// Keeps other trainings out of the folder of this one. A new folder is locked once it is there.
// Returns an exit status.
static int lock_run(const struct train_options *o, const char *folder, int *lock) {
    if (ranks_index(o->ranks) > 0 || *lock >= 0 || cli_lock_folder(folder, lock)) return 0;
    return cli_fail("%s: another training is writing there", folder);
}

// Returns the folder that a run writes to. A resumed run writes to that of its checkpoint, unless
// another one is given.
static const char *find_folder(const struct fum_training_params *params) {
    if (params->output) return params->output;
    return params->resume ? params->resume : params->recipe;
}

// Trains with the lock of the folder, which is taken now if the folder is new.
static int create_and_run(struct train_options *o, fum_device *device, int *lock) {
    const struct fum_training_ranks ranks = {.index = ranks_index(o->ranks),
                                             .count = ranks_count(o->ranks),
                                             .sum = sum_over_ranks,
                                             .user = o->ranks};
    struct watch watch = {.verbose = o->verbose};
    struct fum_log log = cli_log(o->verbose);
    struct fum_error err = {0};
    fum_training *training = NULL;
    char program_dir[CLI_PATH_BYTES];
    o->params.program_dir = cli_program_dir(program_dir);
    o->params.settings = o->settings.at;
    o->params.num_settings = o->settings.count;
    o->params.log = &log;
    o->params.on_step = on_step;
    o->params.on_compile = on_compile;
    o->params.user = &watch;
    cli_progress_begin(&watch.progress, o->quiet);
    enum fum_result result =
        fum_training_create_ranked(&training, device, &o->params, &ranks, &err);
    int refused = result ? 0 : lock_run(o, fum_training_folder(training), lock);
    if (!result && !refused) result = fum_training_run(training, &err);
    cli_progress_clear(&watch.progress);
    bool saved = training && result == FUM_ERR_CANCELLED;
    if (saved && ranks.index == 0) cli_put_line(stderr, "fumarole: %s", err.text);
    if (!result && !refused && !o->quiet)
        cli_put_line(stderr, "saved in %s", fum_training_folder(training));
    fum_training_destroy(&training);
    if (saved) return cli_interrupted_status();
    return result == FUM_OK ? refused : cli_fail_result(result, &err);
}

static int train(struct train_options *o, fum_device *device) {
    int lock = -1;
    int status = lock_run(o, find_folder(&o->params), &lock);
    if (status == 0) status = create_and_run(o, device, &lock);
    cli_unlock_folder(&lock);
    return status;
}

static void print_size(const char *device, const struct fum_training_size *size) {
    static const double mib = 1 << 20;
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {{"activations", size->activations},
                {"frozen weights", size->weights},
                {"trained parameters", size->parameters},
                {"together", size->activations + size->weights + size->parameters}};
    printf("Device memory of a step on %s:\n", device);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("  %-20s %10.2f MiB\n", rows[i].name, (double)rows[i].bytes / mib);
}

static int plan(struct train_options *o, fum_device *device) {
    struct fum_log log = cli_log(o->verbose);
    struct fum_error err = {0};
    struct fum_training_size size;
    char program_dir[CLI_PATH_BYTES];
    o->params.program_dir = cli_program_dir(program_dir);
    o->params.settings = o->settings.at;
    o->params.num_settings = o->settings.count;
    o->params.log = &log;
    enum fum_result result = fum_training_measure(&size, device, &o->params, &err);
    if (result) return cli_fail_result(result, &err);
    print_size(fum_device_get_info(device)->name, &size);
    return 0;
}

// Opens the device to plan or train on.
static fum_device *open_device(const struct train_options *o, const struct fum_log *log,
                               int *status) {
    struct fum_error err;
    char text[16];
    fum_device *device = NULL;
    if (o->plan && o->device && !fum_device_create_planning(&device, o->device, &err))
        return device;
    return cli_open_device(ranks_choose_device(o->ranks, o->device, text), log, status);
}

// Does the work of this rank. Only the first one reports progress.
static int plan_or_train(struct train_options *o) {
    char place[32];
    int status = CLI_FAILED, rank = ranks_index(o->ranks);
    struct fum_log log = cli_log(o->verbose);
    snprintf(place, sizeof place, "rank %d", rank);
    if (ranks_count(o->ranks) > 1) cli_set_place(place);
    o->quiet = o->quiet || rank > 0;
    fum_device *device = o->plan && rank > 0 ? NULL : open_device(o, &log, &status);
    if (o->plan && rank > 0) status = 0; // one plan is enough
    if (device) status = o->plan ? plan(o, device) : train(o, device);
    fum_device_destroy(&device);
    cli_set_place(NULL);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    static const struct cli_option help = {.name = "help", .letter = 'h'};
    struct train_options o = {0};
    char texts[5][96];
    const struct cli_parse parse = {.options = options, .values = &o};
    const char *recipe = argc > 0 && fum_recipe_summary(argv[0]) ? argv[0] : NULL;
    bool helps = cli_options_present(&parse, argc, argv, &help);
    int status = cli_read_options(command, &argc, argv, &o);
    if (status == 0 && helps && recipe) list_settings(recipe);
    if (status == 0 && helps && !recipe) list_recipes();
    if (status >= 0) return status;
    if (argc != 1)
        return cli_misuse(command, argc ? "takes one recipe, not also \"%s\"" : "needs a recipe%s",
                          argc ? cli_show(argv[1]).text : "; its --help lists them");
    if (!add_short_settings(&o, texts)) return cli_misuse(command, "%s", "too many settings");
    o.params.recipe = argv[0];
    o.ranks = ranks_begin();
    if (!o.ranks) return CLI_FAILED;
    cli_catch_interrupt();
    return ranks_end(&o.ranks, plan_or_train(&o));
}

const struct cli_command cli_train = {
    .name = "train",
    .arguments = "RECIPE [options]",
    .summary = "trains a model by a recipe, and saves it to generate from",
    .options = options,
    .run = run,
};
