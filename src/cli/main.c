// SPDX-License-Identifier: MIT
// fumarole: the program. Finds the subcommand and runs it.
#include "cli.h"

#include "cpu_driver.h"
#include "help.h"

#include <string.h>

static const struct cli_command *const commands[] = {
#define CLI_COMMAND(name) &cli_##name,
#include "commands.def"
#undef CLI_COMMAND
};
enum { NUM_COMMANDS = sizeof commands / sizeof commands[0] };

static const struct {
    const char *name, *help;
} variables[] = {
    {"FUMAROLE_MODELS", "a folder of models, searched before the shipped ones"},
    {"FUMAROLE_CACHE", "where compiled kernels and hashes of large files are kept instead of the "
                       "user's cache folder"},
    {"FUMAROLE_CLIP_VOCAB", "the CLIP vocabulary file, or its folder"},
    {"LP_NATIVE_VECTOR_WIDTH",
     "bits of lavapipe's vectors; generate takes 512 for long runs on CPUs of that full rate"},
    {"LP_NUM_THREADS",
     "lavapipe's threads; generate takes four for each processor with large models"},
    {"FUMAROLE_VALIDATE", "when set: run under the Vulkan validation layer"},
    {"COLUMNS", "the width of --help instead of the terminal's"},
};

static int print_usage(void) {
    enum { COMMAND_COLUMN = 15, SYNTAX_COLUMN = 29, VARIABLE_COLUMN = 26 };
    char title[160];
    snprintf(title, sizeof title,
             "fumarole %s: pictures from diffusion models on any GPU with a Vulkan driver",
             fum_version());
    cli_help_text(title, 0);
    cli_help_text("\nusage: fumarole COMMAND [OPTIONS]\n\nCommands:\n", 0);
    for (int i = 0; i < NUM_COMMANDS; i++)
        cli_help_row(commands[i]->name, commands[i]->summary, COMMAND_COLUMN);
    putchar('\n');
    cli_help_row("fumarole COMMAND --help", "the options of a command", SYNTAX_COLUMN);
    cli_help_row("fumarole OPTIONS", "the same as fumarole generate OPTIONS", SYNTAX_COLUMN);
    cli_help_row("fumarole --version", "the version", SYNTAX_COLUMN);
    cli_help_text(
        "\nFirst picture:  fumarole generate \"a smiling cat face\" -o cat.png\n\nEnvironment:\n",
        0);
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        cli_help_row(variables[i].name, variables[i].help, VARIABLE_COLUMN);
    cli_help_text("\nExit status: 0 done; 1 failed, one line on standard error says why; 2 wrong "
                  "usage; 130 stopped by Ctrl-C, or 128 and the number of another signal\n",
                  0);
    return 0;
}

static const char *command_name(size_t index) {
    return index < NUM_COMMANDS ? commands[index]->name : NULL;
}

static int unknown_command(const char *name) {
    const char *nearest = fum_text_nearest(name, command_name);
    if (nearest)
        cli_fail("unknown command \"%s\"; did you mean %s?", cli_show(name).text, nearest);
    else if (strchr(name, ' '))
        cli_fail("unknown command \"%s\"; fumarole generate draws a prompt", cli_show(name).text);
    else
        cli_fail("unknown command \"%s\"; fumarole --help lists them", cli_show(name).text);
    return CLI_USAGE;
}

static bool is_one_of(const char *word, const char *a, const char *b) {
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static const struct cli_command *find_command(const char *name) {
    for (int i = 0; i < NUM_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

// Prints the program's usage, or that of the command in argv[0].
static int run_help(int argc, char **argv) {
    static char help[] = "--help", *arguments[] = {help, NULL};
    if (argc == 0) return print_usage();
    const struct cli_command *command = find_command(argv[0]);
    return command ? command->run(command, 1, arguments) : unknown_command(argv[0]);
}

static int run_command(int argc, char **argv) {
    if (argc < 2) {
        cli_fail("no command; fumarole --help lists them, fumarole generate \"a smiling cat face\" "
                 "makes a picture");
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0) return run_help(argc - 2, argv + 2);
    if (is_one_of(name, "--help", "-h")) return print_usage();
    if (is_one_of(name, "--version", "-V")) {
        cli_print_version();
        return 0;
    }
    // Other tools have no subcommands: a line that begins with an option generates.
    if (name[0] == '-') return cli_generate.run(&cli_generate, argc - 1, argv + 1);
    const struct cli_command *command = find_command(name);
    return command ? command->run(command, argc - 2, argv + 2) : unknown_command(name);
}

int main(int argc, char **argv) {
    cli_open_descriptors();
    cli_ignore_pipes();
    cli_json_init();
    cli_separate_kernels();
#if defined(_WIN32)
    argv = cli_utf8_arguments(&argc, argv);
#endif
    return cli_finish_output(run_command(argc, argv));
}
