// SPDX-License-Identifier: MIT
// Reads fumarole.json of a folder: the model's texts, known prompts and defaults, checked like any
// other configuration.
#include "model/settings.h"

#include "base/error.h"
#include "base/text.h"
#include "model/config.h"

#include <string.h>

enum { MAX_STEPS = 1000, MAX_GUIDANCE = 1000 };

static void read_texts(struct fum_config *c, struct fum_model_info *info) {
    info->name = fum_config_string(c, "name", info->name);
    info->description = fum_config_string(c, "description", "");
    info->license = fum_config_string(c, "license", "");
    info->origin = fum_config_string(c, "origin", "");
}

static int read_side(struct fum_config *c, const char *key, int fallback, int multiple) {
    int side = fum_config_int(c, key, fallback, multiple, FUM_MAX_SIDE);
    if (side % multiple)
        fum_config_fail(c, key, "is %d, but must be a multiple of %d", side, multiple);
    return side;
}

static const char *read_sampler(struct fum_config *c, const char *fallback) {
    const char *name = fum_config_string(c, "sampler", fallback), *known;
    if (!fum_config_has(c, "sampler") || c->result) return fallback;
    for (size_t i = 0; (known = fum_sampler_name(i)); i++)
        if (!strcmp(known, name)) return name;
    fum_config_fail(c, "sampler", "is \"%s\", which is not a sampler of fumarole",
                    fum_text_show(name).text);
    return fallback;
}

static void read_defaults(struct fum_config *c, fum_model *model) {
    struct fum_model_info *info = &model->info;
    info->width = read_side(c, "width", info->width, info->size_multiple);
    info->height = read_side(c, "height", info->height, info->size_multiple);
    info->steps = fum_config_int(c, "steps", info->steps, 1, MAX_STEPS);
    info->guidance =
        (float)fum_config_number(c, "guidance", (double)info->guidance, 0, MAX_GUIDANCE);
    info->clip_skip =
        fum_config_int(c, "clip_skip", info->clip_skip, 1, fum_model_max_clip_skip(&model->view));
    info->sampler = read_sampler(c, info->sampler);
}

// Counts the strings of a list; anything else in it is an error.
static int count_strings(struct fum_config *c, const char *key) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(c->json, key), *item;
    int count = 0;
    if (!fum_config_has(c, key)) return 0;
    if (!cJSON_IsArray(list)) fum_config_fail(c, key, "must be a list of strings");
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsString(item)) fum_config_fail(c, key, "must be a list of strings");
        count++;
    }
    return c->result ? 0 : count;
}

static void read_prompts(struct fum_config *c, fum_model *model) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(c->json, "prompts"), *item;
    int count = count_strings(c, "prompts");
    if (!count) return;
    model->prompts = fum_arena_alloc(model->arena, (size_t)count, sizeof *model->prompts);
    if (!model->prompts) {
        c->result = fum_error_set(c->err, FUM_ERR_NOMEM, "no memory for the model's prompts");
        return;
    }
    cJSON_ArrayForEach(item, list) model->prompts[model->info.num_prompts++] = item->valuestring;
}

enum fum_result fum_model_read_settings(fum_model *model, const cJSON *settings,
                                        struct fum_error *err) {
    struct fum_config c = {.json = settings, .err = err}, defaults = {.err = err};
    if (!settings) return FUM_OK;
    c.where = defaults.where = fum_path_join(model->arena, model->info.path, "fumarole.json");
    if (!c.where) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the model's settings");
    defaults.json = cJSON_GetObjectItemCaseSensitive(settings, "defaults");
    read_texts(&c, &model->info);
    if (fum_config_has(&c, "defaults") && !cJSON_IsObject(defaults.json))
        fum_config_fail(&c, "defaults", "must be an object");
    count_strings(&c, "words");
    read_prompts(&c, model);
    if (!c.result) read_defaults(&defaults, model);
    return c.result ? c.result : defaults.result;
}
