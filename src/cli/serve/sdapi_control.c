// SPDX-License-Identifier: MIT
// Reads the units of A1111's ControlNet extension, which clients send in "alwayson_scripts".
#include "sdapi.h"

#include <string.h>

// Members of a unit that have no effect here, or none at their usual values.
static const struct {
    const char *name, *neutral; // NULL: any value
} others[] = {{"low_vram", NULL},
              {"lowvram", NULL},
              {"processor_res", NULL},
              {"pixel_perfect", NULL},
              {"save_detected_map", NULL},
              {"resize_mode", NULL},
              {"is_ui", NULL},
              {"hr_option", "Both"},
              {"control_mode", "Balanced"},
              {"guessmode", ""},
              {"mask", ""},
              {"mask_image", ""}};

static const char *const known[] = {"enabled",     "image",      "input_image",    "model",
                                    "module",      "weight",     "guidance_start", "guidance_end",
                                    "threshold_a", "threshold_b"};

static bool refuse(struct api_call *call, const char *member, const char *what) {
    return api_refuse(call, "alwayson_scripts", "invalid_value",
                      "alwayson_scripts: %s of a ControlNet %s", cli_show(member).text, what);
}

static bool is_usual(const cJSON *value, const char *neutral) {
    if (!neutral || cJSON_IsNull(value) || cJSON_IsFalse(value)) return true;
    if (cJSON_IsNumber(value)) return value->valuedouble == 0;
    return cJSON_IsString(value) &&
           (!*value->valuestring || strcmp(value->valuestring, neutral) == 0);
}

static bool check_member(struct api_call *call, const cJSON *value) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], value->string) == 0) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].name, value->string) == 0)
            return is_usual(value, others[i].neutral) ||
                   refuse(call, value->string, "is not supported with this value");
    return refuse(call, value->string, "is not known");
}

// Adds a value to the list that a field of the job is.
static bool add(struct api_call *call, const char *field, cJSON *value) {
    cJSON *list = cJSON_GetObjectItemCaseSensitive(call->fields, field);
    if (!list) {
        if (!api_set(call, field, cJSON_CreateArray())) {
            cJSON_Delete(value);
            return false;
        }
        list = cJSON_GetObjectItemCaseSensitive(call->fields, field);
    }
    if (value && cJSON_AddItemToArray(list, value)) return true;
    cJSON_Delete(value);
    return api_refuse_memory(call);
}

static bool add_number(struct api_call *call, const cJSON *unit, const char *name, double usual,
                       const char *field) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(unit, name);
    if (value && !cJSON_IsNull(value) && !cJSON_IsNumber(value))
        return refuse(call, name, "must be a number");
    return add(call, field, cJSON_CreateNumber(cJSON_IsNumber(value) ? value->valuedouble : usual));
}

// Adds the picture, which in img2img may be the one to start from.
static bool add_image(struct api_call *call, const cJSON *unit) {
    const cJSON *image = cJSON_GetObjectItemCaseSensitive(unit, "image");
    if (!image) image = cJSON_GetObjectItemCaseSensitive(unit, "input_image");
    if (cJSON_IsObject(image)) image = cJSON_GetObjectItemCaseSensitive(image, "image");
    const char *text = cJSON_GetStringValue(image);
    const cJSON *first = cJSON_GetArrayItem(api_get(call, "init_images"), 0);
    if (!text || !*text) text = cJSON_GetStringValue(first);
    if (!text || !*text) return refuse(call, "image", "must be a picture as base64");
    return add(call, "control_image", cJSON_CreateString(text));
}

// Adds how the picture is prepared: not at all, or as its edges between two thresholds.
static bool add_module(struct api_call *call, const cJSON *unit) {
    char how[64] = "none";
    const char *module = api_member_text(unit, "module");
    double low = api_member_number(unit, "threshold_a"),
           high = api_member_number(unit, "threshold_b");
    if (cli_same_word(module, "canny"))
        snprintf(how, sizeof how, "canny:%.0f:%.0f", low > 0 ? low : 100, high > 0 ? high : 200);
    else if (*module && !cli_same_word(module, "none"))
        return refuse(call, "module", "must be none or canny");
    return add(call, "control_preprocess", cJSON_CreateString(how));
}

// Cuts off the hash behind the name of a net, "name [1a2b3c4d]". A name may hold other brackets.
static void cut_hash(char *name) {
    enum { LEAST_DIGITS = 8 };
    char *last = NULL;
    for (char *at = name; (at = strstr(at, " [")); at++) last = at;
    size_t digits = last ? strspn(last + 2, "0123456789abcdefABCDEF") : 0;
    if (digits >= LEAST_DIGITS && strcmp(last + 2 + digits, "]") == 0) *last = 0;
}

// Adds the name of the net.
static bool add_model(struct api_call *call, const cJSON *unit) {
    char name[256];
    snprintf(name, sizeof name, "%s", api_member_text(unit, "model"));
    cut_hash(name);
    if (!*name || cli_same_word(name, "None")) return refuse(call, "model", "is needed");
    return add(call, "control_net", cJSON_CreateString(name));
}

static bool add_unit(struct api_call *call, const cJSON *unit) {
    const cJSON *value;
    if (!cJSON_IsObject(unit)) return refuse(call, "args", "must be a list of objects");
    if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(unit, "enabled"))) return true;
    cJSON_ArrayForEach(value, unit) {
        if (!check_member(call, value)) return false;
    }
    return add_model(call, unit) && add_image(call, unit) && add_module(call, unit) &&
           add_number(call, unit, "weight", 1, "control_strength") &&
           add_number(call, unit, "guidance_start", 0, "control_start") &&
           add_number(call, unit, "guidance_end", 1, "control_end");
}

bool sdapi_set_controls(struct api_call *call) {
    const cJSON *script, *unit;
    cJSON_ArrayForEach(script, api_get(call, "alwayson_scripts")) {
        const cJSON *args = cJSON_GetObjectItemCaseSensitive(script, "args");
        if (!cli_same_word(script->string, "controlnet") || !cJSON_IsArray(args))
            return api_refuse(call, "alwayson_scripts", "unsupported",
                              "alwayson_scripts: \"%s\" is not supported",
                              cli_show(script->string).text);
        cJSON_ArrayForEach(unit, args) {
            if (!add_unit(call, unit)) return false;
        }
    }
    return true;
}
