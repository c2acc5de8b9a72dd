// SPDX-License-Identifier: MIT
// Which of the listed devices a user means.
#include "gpu/backend.h"

#include "base/error.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// 32 hexadecimal digits with dashes anywhere.
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

// "0 (NVIDIA …), 1 (llvmpipe …)"
static void name_all(char *text, size_t size, const struct fum_device_info *infos, int count) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < count && used + 1 < size; i++) {
        int n = snprintf(text + used, size - used, "%s%d (%s)", i ? ", " : "", i,
                         fum_text_show(infos[i].name).text);
        used += n > 0 ? (size_t)n : 0;
    }
}

enum fum_result fum_device_choose(int *index, const char *select,
                                  const struct fum_device_info *infos, const char *const *refusals,
                                  int count, struct fum_error *err) {
    *index = -1;
    char all[256];
    name_all(all, sizeof all, infos, count);
    uint8_t uuid[16];
    char *end = NULL;
    bool any = !select || !*select, by_uuid = !any && parse_uuid(select, uuid);
    long number =
        any || by_uuid || !isdigit((unsigned char)*select) ? -1 : strtol(select, &end, 10);
    if (number >= 0 && !*end && number >= count)
        return fum_error_set(err, FUM_ERR_ARG, "no device %s; available: %s",
                             fum_text_show(select).text, all);
    int best = -1, refused = -1;
    for (int i = 0; i < count; i++) {
        bool match = any                    ? true
                     : by_uuid              ? !memcmp(infos[i].uuid, uuid, sizeof uuid)
                     : number >= 0 && !*end ? i == number
                                            : contains(infos[i].name, select);
        if (!match) continue;
        if (refusals[i]) {
            if (refused < 0) refused = i;
        } else if (best < 0 || rank(infos[i].type) > rank(infos[best].type)) {
            best = i;
        }
    }
    *index = best;
    if (best >= 0) return FUM_OK;
    if (refused >= 0)
        return fum_error_set(err, FUM_ERR_DEVICE, "device %s cannot be used: %s",
                             infos[refused].name, refusals[refused]);
    return fum_error_set(err, FUM_ERR_ARG, "no device matches \"%s\"; available: %s",
                         fum_text_show(select).text, all);
}
