// SPDX-License-Identifier: MIT
// Finds the device that a user means among those listed.
#include "gpu/backend.h"

#include "base/error.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Parses 32 hexadecimal digits with dashes anywhere.
static bool parse_uuid(const char *text, uint8_t uuid[16]) {
    int digits = 0;
    for (; *text; text++) {
        if (*text == '-') continue;
        if (!isxdigit((unsigned char)*text) || digits == 32) return false;
        int c = tolower((unsigned char)*text), value = isdigit(c) ? c - '0' : c - 'a' + 10;
        uuid[digits / 2] = (uint8_t)(digits % 2 ? (uuid[digits / 2] << 4) | value : value);
        digits++;
    }
    return digits == 32;
}

static bool contains(const char *text, const char *part) {
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) i++;
        if (!part[i]) return true;
    }
    return false;
}

static int rank(enum fum_device_type type) {
    switch (type) {
    case FUM_DEVICE_DISCRETE: return 4;
    case FUM_DEVICE_INTEGRATED: return 3;
    case FUM_DEVICE_VIRTUAL: return 2;
    case FUM_DEVICE_OTHER: return 1;
    case FUM_DEVICE_CPU: return 0;
    }
    return 0;
}

// Writes "0 (NVIDIA …), 1 (llvmpipe …)".
static void name_all(char *text, size_t size, const struct fum_device_candidates *candidates) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < candidates->count && used + 1 < size; i++) {
        int n = snprintf(text + used, size - used, "%s%d (%s)", i ? ", " : "", i,
                         fum_text_show(candidates->infos[i].name).text);
        used += n > 0 ? (size_t)n : 0;
    }
}

// What a user wrote to choose a device.
struct selection {
    const char *text;
    enum { ANY, BY_UUID, BY_NUMBER, BY_NAME } by;
    uint8_t uuid[16];
    long number;
};

static struct selection parse_selection(const char *text) {
    struct selection s = {.text = text, .by = BY_NAME};
    char *end = NULL;
    if (!text || !*text) {
        s.by = ANY;
    } else if (parse_uuid(text, s.uuid)) {
        s.by = BY_UUID;
    } else if (isdigit((unsigned char)*text)) {
        s.number = strtol(text, &end, 10);
        if (!*end) s.by = BY_NUMBER;
    }
    return s;
}

static bool matches(const struct selection *s, const struct fum_device_info *info, int index) {
    switch (s->by) {
    case ANY: return true;
    case BY_UUID: return !memcmp(info->uuid, s->uuid, sizeof s->uuid);
    case BY_NUMBER: return index == s->number;
    case BY_NAME: return contains(info->name, s->text);
    }
    return false;
}

enum fum_result fum_device_choose(int *index, const char *select,
                                  const struct fum_device_candidates *candidates,
                                  struct fum_error *err) {
    char all[256];
    struct selection selection = parse_selection(select);
    const struct fum_device_info *infos = candidates->infos;
    *index = -1;
    name_all(all, sizeof all, candidates);
    if (selection.by == BY_NUMBER && selection.number >= candidates->count)
        return fum_error_set(err, FUM_ERR_ARG, "no device %s; available: %s",
                             fum_text_show(select).text, all);
    int best = -1, refused = -1;
    for (int i = 0; i < candidates->count; i++) {
        if (!matches(&selection, &infos[i], i)) continue;
        if (candidates->refusals[i]) {
            if (refused < 0) refused = i;
        } else if (best < 0 || rank(infos[i].type) > rank(infos[best].type)) {
            best = i;
        }
    }
    *index = best;
    if (best >= 0) return FUM_OK;
    if (refused >= 0)
        return fum_error_set(err, FUM_ERR_DEVICE, "device %s cannot be used: %s",
                             infos[refused].name, candidates->refusals[refused]);
    return fum_error_set(err, FUM_ERR_ARG, "no device matches \"%s\"; available: %s",
                         fum_text_show(select).text, all);
}
