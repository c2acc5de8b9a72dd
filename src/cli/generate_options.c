// SPDX-License-Identifier: MIT
#include "generate_options.h"

#include <fumarole/pipeline.h>
#include <fumarole/sampler.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_STEPS = 1000,
    MAX_COUNT = 10000,
    MAX_CLIP_SKIP = 64,
    MAX_THREADS = 1024,
    MAX_NUMBER = 1000000000,
    MAX_CLASS = 1 << 24,
    MAX_NAMES = 64,
};

static const char *const predictions[] = {"epsilon", "v_prediction", "sample", NULL};
static const char *const spacings[] = {"leading", "linspace", "trailing", NULL};
static const char *const precisions[] = {"auto", "f32", "f16", "bf16", NULL};
static const char *const types[] = {"auto", "f32", "f16", "bf16", "q8_0", NULL};
static const char *const modes[] = {"img_gen", "txt2img", NULL};
static const char *const generators[] = {"cuda", "cpu", NULL};

static const char ddim_trailing[] = "ddim_trailing"; // sd-cli's DDIM, which takes trailing steps

// Names from the library; generate_options_default() fills them in.
static const char *sampler_names[MAX_NAMES + 2], *schedule_names[MAX_NAMES + 1];

#define FIELD(name) offsetof(struct generate_options, name)
// Long options as sd-cli spells them; rows without help are other spellings. What sd-cli has and
// fumarole has not is in foreign.c.
const struct cli_option generate_option_table[] = {
    CLI_HEADING_ROW("Prompt and model"),
    {"prompt", 'p', CLI_STRING, FIELD(prompt), "TEXT", "what to draw; a bare argument does too", 0,
     0, NULL},
    {"prompt-file", 0, CLI_PATH, FIELD(prompt_file), "FILE",
     "read the prompt from a file (- is standard input)", 0, 0, NULL},
    {"negative-prompt", 'n', CLI_STRING, FIELD(negative), "TEXT", "what to keep away from", 0, 0,
     NULL},
    {"negative-prompt-file", 0, CLI_PATH, FIELD(negative_file), "FILE",
     "read it from a file (- is standard input)", 0, 0, NULL},
    {"model", 'm', CLI_PATH, FIELD(model), "MODEL",
     "diffusers folder, checkpoint file, or shipped model (default emoji)", 0, 0, NULL},
    {"prediction", 0, CLI_CHOICE, FIELD(prediction), "NAME",
     "what the UNet predicts (default: what the model says):", 0, 0, predictions},
    {"clip-skip", 0, CLI_INT, FIELD(clip_skip), "N",
     "stop the text encoder early; 1 is its last layer (default: the model's own, as with -1 and "
     "0)",
     -1, MAX_CLIP_SKIP, NULL},

    CLI_HEADING_ROW("Picture"),
    {"output", 'o', CLI_PATH, FIELD(output), "FILE",
     "the picture, a .png (default output.png); %d is the number, - standard output", 0, 0, NULL},
    {"no-clobber", 0, CLI_FLAG, FIELD(no_clobber), NULL, "refuse to replace files that are there",
     0, 0, NULL},
    {"output-begin-idx", 0, CLI_INT, FIELD(output_begin), "N",
     "number of the first picture (default 1)", 0, MAX_NUMBER, NULL},
    {"width", 'W', CLI_INT, FIELD(width), "PIXELS", "default: the model's own size", 1,
     FUM_MAX_SIDE, NULL},
    {"height", 'H', CLI_INT, FIELD(height), "PIXELS", "default: the model's own size", 1,
     FUM_MAX_SIDE, NULL},
    {"batch-count", 'b', CLI_INT, FIELD(count), "N", "pictures to make; picture i has seed + i", 1,
     MAX_COUNT, NULL},

    CLI_HEADING_ROW("Sampling"),
    {"steps", 0, CLI_INT, FIELD(steps), "N", "sampling steps (default: the model's own)", 1,
     MAX_STEPS, NULL},
    {"cfg-scale", 0, CLI_REAL, FIELD(guidance), "F",
     "guidance; 1 is none (default: the model's own)", 0, 1000, NULL},
    {"guidance-scale", 0, CLI_REAL, FIELD(guidance), "F", NULL, 0, 1000, NULL},
    {"class", 0, CLI_REAL, FIELD(class_label), "N",
     "the class to draw, from 0, of a model that has classes", 0, MAX_CLASS, NULL},
    {"seed", 's', CLI_SEED, FIELD(seed), "N",
     "0 to 18446744073709551615 (default 42); -1 draws one and reports it", 0, 0, NULL},
    {"sampling-method", 0, CLI_CHOICE, FIELD(sampler), "NAME",
     "the sampler (default: the model's own):", 0, 0, sampler_names},
    {"sampler", 0, CLI_CHOICE, FIELD(sampler), "NAME", NULL, 0, 0, sampler_names},
    {"scheduler", 0, CLI_CHOICE, FIELD(schedule), "NAME",
     "the noise schedule (default: the model's own):", 0, 0, schedule_names},
    {"schedule", 0, CLI_CHOICE, FIELD(schedule), "NAME", NULL, 0, 0, schedule_names},
    {"timestep-spacing", 0, CLI_CHOICE, FIELD(spacing), "NAME",
     "where the steps lie (default: the model's own):", 0, 0, spacings},
    {"eta", 0, CLI_REAL, FIELD(eta), "F",
     "noise added back, 0 to 1, for ddim (default 0), ancestral and sde samplers (1)", 0,
     FUM_MAX_ETA, NULL},
    {"rng", 0, CLI_CHOICE, FIELD(rng), "NAME",
     "draw noise as torch does on that device (default cuda):", 0, 0, generators},
    {"sampler-rng", 0, CLI_CHOICE, FIELD(sampler_rng), "NAME", NULL, 0, 0, generators},

    CLI_HEADING_ROW("Device and memory"),
    {"device", 0, CLI_STRING, FIELD(device), "WHICH",
     "number, uuid or part of a name, see fumarole devices", 0, 0, NULL},
    {"list-devices", 0, CLI_FLAG, FIELD(list_devices), NULL, "the same as fumarole devices", 0, 0,
     NULL},
    {"precision", 0, CLI_CHOICE, FIELD(precision), "TYPE",
     "how values are stored (default auto):", 0, 0, precisions},
    {"type", 0, CLI_CHOICE, FIELD(type), "TYPE",
     "how weights are stored: as --precision, which f32, f16 and bf16 set too, or q8_0 (default "
     "auto):",
     0, 0, types},
    {"memory-budget", 0, CLI_STRING, FIELD(memory_text), "BYTES",
     "device memory to stay under, as 4GiB or 512MiB; auto is what is free", 0, 0, NULL},
    {"max-vram", 0, CLI_STRING, FIELD(max_vram), "GIB",
     "the same in GiB; 0 is no limit, a negative number what is free", 0, 0, NULL},
    {"offload-to-cpu", 0, CLI_FLAG, FIELD(offload), NULL, "the same as --memory-budget auto", 0, 0,
     NULL},
    {"auto-fit", 0, CLI_FLAG, FIELD(offload), NULL, NULL, 0, 0, NULL},
    {"vae-tiling", 0, CLI_FLAG, FIELD(vae_tiling), NULL,
     "decode the picture in bands, in less memory", 0, 0, NULL},
    {"threads", 't', CLI_INT, FIELD(threads), "N",
     "threads that prepare weights (default: one per processor, at most 8, as with -1 and 0)", -1,
     MAX_THREADS, NULL},
    {"variant", 0, CLI_STRING, FIELD(variant), "NAME",
     "force a variant of the kernels, see fumarole devices", 0, 0, NULL},

    CLI_HEADING_ROW("Latents and traces"),
    {"noise", 0, CLI_PATH, FIELD(noise), "FILE",
     "start from tensor \"noise\" [n,c,h,w] of a .safetensors file", 0, 0, NULL},
    {"save-latents", 0, CLI_PATH, FIELD(save_latents), "FILE",
     "write tensor \"latents\" [n,c,h,w] as the sampler left them", 0, 0, NULL},
    {"trace", 0, CLI_PATH, FIELD(trace), "FILE",
     "write a timeline of submissions, waits and transfers", 0, 0, NULL},
    {"dump-graph", 0, CLI_PATH, FIELD(dump_graph), "DIR",
     "write each graph after each pass, as text and Graphviz", 0, 0, NULL},

    CLI_HEADING_ROW("Messages"),
    {"verbose", 'v', CLI_FLAG, FIELD(verbose), NULL, "say more", 0, 0, NULL},
    {"quiet", 'q', CLI_FLAG, FIELD(quiet), NULL, "no progress", 0, 0, NULL},
    {"mode", 'M', CLI_CHOICE, FIELD(mode), "MODE", NULL, 0, 0, modes},
    {0},
};

