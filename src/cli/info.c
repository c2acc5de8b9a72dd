// SPDX-License-Identifier: MIT
// fumarole info: what a checkpoint or another file is, and whether everything it needs is in it.
#include "cli.h"
#include "info_json.h"

#include <fumarole/contents.h>
#include <fumarole/model.h>

struct info_options {
    bool verbose, json;
};

// clang-format off
static const struct cli_option options[] = {
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG,
     .offset = offsetof(struct info_options, verbose),
     .help = "say more while reading, and show the texts that a file carries"},
    {.name = "json", .kind = CLI_FLAG, .offset = offsetof(struct info_options, json),
     .help = "print one JSON object"},
    {0},
};
// clang-format on

enum { MAX_LISTED = 200 };

struct problems {
    int count[FUM_MODEL_UNMATCHED + 1];
};

static void on_problem(void *user, enum fum_model_problem problem, const char *component,
                       const char *tensor, const char *detail) {
    static const char *const names[] = {"missing", "misshapen", "unmatched"};
    struct problems *problems = user;
    int count = ++problems->count[problem];
    if (count <= MAX_LISTED)
        cli_put_line(stdout, "  %-10s %s: %s%s%s", names[problem], component, tensor,
                     detail && *detail ? ", " : "", detail ? detail : "");
    else if (count == MAX_LISTED + 1)
        cli_put_line(stdout, "  %-10s and more", names[problem]);
}

static void print_size(uint64_t bytes) {
    if (bytes >= UINT64_C(1) << 30)
        cli_put(stdout, "%7.2f GiB", (double)bytes / (double)(UINT64_C(1) << 30));
    else
        cli_put(stdout, "%7.1f MiB", (double)bytes / (double)(1 << 20));
}

// Prints how many tensors have a type; no number if all have it.
static void print_type(const struct fum_component_info *component, const char *type, int count) {
    if (count > 0 && count == component->tensors)
        cli_put(stdout, "  %s", type);
    else if (count > 0)
        cli_put(stdout, "  %d %s", count, type);
}

static void print_component(const struct fum_component_info *component) {
    cli_put(stdout, "  %-15s %-32s %5d tensors  %9.2f M ", component->name,
            component->class_name ? component->class_name : "", component->tensors,
            (double)component->parameters / 1e6);
    print_size(component->bytes);
    for (int i = 0; i < FUM_DTYPE_COUNT; i++)
        print_type(component, fum_dtype_name((enum fum_dtype)i), component->dtypes[i]);
    for (size_t i = 0; i < FUM_BLOCK_TYPES; i++)
        print_type(component, fum_block_name(i), component->blocks[i]);
    if (component->unknown > 0) printf("  %d of types that are not read", component->unknown);
    printf("\n");
    if (component->file) cli_put_line(stdout, "  %15s %s", "", component->file);
}

static void print_info(const struct fum_model_info *info) {
    cli_put_line(stdout, "%s: %s%s%s", info->name, info->family, info->prediction[0] ? ", " : "",
                 info->prediction);
    cli_put_line(stdout, "  path      %s", info->path);
    if (info->description[0]) cli_put_line(stdout, "  what      %s", info->description);
    if (info->license[0]) cli_put_line(stdout, "  licence   %s", info->license);
    if (info->origin[0]) cli_put_line(stdout, "  origin    %s", info->origin);
    if (info->width > 0)
        cli_put_line(stdout,
                     "  defaults  %d x %d (multiples of %d), %d steps, guidance %g, sampler %s, "
                     "clip skip %d",
                     info->width, info->height, info->size_multiple, info->steps,
                     (double)info->guidance, info->sampler, info->clip_skip);
    if (info->unknown_scheduler)
        cli_put_line(stdout, "  scheduler %s is not supported; sampler %s stands in",
                     info->unknown_scheduler, info->sampler);
    if (info->num_prompts > 0)
        cli_put_line(stdout, "  prompts   %d that it knows", info->num_prompts);
}

// Describes a model to the end. Problems are listed before the error.
static int describe_model(const fum_model *model, bool as_json) {
    struct problems problems = {0};
    struct fum_component_info component;
    struct fum_error err = {0};
    if (as_json) return cli_info_print_model(model);
    print_info(fum_model_get_info(model));
    for (int i = 0; fum_model_get_component(model, i, &component); i++) print_component(&component);
    enum fum_result result = fum_model_check(model, on_problem, &problems, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    cli_put_line(stdout, "  complete: every tensor it needs is there%s",
                 problems.count[FUM_MODEL_UNMATCHED] ? ", others are left unused" : "");
    return 0;
}

static int describe_contents(const fum_contents *contents, const struct info_options *given) {
    const struct fum_contents_info *info = fum_contents_get_info(contents);
    const char *key, *value;
    if (given->json) return cli_info_print_contents(contents);
    cli_put_line(stdout, "%s: %s", info->name, info->title);
    cli_put_line(stdout, "  %-18s%s", "path", info->path);
    for (int i = 0; i < info->num_facts; i++)
        cli_put_line(stdout, "  %-18s%s", info->facts[i].name, info->facts[i].text);
    print_component(&info->tensors);
    for (int i = 0; given->verbose && (value = fum_contents_metadata(contents, i, &key)); i++)
        cli_put_line(stdout, "  %s: %s", key, value);
    return 0;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct info_options values = {0};
    struct fum_error err = {0};
    fum_contents *contents = NULL;
    fum_model *model = NULL;
    char program_dir[CLI_PATH_BYTES];
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc != 1)
        return cli_misuse(
            command, "name one model: a diffusers folder, a checkpoint file, or a shipped model");
    struct fum_log log = cli_log(values.verbose);
    struct fum_model_params params = {
        .path = argv[0], .program_dir = cli_program_dir(program_dir), .log = &log};
    enum fum_result result = fum_contents_open(&contents, argv[0], &err);
    if (result == FUM_OK && !contents) result = fum_model_open(&model, &params, &err);
    if (result != FUM_OK)
        status = cli_fail_result(result, &err);
    else
        status =
            contents ? describe_contents(contents, &values) : describe_model(model, values.json);
    fum_contents_close(&contents);
    fum_model_destroy(&model);
    return status;
}

const struct cli_command cli_info = {
    .name = "info",
    .arguments = "MODEL",
    .summary = "what a checkpoint or another file is, and whether it is complete",
    .details =
        "MODEL is a diffusers folder, a checkpoint file, or a shipped model such as emoji; or "
        "an adapter, a textual inversion, a VAE, a ControlNet, a network that enlarges "
        "pictures, or one component of a model.\n"
        "A component's folder or file stands for the whole. The components of a model that "
        "generate cannot use yet are listed before the reason. The exit status is 1 then, "
        "and when a needed tensor is missing or has another shape.\n",
    .options = options,
    .run = run,
};
