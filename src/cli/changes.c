// SPDX-License-Identifier: MIT
// Reads the options that change the networks: --seamless in sd-cli's spellings, --freeu,
// --cache-option.
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

// A key of --cache-option, and where its number goes.
struct cache_key {
    const char *name;
    size_t offset;
    bool whole;
};
#define PLACE(name) offsetof(struct fum_cache_params, name)
static const struct cache_key cache_keys[] = {{"interval", PLACE(interval), true},
                                              {"branch", PLACE(branch), true},
                                              {"threshold", PLACE(threshold), false},
                                              {"start", PLACE(start), false},
                                              {"end", PLACE(end), false}};

// Reads "key=number" up to a comma or the end. Returns what follows; NULL: it is something else.
static const char *read_cache_key(const char *text, struct fum_cache_params *cache) {
    enum { MOST = 1000000 };
    for (size_t i = 0; i < sizeof cache_keys / sizeof *cache_keys; i++) {
        const struct cache_key *key = &cache_keys[i];
        size_t length = strlen(key->name);
        char *end, *field = (char *)cache + key->offset;
        if (strncmp(text, key->name, length) != 0 || text[length] != '=') continue;
        double value = strtod(text + length + 1, &end);
        bool read = end != text + length + 1 && (*end == ',' || !*end) && value >= 0 &&
                    value <= MOST && (!key->whole || value == floor(value));
        if (!read) return NULL;
        if (key->whole)
            *(int *)(void *)field = (int)value;
        else // 0 is the start, not the default
            *(double *)(void *)field = value > 0 ? value : -1;
        return end;
    }
    return NULL;
}

int generate_options_read_cache(const struct cli_command *command,
                                struct generate_options *options) {
    const char *text = options->cache_option, *mode = options->picture.cache.mode;
    if (!text) return -1;
    if (!mode || !strcmp(mode, "none"))
        return cli_misuse(command, "--cache-option needs --cache-mode NAME");
    for (const char *at = text; at; at = *at ? at + 1 : NULL)
        if (!(at = read_cache_key(at, &options->picture.cache)))
            return cli_misuse(command,
                              "--cache-option needs numbers such as interval=3,branch=0 or "
                              "threshold=0.2,start=0.15,end=0.95, not \"%s\"",
                              cli_show(text).text);
    return -1;
}