static void fill_names(void) {
    size_t count = 0;
    for (; count < MAX_NAMES && fum_sampler_name(count); count++)
        sampler_names[count] = fum_sampler_name(count);
    sampler_names[count] = ddim_trailing;
    for (size_t i = 0; i < MAX_NAMES && fum_schedule_name(i); i++)
        schedule_names[i] = fum_schedule_name(i);
}

struct generate_options generate_options_default(void) {
    fill_names();
    return (struct generate_options){.output = "output.png",
                                     .seed = {.value = 42},
                                     .guidance = -1,
                                     .eta = NAN,
                                     .class_label = -1,
                                     .count = 1,
                                     .output_begin = 1};
}

// Parses "4GiB", "512MiB", "1.5G", plain bytes, or "auto". Returns 0 if it is no size.
static uint64_t parse_bytes(const char *text) {
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},         {"B", 1},      {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
                 {"TiB", 0x1p40}, {"K", 0x1p10}, {"M", 0x1p20},   {"G", 0x1p30},   {"T", 0x1p40},
                 {"kB", 1e3},     {"KB", 1e3},   {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
    char *end;
    if (strcmp(text, "auto") == 0) return FUM_MEMORY_AUTO;
    if (*text < '0' || *text > '9') return 0;
    double number = strtod(text, &end);
    if (end != text + strspn(text, "0123456789.")) // strtod knows more than decimals
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0 && number * units[i].bytes >= 1 &&
            number * units[i].bytes < 0x1p60)
            return (uint64_t)(number * units[i].bytes);
    return 0;
}

