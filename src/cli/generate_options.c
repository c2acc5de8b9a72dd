#include "generate_options.h"

#include <fumarole/pipeline.h>
#include <fumarole/sampler.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 16384, MAX_STEPS = 1000, MAX_COUNT = 10000, MAX_CLIP_SKIP = 64, MAX_NAMES = 64 };

static const char *const predictions[] = {"epsilon", "v_prediction", "sample", NULL};
static const char *const spacings[] = {"leading", "linspace", "trailing", NULL};
static const char *const precisions[] = {"auto", "f32", "f16", "bf16", NULL};
static const char *const types[] = {"auto", "q8_0", NULL};
static const char *const modes[] = {"img_gen", "txt2img", NULL};
static const char *const generators[] = {"cuda", "cpu", NULL};

#define FIELD(name) offsetof(struct generate_options, name)

// Long flags as sd-cli spells them; rows without help are its other spellings.
const struct cli_option generate_option_table[] = {
    {"prompt", 'p', CLI_STRING, FIELD(prompt), "TEXT", "what to draw; a bare argument does too", 0, 0, NULL},
    {"prompt-file", 0, CLI_PATH, FIELD(prompt_file), "FILE", "read the prompt from a file (- is standard input)", 0, 0,
     NULL},
    {"negative-prompt", 'n', CLI_STRING, FIELD(negative), "TEXT", "what to keep away from", 0, 0, NULL},
    {"model", 'm', CLI_PATH, FIELD(model), "MODEL",
     "diffusers folder, checkpoint file, or shipped model (default emoji)", 0, 0, NULL},
    {"output", 'o', CLI_PATH, FIELD(output), "FILE", "the picture, a .png (default output.png); %d is the number", 0,
     0, NULL},
    {"width", 'W', CLI_INT, FIELD(width), "PIXELS", "default: the model's own size", 1, MAX_SIDE, NULL},
    {"height", 'H', CLI_INT, FIELD(height), "PIXELS", "default: the model's own size", 1, MAX_SIDE, NULL},
    {"steps", 0, CLI_INT, FIELD(steps), "N", "sampling steps (default: the model's own)", 1, MAX_STEPS, NULL},
    {"cfg-scale", 0, CLI_REAL, FIELD(guidance), "F", "guidance; 1 is none (default: the model's own)", 0, 1000, NULL},
    {"guidance-scale", 0, CLI_REAL, FIELD(guidance), "F", NULL, 0, 1000, NULL},
    {"seed", 's', CLI_SEED, FIELD(seed), "N", "default 42; -1 draws one and says it", 0, 0, NULL},
    {"batch-count", 'b', CLI_INT, FIELD(count), "N", "pictures to make; picture i has seed + i", 1, MAX_COUNT, NULL},
    {"sampling-method", 0, CLI_STRING, FIELD(sampler), "NAME", "the sampler (default: the model's own)", 0, 0, NULL},
    {"sampler", 0, CLI_STRING, FIELD(sampler), "NAME", NULL, 0, 0, NULL},
    {"scheduler", 0, CLI_STRING, FIELD(schedule), "NAME", "the noise schedule (default: the model's own)", 0, 0, NULL},
    {"schedule", 0, CLI_STRING, FIELD(schedule), "NAME", NULL, 0, 0, NULL},
    {"timestep-spacing", 0, CLI_CHOICE, FIELD(spacing), "NAME", "where the steps lie (default: the model's own):", 0, 0,
     spacings},
    {"prediction", 0, CLI_CHOICE, FIELD(prediction), "NAME", "what the UNet predicts (default: what the model says):",
     0, 0, predictions},
    {"eta", 0, CLI_REAL, FIELD(eta), "F", "noise added back: 0 DDIM, 1 DDPM; for ddim and ancestral samplers", 0, 100,
     NULL},
    {"clip-skip", 0, CLI_INT, FIELD(clip_skip), "N", "stop the text encoder early; 1 is its last layer", 1,
     MAX_CLIP_SKIP, NULL},
    {"rng", 0, CLI_CHOICE, FIELD(rng), "NAME", "draw noise as torch does on that device (default cuda):", 0, 0,
     generators},
    {"precision", 0, CLI_CHOICE, FIELD(precision), "TYPE", "how values are stored (default auto):", 0, 0, precisions},
    {"type", 0, CLI_CHOICE, FIELD(type), "TYPE", "how the UNet's and text encoders' weights are stored (default auto):", 0,
     0, types},
    {"device", 0, CLI_STRING, FIELD(device), "WHICH", "number, uuid or part of a name, see fumarole devices", 0, 0,
     NULL},
    {"variant", 0, CLI_STRING, FIELD(variant), "NAME", "insist on a variant of the kernels, see fumarole devices", 0, 0,
     NULL},
    {"memory-budget", 0, CLI_STRING, FIELD(memory_text), "BYTES",
     "device memory to stay under, as 4GiB or 512MiB; auto is what is free", 0, 0, NULL},
    {"vae-tiling", 0, CLI_FLAG, FIELD(vae_tiling), NULL, "decode the picture in bands, in less memory", 0, 0, NULL},
    {"noise", 0, CLI_PATH, FIELD(noise), "FILE", "start from tensor \"noise\" [n,c,h,w] of a .safetensors file", 0, 0,
     NULL},
    {"save-latents", 0, CLI_PATH, FIELD(save_latents), "FILE",
     "write tensor \"latents\" [n,c,h,w] as the sampler left them", 0, 0, NULL},
    {"trace", 0, CLI_PATH, FIELD(trace), "FILE", "write a timeline of submissions, waits and transfers", 0, 0, NULL},
    {"dump-graph", 0, CLI_PATH, FIELD(dump_graph), "DIR", "write each graph after each pass, as text and Graphviz", 0,
     0, NULL},
    {"verbose", 'v', CLI_FLAG, FIELD(verbose), NULL, "say more", 0, 0, NULL},
    {"quiet", 'q', CLI_FLAG, FIELD(quiet), NULL, "no progress", 0, 0, NULL},
    // What sd-cli wants to be told and is always so here.
    {"mode", 'M', CLI_CHOICE, FIELD(mode), "MODE", NULL, 0, 0, modes},
    {"diffusion-fa", 0, CLI_FLAG, FIELD(ignored), NULL, NULL, 0, 0, NULL},
    {"mmap", 0, CLI_FLAG, FIELD(ignored), NULL, NULL, 0, 0, NULL},
    {0},
};

