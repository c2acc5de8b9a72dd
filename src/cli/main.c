// fumarole: the program. Finds the subcommand and runs it.
#include "cli.h"

#include <string.h>

static const struct cli_command *const commands[] = {
    &cli_generate, &cli_tokenize, &cli_info, &cli_devices, &cli_selftest, &cli_bench, &cli_tune,
};
enum { NUM_COMMANDS = sizeof commands / sizeof commands[0] };

static int print_usage(void) {
    printf("fumarole %s: pictures from diffusion models on any GPU with a Vulkan driver\n\n"
           "usage: fumarole COMMAND [OPTIONS]\n\n",
           fum_version());
    for (int i = 0; i < NUM_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n  fumarole COMMAND --help    the options of a command\n"
           "  fumarole --version         the version\n\n"
           "First picture:  fumarole generate \"a smiling cat face\" -o cat.png\n\n"
           "Environment:\n"
           "  FUMAROLE_MODELS      a folder of models, looked at before the shipped ones\n"
           "  FUMAROLE_CACHE       where compiled kernels are kept instead of the user's cache folder\n"
           "  FUMAROLE_CLIP_VOCAB  the CLIP vocabulary's file, or its folder\n"
           "  FUMAROLE_VALIDATE    when set: run under the Vulkan validation layer\n\n"
           "Exit status: 0 done; 1 failed, one line on standard error says why; 2 wrong usage;\n"
           "130 stopped by Ctrl-C\n");
    return 0;
}

static int unknown_command(const char *name) {
    const char *names[NUM_COMMANDS + 1] = {0};
    for (int i = 0; i < NUM_COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *nearest = cli_nearest(name, names);
    if (nearest)
        cli_fail("unknown command \"%.60s\"; did you mean %s?", name, nearest);
    else
        cli_fail("unknown command \"%.60s\"; fumarole --help lists them", name);
    return CLI_USAGE;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        cli_fail("no command; fumarole --help lists them, fumarole generate \"a smiling cat face\" makes a picture");
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return print_usage();
    if (strcmp(name, "--version") == 0) {
        printf("fumarole %s\n", fum_version());
        return 0;
    }
    for (int i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) != 0)
            continue;
        int status = commands[i]->run(commands[i], argc - 2, argv + 2);
        bool lost = fflush(stdout) != 0 || ferror(stdout);
        if (lost && status == 0)
            return cli_fail("could not write to standard output");
        return status;
    }
    return unknown_command(name);
}