// Reads sd-cli's budget: GiB, 0 for no limit, a negative number for what is free.
static bool parse_vram(const char *text, uint64_t *bytes) {
    char *end;
    const char *digits = text + (*text == '-');
    double gib = strtod(digits, &end);
    if (!*digits || *end || end != digits + strspn(digits, "0123456789.") || gib > 1 << 20)
        return false;
    *bytes = *text == '-' ? FUM_MEMORY_AUTO : (uint64_t)(gib * 0x1p30);
    return true;
}

static int check_prompts(const struct cli_command *command, struct generate_options *options,
                         int argc, char **argv) {
    if (argc > 1)
        return cli_misuse(command, "more than one prompt: \"%s\" and \"%s\"; put quotes around it",
                          cli_show(argv[0]).text, cli_show(argv[1]).text);
    if ((options->prompt != NULL) + (options->prompt_file != NULL) + (argc == 1) > 1)
        return cli_misuse(command, "give the prompt once: -p, --prompt-file, or a bare argument");
    if (options->negative && options->negative_file)
        return cli_misuse(command, "give the negative prompt once: -n or --negative-prompt-file");
    if (options->prompt_file && options->negative_file && strcmp(options->prompt_file, "-") == 0 &&
        strcmp(options->negative_file, "-") == 0)
        return cli_misuse(command, "only one prompt can come from standard input");
    if (argc == 1) options->prompt = argv[0];
    if (!options->prompt && !options->prompt_file)
        return cli_misuse(command, "no prompt: give one with -p, or as a bare argument");
    return -1;
}

static int check_memory(const struct cli_command *command, struct generate_options *options) {
    if (options->memory_text && options->max_vram)
        return cli_misuse(command, "give --memory-budget or --max-vram, not both");
    if (options->max_vram && !parse_vram(options->max_vram, &options->memory_budget))
        return cli_misuse(command,
                          "--max-vram needs one number of GiB such as 6 or 1.5, not \"%s\"",
                          cli_show(options->max_vram).text);
    if (options->memory_text && !(options->memory_budget = parse_bytes(options->memory_text)))
        return cli_misuse(
            command,
            "--memory-budget takes auto or a size such as 4GiB, 512MiB or 1000000000, not \"%s\"",
            cli_show(options->memory_text).text);
    if (options->offload && !options->memory_text && !options->max_vram)
        options->memory_budget = FUM_MEMORY_AUTO;
    return -1;
}

// Weights are stored as --precision says, so --type f16 means the same as --precision f16.
static int check_type(const struct cli_command *command, struct generate_options *options) {
    const char *type = options->type, *precision = options->precision;
    if (!type || strcmp(type, "auto") == 0 || strcmp(type, "q8_0") == 0) return -1;
    if (precision && strcmp(precision, "auto") != 0 && strcmp(precision, type) != 0)
        return cli_misuse(command,
                          "--type %s and --precision %s contradict each other; leave one out", type,
                          precision);
    options->precision = type;
    return -1;
}

static int check_sampling(const struct cli_command *command, struct generate_options *options) {
    const char *rng = options->rng ? options->rng : generators[0];
    if (options->sampler && strcmp(options->sampler, ddim_trailing) == 0) {
        options->sampler = "ddim";
        options->spacing = options->spacing ? options->spacing : "trailing";
    }
    if (options->sampler_rng && strcmp(options->sampler_rng, rng) != 0)
        return cli_misuse(
            command, "--sampler-rng %s with --rng %s is not supported yet; give both the same name",
            options->sampler_rng, rng);
    if (options->sampler && options->schedule &&
        !fum_sampler_accepts(options->sampler, options->schedule))
        return cli_misuse(command,
                          "the sampler %s does not run on the schedule %s; leave --scheduler out",
                          options->sampler, options->schedule);
    return -1;
}

int generate_options_check(const struct cli_command *command, struct generate_options *options,
                           int argc, char **argv) {
    int status = check_prompts(command, options, argc, argv);
    if (status < 0) status = check_memory(command, options);
    if (status < 0) status = check_type(command, options);
    if (status < 0) status = check_sampling(command, options);
    if (status < 0 && (int64_t)options->width * options->height > FUM_MAX_PIXELS)
        status = cli_misuse(command, "-W %d -H %d make %lld pixels; at most %d can be drawn",
                            options->width, options->height,
                            (long long)options->width * options->height, FUM_MAX_PIXELS);
    options->clip_skip = options->clip_skip < 0 ? 0 : options->clip_skip;
    options->threads = options->threads < 0 ? 0 : options->threads;
    return status;
}
