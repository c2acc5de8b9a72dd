// SPDX-License-Identifier: MIT
// fumarole dataset: makes data sets to train on from the system's fonts.
#include "cli.h"

#include "progress.h"

#include <fumarole/dataset.h>
#include <fumarole/file.h>

#include <string.h>

struct dataset_options {
    const char *characters, *fonts, *language, *cldr;
    int count, held_out, size;
    struct cli_seed seed;
    bool quiet, verbose;
};

#define FIELD(name) offsetof(struct dataset_options, name)

// clang-format off
static const struct cli_option options[] = {
    {.name = "fonts", .kind = CLI_PATH, .offset = FIELD(fonts), .value = "PATH",
     .help = "a font, or a folder of fonts (default: the system's)"},
    {.name = "size", .kind = CLI_INT, .offset = FIELD(size), .value = "PIXELS", .min = 8, .max = 1024,
     .help = "side of a picture (default: 28 for glyphs, 128 for emoji)"},
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = FIELD(quiet),
     .help = "no progress and no report"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "more about what happens"},
    CLI_HEADING_ROW("glyphs: characters, white on black, in IDX as MNIST is"),
    {.name = "characters", .kind = CLI_STRING, .offset = FIELD(characters), .value = "TEXT",
     .help = "each of them is a class (default: 0123456789)"},
    {.name = "count", .letter = 'n', .kind = CLI_INT, .offset = FIELD(count), .value = "N",
     .min = 1, .max = INT32_MAX, .help = "pictures to train on (default: 60000)"},
    {.name = "held-out", .kind = CLI_INT, .offset = FIELD(held_out), .value = "N", .min = 1,
     .max = INT32_MAX, .help = "pictures of other fonts, held out as t10k (default: 10000)"},
    {.name = "seed", .letter = 's', .kind = CLI_SEED, .offset = FIELD(seed), .value = "S",
     .help = "of the random rotations, shears, sizes and shifts (default: 0)"},
    CLI_HEADING_ROW("emoji: pictures on white, with captions.tsv"),
    {.name = "language", .kind = CLI_STRING, .offset = FIELD(language), .value = "CODE",
     .help = "of names and keywords (default: en)"},
    {.name = "cldr", .kind = CLI_PATH, .offset = FIELD(cldr), .value = "DIR",
     .help = "the folder common of Unicode's CLDR (default: the system's)"},
    {0},
};
// clang-format on

// What the library calls while it works.
struct watch {
    struct cli_progress progress;
    struct fum_log log;
    double started;
};

static void on_progress(void *user, int64_t done, int64_t total) {
    struct watch *w = user;
    double seconds = fum_time_now() - w->started;
    struct cli_pieces pieces = {
        .what = "drawing", .done = (int)done, .total = (int)total, .interval = 5};
    if (done) pieces.left = seconds / (double)done * (double)(total - done);
    cli_progress_pieces(&w->progress, &pieces);
}

static struct fum_dataset_watch begin_watch(struct watch *w, const struct dataset_options *o) {
    *w = (struct watch){.log = cli_log(o->verbose), .started = fum_time_now()};
    cli_progress_begin(&w->progress, o->quiet);
    cli_catch_interrupt();
    return (struct fum_dataset_watch){
        .progress = on_progress, .cancel = cli_cancel, .user = w, .log = &w->log};
}

// ---- the kinds ----

static enum fum_result make_glyphs(const struct dataset_options *o, const char *output,
                                   struct fum_dataset_report *report, struct fum_error *err) {
    struct watch watch;
    const struct fum_dataset_glyphs_params params = {.output = output,
                                                     .characters = o->characters,
                                                     .count = o->count,
                                                     .held_out = o->held_out,
                                                     .size = o->size,
                                                     .seed = o->seed.value,
                                                     .fonts = o->fonts,
                                                     .watch = begin_watch(&watch, o)};
    enum fum_result result = fum_dataset_glyphs(&params, report, err);
    cli_progress_clear(&watch.progress);
    return result;
}

