// SPDX-License-Identifier: MIT
// fumarole extract-lora: the difference of two models as a LoRA.
#include "cli.h"
#include "model.h"

#include <fumarole/adapter.h>

enum { DEFAULT_RANK = 16, MAX_RANK = 4096 };

struct extract_options {
    const char *output;
    int rank;
    bool verbose;
};

#define FIELD(name) offsetof(struct extract_options, name)
// clang-format off
static const struct cli_option options[] = {
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = FIELD(output), .value = "FILE",
     .help = "the LoRA, a .safetensors file"},
    {.name = "rank", .kind = CLI_INT, .offset = FIELD(rank), .value = "N", .min = 1,
     .max = MAX_RANK, .help = "rank of every product, at most (default 16)"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "say more"},
    {0},
};
// clang-format on

static int extract(const struct extract_options *values, char **paths) {
    struct fum_log log = cli_log(values->verbose);
    struct fum_error err = {0};
    fum_model *base = NULL, *tuned = NULL;
    const struct fum_extract_params params = {values->output, values->rank, &log};
    int status = cli_open_model(&base, paths[0], &log);
    if (status == 0) status = cli_open_model(&tuned, paths[1], &log);
    enum fum_result result = status ? FUM_OK : fum_adapter_extract(base, tuned, &params, &err);
    if (result != FUM_OK) status = cli_fail_result(result, &err);
    if (status == 0) cli_put_line(stdout, "%s: rank %d", values->output, values->rank);
    fum_model_destroy(&base);
    fum_model_destroy(&tuned);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct extract_options values = {.rank = DEFAULT_RANK};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc != 2 || !values.output)
        return cli_misuse(command, "name two models, BASE and TUNED, and the file with -o");
    return extract(&values, argv);
}

const struct cli_command cli_extract_lora = {
    .name = "extract-lora",
    .arguments = "BASE TUNED -o FILE",
    .summary = "the difference of two models as a LoRA",
    .details = "Each weight's difference is approximated by its largest singular values. The keys "
               "are kohya's, the values f32.\n",
    .options = options,
    .run = run,
};
