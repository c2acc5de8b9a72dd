// SPDX-License-Identifier: MIT
#include "adapter/keys.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>

// The ends of tensors' names, and what these are for. The longest end counts.
static const struct ending {
    const char *text;
    enum fum_adapter_role role;
} endings[] = {
    {".lora_down.weight", FUM_ADAPTER_DOWN}, // kohya
    {".lora_up.weight", FUM_ADAPTER_UP},
    {".lora_mid.weight", FUM_ADAPTER_MID},
    {".alpha", FUM_ADAPTER_ALPHA},
};

static bool ends_with(const char *name, size_t length, const char *end) {
    size_t tail = strlen(end);
    return length > tail && !memcmp(name + length - tail, end, tail);
}

static const struct ending *find_ending(const char *name) {
    const struct ending *best = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; i < FUM_COUNT(endings); i++) {
        const struct ending *e = &endings[i];
        if (ends_with(name, length, e->text) && (!best || strlen(e->text) > strlen(best->text)))
            best = e;
    }
    return best;
}

void fum_adapter_flatten(char *name) {
    for (; *name; name++)
        if (*name == '.') *name = '_';
}

bool fum_adapter_key_parse(struct fum_adapter_key *key, const char *name) {
    const struct ending *e = find_ending(name);
    if (!e) return false;
    key->role = e->role;
    key->stem = strlen(name) - strlen(e->text);
    if (key->stem >= sizeof key->module) return false;
    snprintf(key->module, sizeof key->module, "%.*s", (int)key->stem, name);
    fum_adapter_flatten(key->module);
    return true;
}
