// SPDX-License-Identifier: MIT
// fumarole merge: a model with LoRAs baked in.
#include "adapters.h"
#include "cli.h"
#include "model.h"

struct merge_options {
    const char *model, *adapter_dir, *output;
    struct cli_list lora;
    bool verbose;
};

#define FIELD(name) offsetof(struct merge_options, name)
// clang-format off
static const struct cli_option options[] = {
    {.name = "model", .letter = 'm', .kind = CLI_PATH, .offset = FIELD(model), .value = "MODEL",
     .help = "diffusers folder, checkpoint file, or shipped model"},
    {.name = "lora", .kind = CLI_LIST, .offset = FIELD(lora), .value = "NAME[:W[:W]]",
     .help = "a LoRA, at these weights of the UNet and the text encoders (default 1, and the "
             "same); can be given several times"},
    {.name = "lora-model-dir", .kind = CLI_PATH, .offset = FIELD(adapter_dir), .value = "DIR",
     .help = "the folder of the LoRAs that --lora names, with or without .safetensors"},
    {.name = "output", .letter = 'o', .kind = CLI_PATH, .offset = FIELD(output), .value = "OUT",
     .help = "the merged model, whose ending decides: .safetensors, .gguf, or none for a folder"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "say more"},
    {0},
};
// clang-format on

static int merge(const struct merge_options *values, const struct cli_adapters *adapters) {
    struct fum_log log = cli_log(values->verbose);
    struct fum_error err = {0};
    fum_model *model = NULL;
    int status = cli_open_model(&model, values->model, &log);
    const struct fum_merge_params params = {.adapters = adapters->list,
                                            .num_adapters = adapters->count,
                                            .adapter_dir = values->adapter_dir,
                                            .path = values->output,
                                            .log = &log};
    enum fum_result result = status ? FUM_OK : fum_adapter_merge(model, &params, &err);
    if (result != FUM_OK) status = cli_fail_result(result, &err);
    if (status == 0) cli_put_line(stdout, "%s: %d merged", values->output, adapters->count);
    fum_model_destroy(&model);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct merge_options values = {0};
    struct cli_adapters adapters = {0};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc || !values.model || !values.output || !values.lora.count)
        return cli_misuse(command, "give a model with -m, --lora NAME, and -o OUT");
    status = cli_adapters_read(&adapters, &values.lora) ? merge(&values, &adapters)
                                                        : cli_fail("out of memory");
    cli_adapters_free(&adapters);
    return status;
}

const struct cli_command cli_merge = {
    .name = "merge",
    .arguments = "-m MODEL --lora NAME... -o OUT",
    .summary = "a model with LoRAs baked in",
    .details = "Weights are added in f32 and stored in the type that the model has.\n",
    .options = options,
    .run = run,
};
