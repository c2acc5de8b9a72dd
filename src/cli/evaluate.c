// SPDX-License-Identifier: MIT
// fumarole evaluate: how near one set of pictures is to another.
#include "cli.h"

#include "output.h"

#include <fumarole/evaluate.h>

#include <math.h>

struct evaluate_options {
    bool fid, score, kid, precision, accuracy, pairs, bound, likelihood, verbose;
    int splits, subsets, subset_size;
    struct cli_seed seed;
    int count;
    const char *features, *prompt, *device, *json, *save_stats, *replay;
    double tolerance;
};

enum { SUBSET_UNSET = -1 };

#define FIELD(name) offsetof(struct evaluate_options, name)

// clang-format off
static const struct cli_option options[] = {
    CLI_HEADING_ROW("Measures (default: all that the sets allow):"),
    {.name = "fid", .kind = CLI_FLAG, .offset = FIELD(fid),
     .help = "Fréchet distance of the features"},
    {.name = "is", .kind = CLI_FLAG, .offset = FIELD(score),
     .help = "inception score of FAKE"},
    {.name = "kid", .kind = CLI_FLAG, .offset = FIELD(kid),
     .help = "kernel distance of the features"},
    {.name = "pr", .kind = CLI_FLAG, .offset = FIELD(precision),
     .help = "precision and recall"},
    {.name = "accuracy", .kind = CLI_FLAG, .offset = FIELD(accuracy),
     .help = "share of FAKE's pictures whose class a classifier recognises; only on request"},
    {.name = "pairs", .kind = CLI_FLAG, .offset = FIELD(pairs),
     .help = "instead: PSNR and SSIM of pictures of the same name, or of what an autoencoder makes "
             "of REAL"},
    CLI_HEADING_ROW("Measures of a model, DIR and DATA in place of the sets:"),
    {.name = "bpd", .kind = CLI_FLAG, .offset = FIELD(bound),
     .help = "the variational bound in bits per dimension"},
    {.name = "likelihood", .kind = CLI_FLAG, .offset = FIELD(likelihood),
     .help = "the likelihood of a score model, in bits per dimension"},
    {.name = "tolerance", .kind = CLI_REAL, .offset = FIELD(tolerance), .value = "X",
     .min = 0, .max = 1, .help = "error allowed in a step of the likelihood's equation (1e-5)"},
    {.name = "replay", .kind = CLI_PATH, .offset = FIELD(replay), .value = "FILE",
     .help = "safetensors file with everything that would be drawn"},
    CLI_HEADING_ROW("Pictures:"),
    {.name = "features", .kind = CLI_STRING, .offset = FIELD(features), .value = "KIND:PATH",
     .help = "the network: inception:FILE with pytorch-fid's weights, or classifier:DIR as trained"},
    {.name = "count", .letter = 'n', .kind = CLI_INT, .offset = FIELD(count), .value = "N",
     .min = 1, .max = 100000000, .help = "pictures that a model draws; without one, those of each set at most (all)"},
    {.name = "prompt", .letter = 'p', .kind = CLI_STRING, .offset = FIELD(prompt), .value = "TEXT",
     .help = "what a model draws, if it takes a prompt"},
    CLI_DEVICE_ROW(FIELD(device)),
    CLI_HEADING_ROW("Settings:"),
    {.name = "splits", .kind = CLI_INT, .offset = FIELD(splits), .value = "N", .min = 1,
     .max = 1000000, .help = "parts of FAKE for the inception score (10)"},
    {.name = "subsets", .kind = CLI_INT, .offset = FIELD(subsets), .value = "N", .min = 1,
     .max = 1000000, .help = "subsets that KID draws (100)"},
    {.name = "subset-size", .kind = CLI_INT, .offset = FIELD(subset_size), .value = "N", .min = 0,
     .max = 1000000, .help = "samples of a subset (1000); 0: everything, once"},
    {.name = "seed", .letter = 's', .kind = CLI_SEED, .offset = FIELD(seed), .value = "N",
     .help = "of KID's subsets, and of a model's first picture (0)"},
    CLI_HEADING_ROW("Output:"),
    {.name = "json", .kind = CLI_PATH, .offset = FIELD(json), .value = "FILE",
     .help = "write the numbers as JSON; -: standard output"},
    {.name = "save-stats", .kind = CLI_PATH, .offset = FIELD(save_stats), .value = "FILE.npz",
     .help = "save mu and sigma of REAL; FAKE may then be left out"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "say more while working"},
    {0},
};
// clang-format on

