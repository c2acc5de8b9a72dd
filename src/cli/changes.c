// SPDX-License-Identifier: MIT
// Reads the options that change the networks: --seamless in sd-cli's spellings, --freeu.
#include "generate_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void generate_options_add_seamless(struct generate_options *options) {
    unsigned seamless = (unsigned)options->picture.seamless;
    if (options->circular || options->circular_x) seamless |= FUM_SEAMLESS_X;
    if (options->circular || options->circular_y) seamless |= FUM_SEAMLESS_Y;
    options->picture.seamless = (enum fum_seamless)seamless;
}

// Reads "1.5,1.6,0.9,0.2".
static bool read_factors(const char *text, float factors[FUM_FREEU_FACTORS]) {
    bool any = false;
    for (int i = 0; i < FUM_FREEU_FACTORS; i++) {
        char *end;
        factors[i] = strtof(text, &end);
        char expected = i + 1 < FUM_FREEU_FACTORS ? ',' : 0;
        if (end == text || *end != expected || !isfinite(factors[i]) || factors[i] < 0)
            return false;
        any |= factors[i] > 0;
        text = end + 1;
    }
    return any;
}

int generate_options_read_freeu(const struct cli_command *command,
                                struct generate_options *options) {
    const char *text = options->freeu;
    if (!text) return -1;
    options->picture.has_freeu = true;
    if (!strcmp(text, "auto") || read_factors(text, options->picture.freeu)) return -1;
    return cli_misuse(command,
                      "--freeu needs auto, or B1,B2,S1,S2 such as 1.5,1.6,0.9,0.2, not \"%s\"",
                      cli_show(text).text);
}
