// SPDX-License-Identifier: MIT
// fumarole convert: a model in another kind of file, or with weights of another type.
#include "cli.h"
#include "progress.h"

#include <fumarole/convert.h>

#include <string.h>

struct convert_options {
    const char *output, *type, *type_rules;
    bool quiet, verbose;
};

#define FIELD(name) offsetof(struct convert_options, name)
// clang-format off
static const struct cli_option options[] = {
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = FIELD(output), .value = "OUT",
     .help = "the converted model, whose ending decides: .gguf, .safetensors, or none for a "
             "diffusers folder"},
    {.name = "type", .kind = CLI_STRING, .offset = FIELD(type), .value = "TYPE",
     .help = "the type of weights (default: as they are): f32 f16 bf16, or for .gguf q8_0 q4_0 "
             "q4_1 q5_0 q5_1 q2_K q3_K q4_K q5_K q6_K"},
    {.name = "tensor-type-rules", .kind = CLI_STRING, .offset = FIELD(type_rules),
     .value = "REGEX=TYPE,...", .help = "types of tensors whose names match; the first rule wins"},
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = FIELD(quiet),
     .help = "no progress"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "say more"},
    {0},
};
// clang-format on

static bool on_progress(void *user, const char *file, uint64_t done, uint64_t total) {
    const char *slash = strrchr(file, '/');
    struct cli_pieces pieces = {.what = slash ? slash + 1 : file,
                                .done = (int)(done >> 20),
                                .total = (int)(total >> 20),
                                .interval = 2};
    cli_progress_pieces(user, &pieces);
    return !cli_interrupted();
}

static int convert(const struct convert_options *values, const char *input) {
    char program_dir[CLI_PATH_BYTES];
    struct fum_log log = cli_log(values->verbose);
    struct fum_error err = {0};
    struct cli_progress progress;
    cli_progress_begin(&progress, values->quiet);
    const struct fum_convert_params params = {.path = input,
                                              .output = values->output,
                                              .type = values->type,
                                              .type_rules = values->type_rules,
                                              .program_dir = cli_program_dir(program_dir),
                                              .log = &log,
                                              .on_progress = on_progress,
                                              .user = &progress};
    cli_catch_interrupt();
    enum fum_result result = fum_convert(&params, &err);
    cli_progress_clear(&progress);
    if (result == FUM_ERR_CANCELLED) return cli_interrupted_status();
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct convert_options values = {0};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc != 1 || !values.output)
        return cli_misuse(command, "name one model, and the result with -o OUT");
    return convert(&values, argv[0]);
}

const struct cli_command cli_convert = {
    .name = "convert",
    .arguments = "MODEL -o OUT",
    .summary = "a model in another kind of file or type of weights",
    .details = "MODEL is a diffusers folder or a file: .safetensors, GGUF, or a pickle of torch, "
               "of which nothing is run. Single files get the names of the original layout. Blocks "
               "of integers are for matrices of the UNet's attention and feed-forward layers; "
               "with them, other matrices and convolutions become f16, vectors f32. K types fall "
               "back to q8_0 where rows are no whole blocks of 256.\n",
    .options = options,
    .run = run,
};