// ---- the report ----

static void print_set(const char *role, const char *path, size_t count) {
    if (count)
        cli_put_line(cli_report_stream(), "%-10s %s, %zu samples", role, path, count);
    else
        cli_put_line(cli_report_stream(), "%-10s %s, statistics", role, path);
}

static void print_number(const char *name, double value, const char *note) {
    cli_put_line(cli_report_stream(), "%-10s %.6g%s%s", name, value, *note ? "  " : "", note);
}

static void print_score(const struct fum_evaluate_result *r) {
    char note[96];
    snprintf(note, sizeof note, "± %.6g over %d splits", r->is_std, r->splits);
    print_number("IS", r->is_mean, note);
}

static void print_kid(const struct fum_evaluate_result *r) {
    char note[96] = "of everything, once";
    if (r->subset_size) snprintf(note, sizeof note, "over subsets of %d", r->subset_size);
    print_number("KID", r->kid, note);
}

static void print_report(char **sets, const struct fum_evaluate_result *r) {
    print_set("REAL", sets[0], r->real_count);
    if (sets[1]) print_set("FAKE", sets[1], r->fake_count);
    cli_put_line(cli_report_stream(), "%-10s %s, %zu numbers each", "features", r->features,
                 r->width);
    if (r->measures & FUM_EVALUATE_FID) print_number("FID", r->fid, "");
    if (r->measures & FUM_EVALUATE_IS) print_score(r);
    if (r->measures & FUM_EVALUATE_KID) print_kid(r);
    if (r->measures & FUM_EVALUATE_ACCURACY) print_number("accuracy", r->accuracy, "");
    if (!(r->measures & FUM_EVALUATE_PR)) return;
    print_number("precision", r->precision, "");
    print_number("recall", r->recall, "");
}

// Returns the report as JSON, freed with cJSON_free; NULL when memory is out.
static char *format_json(const struct fum_evaluate_result *r) {
    const struct {
        unsigned measure;
        const char *key;
        double value;
    } numbers[] = {
        {FUM_EVALUATE_FID, "fid", r->fid},
        {FUM_EVALUATE_IS, "is_mean", r->is_mean},
        {FUM_EVALUATE_IS, "is_std", r->is_std},
        {FUM_EVALUATE_KID, "kid", r->kid},
        {FUM_EVALUATE_PR, "precision", r->precision},
        {FUM_EVALUATE_PR, "recall", r->recall},
        {FUM_EVALUATE_ACCURACY, "accuracy", r->accuracy},
    };
    cJSON *object = cJSON_CreateObject();
    bool good = object != NULL;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (good && r->measures & numbers[i].measure)
            good = cJSON_AddNumberToObject(object, numbers[i].key, numbers[i].value) != NULL;
    good = good && cJSON_AddStringToObject(object, "features", r->features);
    char *text = good ? cJSON_Print(object) : NULL;
    cJSON_Delete(object);
    return text;
}

static void print_bits(const struct evaluate_options *values, char **sets,
                       const struct fum_bits_result *r) {
    char note[96];
    cli_put_line(cli_report_stream(), "%-10s %s", "model", sets[0]);
    print_set("DATA", sets[1], r->count);
    snprintf(note, sizeof note, "bits per dimension, %d evaluations", r->evaluations);
    print_number(values->bound ? "bound" : "likelihood", r->bits, note);
    print_number(values->bound ? "L_T" : "noise", r->prior_bits, "");
    if (values->bound) print_number("L_0", r->first_bits, "");
    if (values->likelihood) print_number("log p", r->log_p, "nats per picture");
}

