// SPDX-License-Identifier: MIT
// libFuzzer target of generate's command line, as far as it is checked before anything opens.
#include "cli/generate_options.h"
#include "damage.h"
#include "fitted_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ARGUMENTS = 12, MAX_BYTES = 200 };

// An option, a value or both at once, with a little damage.
static char *make_argument(struct choices *c) {
    static const char *const words[] = {
        "a red ship", "-",     "--",   "-1",        "0",    "1",     "16",         "64",
        "16384",      "16385", "nan",  "1e30",      "0x10", "euler", "karras",     "trailing",
        "f16",        "auto",  "4GiB", "-qv",       "-qs7", "-h",    "out_%d.png", "out_%03d.png",
        "%s%n",       "",      "x=y",  "--steps=3", "-W16", "cuda"};
    char text[MAX_BYTES];
    uint32_t options = 0;
    while (generate_option_table[options].name) options++;
    const struct cli_option *option = &generate_option_table[choose(c, options)];
    const char *word = words[choose(c, sizeof words / sizeof *words)];
    switch (choose(c, 4)) {
    case 0: snprintf(text, sizeof text, "--%.60s", option->name); break;
    case 1: snprintf(text, sizeof text, "--%.60s=%s", option->name, word); break;
    case 2:
        snprintf(text, sizeof text, "-%c%s", option->letter ? option->letter : 'z', word);
        break;
    default: snprintf(text, sizeof text, "%s", word); break;
    }
    size_t bytes;
    char *damaged = damage_text(text, c, &bytes), *argument = calloc(bytes + 1, 1);
    if (!argument) fitted_fail("an argument");
    memcpy(argument, damaged, bytes);
    free(damaged);
    return argument;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    char *made[MAX_ARGUMENTS], *argv[MAX_ARGUMENTS + 1] = {NULL};
    static bool quiet;
    if (!quiet && !freopen("/dev/null", "w", stdout)) fitted_fail("/dev/null");
    quiet = true;
    int argc = 1 + (int)choose(&c, MAX_ARGUMENTS), count = argc;
    for (int i = 0; i < argc; i++) argv[i] = made[i] = make_argument(&c);
    struct generate_options options = generate_options_default();
    int status = cli_read_options(&cli_generate, &argc, argv, &options);
    if (status < 0) status = generate_options_check(&cli_generate, &options, argc, argv);
    if (status > CLI_USAGE) abort();
    for (int i = 0; i < count; i++) free(made[i]);
    return 0;
}
