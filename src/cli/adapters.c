// SPDX-License-Identifier: MIT
#include "adapters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Cuts ":number" off the end of a text. Returns false if it does not end so.
static bool cut_weight(char *text, float *weight) {
    char *colon = strrchr(text, ':'), *end;
    if (!colon || colon == text || !colon[1] ||
        strspn(colon + 1, "+-.0123456789eE") != strlen(colon + 1))
        return false;
    float value = strtof(colon + 1, &end);
    if (*end || !isfinite(value)) return false;
    *weight = value;
    *colon = 0;
    return true;
}

bool cli_adapters_read(struct cli_adapters *adapters, const struct cli_list *values) {
    for (size_t i = 0; i < values->count; i++) {
        size_t size = strlen(values->at[i]) + 1;
        char *name = malloc(size);
        if (!name) return false;
        memcpy(name, values->at[i], size);
        adapters->names[adapters->count] = name;
        float unet = 1, text = 1;
        if (cut_weight(name, &text)) {
            unet = text;
            cut_weight(name, &unet);
        }
        adapters->list[adapters->count++] = (struct fum_adapter){name, unet, text};
    }
    return true;
}

void cli_adapters_free(struct cli_adapters *adapters) {
    for (int i = 0; i < adapters->count; i++) free(adapters->names[i]);
    adapters->count = 0;
}