static char *format_bits(const struct evaluate_options *values, const struct fum_bits_result *r) {
    cJSON *object = cJSON_CreateObject();
    bool good = object && cJSON_AddNumberToObject(object, "bpd", r->bits) &&
                cJSON_AddNumberToObject(object, "prior", r->prior_bits) &&
                cJSON_AddNumberToObject(object, "count", (double)r->count);
    if (good && values->bound)
        good = cJSON_AddNumberToObject(object, "first", r->first_bits) != NULL;
    if (good && values->likelihood)
        good = cJSON_AddNumberToObject(object, "log_p", r->log_p) != NULL;
    char *text = good ? cJSON_Print(object) : NULL;
    cJSON_Delete(object);
    return text;
}

static int save_json(const char *path, char *text) {
    int status = text ? cli_output_save_text(path, text) : cli_fail("no memory for the JSON");
    cJSON_free(text);
    return status;
}

// ---- the modes ----

static unsigned requested_measures(const struct evaluate_options *values) {
    return (values->fid ? FUM_EVALUATE_FID : 0u) | (values->score ? FUM_EVALUATE_IS : 0u) |
           (values->kid ? FUM_EVALUATE_KID : 0u) | (values->precision ? FUM_EVALUATE_PR : 0u) |
           (values->accuracy ? FUM_EVALUATE_ACCURACY : 0u);
}

static bool on_picture(void *user, const char *path, size_t done, size_t total) {
    (void)user, (void)path, (void)done, (void)total;
    return !cli_interrupted();
}

