// SPDX-License-Identifier: MIT
#include "adapter/peft.h"

#include "base/regex_config.h"

#include <stdio.h>
#include <string.h>

#if FUM_HAS_REGEX
#include <regex.h>
#endif

// ---- patterns of modules ----

// True if `text` ends with `end`, at its start or behind a dot.
static bool ends_with_parts(const char *text, const char *end) {
    size_t length = strlen(end), whole = strlen(text);
    if (length > whole || strcmp(text + whole - length, end)) return false;
    return length == whole || text[whole - length - 1] == '.';
}

#if FUM_HAS_REGEX

enum { LONGEST_PATTERN = 256 };

// Writes a regular expression of Python as an extended one of POSIX. Returns false for one that has
// no such form: back references, look-ahead, and counts, which can cost much memory.
static bool translate(const char *from, char *to) {
    for (; *from; from++) {
        if (*from == '{') return false;
        if (!strncmp(from, "(?", 2)) {
            if (from[2] != ':') return false;
            *to++ = '(';
            from += 2;
        } else if (*from != '\\') {
            *to++ = *from;
        } else if (*++from == 'd') {
            to += sprintf(to, "[0-9]");
        } else {
            if (!*from || (*from >= '0' && *from <= '9')) return false;
            *to++ = '\\';
            *to++ = *from;
        }
    }
    *to = 0;
    return true;
}

// True if a regular expression of PEFT is the module's name. `parts`: its last parts are enough.
static bool matches_regex(const char *pattern, const char *module, bool parts) {
    char body[3 * LONGEST_PATTERN], whole[sizeof body + 16];
    regex_t regex;
    if (strlen(pattern) >= LONGEST_PATTERN || !translate(pattern, body)) return false;
    snprintf(whole, sizeof whole, parts ? "^(.*\\.)?(%s)$" : "^(%s)$", body);
    if (regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB)) return false;
    bool found = !regexec(&regex, module, 0, NULL, 0);
    regfree(&regex);
    return found;
}

#else

static bool matches_regex(const char *pattern, const char *module, bool parts) {
    (void)pattern, (void)module, (void)parts;
    return false;
}

#endif

// True if a pattern of PEFT, a name or a regular expression, is the module's name.
static bool matches(const char *pattern, const char *module, bool parts) {
    if (strpbrk(pattern, "\\^$*+?([|")) return matches_regex(pattern, module, parts);
    return parts ? ends_with_parts(module, pattern) : !strcmp(module, pattern);
}

// ---- the settings ----

// Returns a setting of a component, "unet.lora_alpha", or one without the component. NULL: none.
static const cJSON *find(const cJSON *settings, const char *component, const char *key) {
    char name[128];
    snprintf(name, sizeof name, "%s.%s", component, key);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(settings, name);
    return value ? value : cJSON_GetObjectItemCaseSensitive(settings, key);
}

// Returns the number of the first pattern that matches, else that of the first key that is set; 0:
// none.
static double find_number(const cJSON *settings, const struct fum_adapter_target *target,
                          const char *patterns, const char *const keys[2]) {
    const cJSON *pattern;
    cJSON_ArrayForEach(pattern, find(settings, target->component, patterns)) {
        if (!cJSON_IsNumber(pattern) || !pattern->string) continue;
        if (matches(pattern->string, target->module, true)) return pattern->valuedouble;
    }
    for (int i = 0; i < 2; i++) {
        const cJSON *value = find(settings, target->component, keys[i]);
        if (cJSON_IsNumber(value)) return value->valuedouble;
    }
    return 0;
}

// Returns the side that IA3 multiplies: inputs in the modules named as feed-forward ones.
static enum fum_adapter_side find_side(const cJSON *settings,
                                       const struct fum_adapter_target *target) {
    const cJSON *names = find(settings, target->component, "feedforward_modules"), *name;
    if (!names) return FUM_ADAPTER_UNKNOWN_SIDE;
    if (cJSON_IsString(names) && matches(names->valuestring, target->module, false))
        return FUM_ADAPTER_INPUTS;
    cJSON_ArrayForEach(name, names) {
        size_t length = cJSON_IsString(name) ? strlen(name->valuestring) : 0,
               whole = strlen(target->module);
        if (length && length <= whole &&
            !strcmp(target->module + whole - length, name->valuestring))
            return FUM_ADAPTER_INPUTS;
    }
    return FUM_ADAPTER_OUTPUTS;
}

void fum_adapter_peft_read(const cJSON *settings, const struct fum_adapter_target *target,
                           struct fum_adapter_layer *layer) {
    // LoHa and LoKr have alpha without the name of LoRA.
    static const char *const alpha[] = {"lora_alpha", "alpha"}, *const rank[] = {"r", "rank"};
    layer->alpha = find_number(settings, target, "alpha_pattern", alpha);
    layer->rank = layer->alpha != 0 ? find_number(settings, target, "rank_pattern", rank) : 0;
    layer->by_root = cJSON_IsTrue(find(settings, target->component, "use_rslora"));
    layer->side = find_side(settings, target);
}