static void report_glyphs(const struct fum_dataset_report *r) {
    printf("%lld pictures of %d characters in %d fonts, and %lld in %d other fonts held out\n",
           (long long)r->samples, r->classes, r->fonts, (long long)r->held_out, r->held_out_fonts);
    if (r->skipped)
        printf("%d fonts skipped: without these characters, with symbols for them, or repeated\n",
               r->skipped);
}

static enum fum_result make_emoji(const struct dataset_options *o, const char *output,
                                  struct fum_dataset_report *report, struct fum_error *err) {
    struct watch watch;
    const struct fum_dataset_emoji_params params = {.output = output,
                                                    .size = o->size,
                                                    .language = o->language,
                                                    .fonts = o->fonts,
                                                    .cldr = o->cldr,
                                                    .watch = begin_watch(&watch, o)};
    enum fum_result result = fum_dataset_emoji(&params, report, err);
    cli_progress_clear(&watch.progress);
    return result;
}

static void report_emoji(const struct fum_dataset_report *r) {
    printf("%lld emoji to train on, %lld held out\n", (long long)r->samples,
           (long long)r->held_out);
    if (r->skipped)
        printf("%d skipped: not in the font, or with the picture of another\n", r->skipped);
}

static const struct kind {
    const char *name;
    enum fum_result (*make)(const struct dataset_options *o, const char *output,
                            struct fum_dataset_report *report, struct fum_error *err);
    void (*report)(const struct fum_dataset_report *report);
    const char *own[5]; // options that the other kinds refuse
} kinds[] = {
    {"glyphs", make_glyphs, report_glyphs, {"characters", "count", "held-out", "seed", NULL}},
    {"emoji", make_emoji, report_emoji, {"language", "cldr", NULL}},
};
enum { NUM_KINDS = sizeof kinds / sizeof kinds[0] };

static const struct kind *find_kind(const char *name) {
    for (int i = 0; i < NUM_KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

// ---- the command ----

static const struct cli_option *find_option(const char *name) {
    const struct cli_option *option = options;
    while (strcmp(option->name, name) != 0) option++;
    return option;
}

// Returns an option of another kind that is present, or NULL.
static const char *find_misplaced(const struct kind *kind, int argc, char **argv) {
    struct cli_parse parse = {.options = options};
    for (int i = 0; i < NUM_KINDS; i++)
        for (const char *const *own = kinds[i].own; *own && &kinds[i] != kind; own++)
            if (cli_options_present(&parse, argc, argv, find_option(*own))) return *own;
    return NULL;
}

static int make(const struct dataset_options *o, const struct kind *kind, const char *output) {
    struct fum_dataset_report report = {0};
    struct fum_error err = {0};
    enum fum_result result = kind->make(o, output, &report, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    if (!o->quiet) kind->report(&report);
    return 0;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct dataset_options values = {0};
    char *all[64];
    int given = argc;
    for (int i = 0; i < argc && i < 64; i++) all[i] = argv[i];
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc == 0) return cli_misuse(command, "name a kind, glyphs or emoji, and a folder");
    const struct kind *kind = find_kind(argv[0]);
    if (!kind)
        return cli_misuse(command, "unknown kind \"%s\"; available: glyphs, emoji",
                          cli_show(argv[0]).text);
    if (argc != 2)
        return cli_misuse(command, "name one folder after %s, for the data set", kind->name);
    const char *misplaced = find_misplaced(kind, given < 64 ? given : 64, all);
    if (misplaced) return cli_misuse(command, "%s takes no --%s", kind->name, misplaced);
    return make(&values, kind, argv[1]);
}

const struct cli_command cli_dataset = {
    .name = "dataset",
    .arguments = "glyphs|emoji DIR [OPTIONS]",
    .summary = "data sets to train on, made from the system's fonts",
    .details = "Fonts (Debian): fonts-dejavu-core, fonts-liberation2, fonts-noto-core; for emoji "
               "fonts-noto-color-emoji, and their names from unicode-cldr-core.\n"
               "fumarole train --data DIR reads what it makes.\n",
    .options = options,
    .run = run,
};