static int evaluate_sets(const struct cli_command *command, struct evaluate_options *values,
                         char **sets) {
    (void)command;
    struct fum_error err = {0};
    struct fum_evaluate_result report;
    struct fum_log log = cli_log(values->verbose);
    struct fum_evaluate_params params = {.real = sets[0],
                                         .fake = sets[1],
                                         .measures = requested_measures(values),
                                         .features = values->features,
                                         .device = values->device,
                                         .count = values->count,
                                         .prompt = values->prompt,
                                         .splits = values->splits,
                                         .subsets = values->subsets,
                                         .seed = values->seed.value,
                                         .save_stats = values->save_stats,
                                         .log = &log,
                                         .on_picture = on_picture};
    if (values->subset_size > 0) params.subset_size = values->subset_size;
    if (values->subset_size == 0) params.subset_size = FUM_EVALUATE_WHOLE;
    enum fum_result result = fum_evaluate(&params, &report, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    print_report(sets, &report);
    return values->json ? save_json(values->json, format_json(&report)) : 0;
}

static char *format_pairs(const struct fum_pairs_result *r) {
    cJSON *object = cJSON_CreateObject();
    bool good = object && cJSON_AddNumberToObject(object, "psnr", r->psnr) &&
                cJSON_AddNumberToObject(object, "ssim", r->ssim) &&
                cJSON_AddNumberToObject(object, "pairs", (double)r->count);
    char *text = good ? cJSON_Print(object) : NULL;
    cJSON_Delete(object);
    return text;
}

static int evaluate_pairs(const struct cli_command *command, struct evaluate_options *values,
                          char **sets) {
    struct fum_error err = {0};
    struct fum_pairs_result report;
    struct fum_log log = cli_log(values->verbose);
    const struct fum_evaluate_params params = {.real = sets[0],
                                               .fake = sets[1],
                                               .device = values->device,
                                               .count = values->count,
                                               .log = &log,
                                               .on_picture = on_picture};
    if (!sets[1]) return cli_misuse(command, "--pairs needs two sets");
    enum fum_result result = fum_evaluate_pairs(&params, &report, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    cli_put_line(cli_report_stream(), "%-10s %zu pictures of %s and %s", "pairs", report.count,
                 sets[0], sets[1]);
    print_number("PSNR", report.psnr, "dB");
    if (!isnan(report.ssim)) print_number("SSIM", report.ssim, "");
    return values->json ? save_json(values->json, format_pairs(&report)) : 0;
}

// Measures a model on a data set.
static int evaluate_bits(const struct cli_command *command, struct evaluate_options *values,
                         char **sets) {
    struct fum_error err = {0};
    struct fum_bits_result bits;
    struct fum_log log = cli_log(values->verbose);
    const struct fum_bits_params params = {.model = sets[0],
                                           .data = sets[1],
                                           .replay = values->replay,
                                           .device = values->device,
                                           .count = values->count,
                                           .tolerance = values->tolerance,
                                           .seed = values->seed.value,
                                           .log = &log,
                                           .on_picture = on_picture};
    if (!sets[1]) return cli_misuse(command, "name a model and a data set");
    enum fum_result result = values->bound ? fum_evaluate_bound(&params, &bits, &err)
                                           : fum_evaluate_likelihood(&params, &bits, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    print_bits(values, sets, &bits);
    return values->json ? save_json(values->json, format_bits(values, &bits)) : 0;
}

// Something else that the command measures, if its flag is given.
static const struct mode {
    size_t flag; // its offset in the options
    int (*run)(const struct cli_command *command, struct evaluate_options *values, char **sets);
} modes[] = {
    {FIELD(pairs), evaluate_pairs},
    {FIELD(bound), evaluate_bits},
    {FIELD(likelihood), evaluate_bits},
};

// ---- the command ----

static int check_outputs(const struct cli_command *command, const struct evaluate_options *values) {
    struct cli_outputs outputs = {.command = command};
    int status = cli_outputs_add(&outputs, values->json);
    if (status == 0) status = cli_outputs_add(&outputs, values->save_stats);
    return cli_outputs_check(&outputs, status);
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct evaluate_options values = {.subset_size = SUBSET_UNSET};
    char *sets[2] = {NULL, NULL};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc > 2)
        return cli_misuse(command, "two sets are compared, not %d; \"%s\" is one too many", argc,
                          cli_show(argv[2]).text);
    if (argc < 1 || (argc < 2 && !values.save_stats))
        return cli_misuse(command, "name two sets, REAL and FAKE");
    for (int i = 0; i < argc; i++) sets[i] = argv[i];
    if (values.bound && values.likelihood)
        return cli_misuse(command, "--bpd and --likelihood measure different models: choose one");
    if (values.replay && !values.bound && !values.likelihood)
        return cli_misuse(command, "--replay belongs to --bpd and --likelihood");
    if (values.tolerance != 0 && !values.likelihood)
        return cli_misuse(command, "--tolerance belongs to --likelihood");
    status = check_outputs(command, &values);
    if (status) return status;
    cli_catch_interrupt();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (*(const bool *)((const char *)&values + modes[i].flag))
            return modes[i].run(command, &values, sets);
    return evaluate_sets(command, &values, sets);
}

const struct cli_command cli_evaluate = {
    .name = "evaluate",
    .arguments = "REAL FAKE [OPTIONS]",
    .summary = "how near pictures are to real ones: FID, IS, KID, precision and recall",
    .details =
        "REAL and FAKE are each a folder of pictures, a data set, a folder of a model, a .npz with "
        "mu and sigma, as "
        "pytorch-fid saves them, or a "
        ".safetensors with features [n, d] and, for the inception score, logits [n, classes].\n"
        "Numbers of different features do not compare: the report names them.\n"
        "--bpd takes a folder that train ddpm wrote, and a data set; --likelihood one of train "
        "score.\n",
    .options = options,
    .run = run,
};