struct generate_options generate_options_default(void) {
    return (struct generate_options){.output = "output.png", .seed = 42, .guidance = -1, .count = 1};
}

// Checks a name against name_at(0..): unknown is wrong usage, and the nearest one is named.
static int check_name(const struct cli_command *command, const char *option, const char *name,
                      const char *(*name_at)(size_t)) {
    const char *names[MAX_NAMES + 1] = {0};
    char list[320] = "";
    size_t used = 0;
    for (size_t i = 0; i < MAX_NAMES && (names[i] = name_at(i)) != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return -1;
        int len = snprintf(list + used, sizeof list - used, " %s", names[i]);
        used = len < 0 || used + (size_t)len >= sizeof list ? used : used + (size_t)len;
    }
    const char *nearest = cli_nearest(name, names);
    if (nearest)
        return cli_misuse(command, "--%s knows no \"%.40s\"; did you mean %s? It takes:%s", option, name, nearest,
                          list);
    return cli_misuse(command, "--%s knows no \"%.40s\"; it takes:%s", option, name, list);
}

// "4GiB", "512MiB", "1.5G", plain bytes, or "auto". 0 is no size.
static uint64_t parse_bytes(const char *text) {
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},         {"B", 1},      {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                 {"TiB", 0x1p40}, {"K", 0x1p10}, {"M", 0x1p20},   {"G", 0x1p30},   {"T", 0x1p40},
                 {"kB", 1e3},     {"KB", 1e3},   {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
    char *end;
    if (strcmp(text, "auto") == 0)
        return FUM_MEMORY_AUTO;
    if (*text < '0' || *text > '9')
        return 0;
    double number = strtod(text, &end);
    if (end != text + strspn(text, "0123456789.")) // strtod knows more than decimals
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0 && number * units[i].bytes >= 1 && number * units[i].bytes < 0x1p60)
            return (uint64_t)(number * units[i].bytes);
    return 0;
}

int generate_options_check(const struct cli_command *command, struct generate_options *options, int argc,
                           char **argv) {
    int status = -1;
    if (argc > 1)
        return cli_misuse(command, "more than one prompt: \"%.40s\" and \"%.40s\"; put quotes around it", argv[0],
                          argv[1]);
    if ((options->prompt != NULL) + (options->prompt_file != NULL) + (argc == 1) > 1)
        return cli_misuse(command, "give the prompt once: -p, --prompt-file, or a bare argument");
    if (argc == 1)
        options->prompt = argv[0];
    if (!options->prompt && !options->prompt_file)
        return cli_misuse(command, "no prompt: give one with -p, or as a bare argument");
    if (options->memory_text && !(options->memory_budget = parse_bytes(options->memory_text)))
        return cli_misuse(command,
                          "--memory-budget takes auto or a size such as 4GiB, 512MiB or 1000000000, not \"%.40s\"",
                          options->memory_text);
    if (options->sampler)
        status = check_name(command, "sampling-method", options->sampler, fum_sampler_name);
    if (status < 0 && options->schedule)
        status = check_name(command, "scheduler", options->schedule, fum_schedule_name);
    if (status < 0 && options->sampler && options->schedule &&
        !fum_sampler_accepts(options->sampler, options->schedule))
        status = cli_misuse(command, "the sampler %s does not run on the schedule %s; leave --scheduler out",
                            options->sampler, options->schedule);
    return status;
}
