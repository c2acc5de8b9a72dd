// SPDX-License-Identifier: MIT
#include "model/classifier.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

const char fum_classifier_class[] = "FumaroleClassifier";

// Finds the folder with the model: the path, or "model" in a folder of a training.
static enum fum_result read_config(const char **dir, cJSON **json, fum_arena *arena,
                                   const char *path, struct fum_error *err) {
    char *config = fum_path_join(arena, path, "config.json"),
         *inner = fum_path_join(arena, path, "model");
    if (!config || !inner) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    *dir = path;
    if (!fum_path_may_exist(config)) {
        *dir = inner;
        config = fum_path_join(arena, inner, "config.json");
        if (!config) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    }
    enum fum_result result = fum_json_read(json, config, err);
    if (result) return result;
    const char *class_name = fum_json_string(*json, "_class_name", "");
    if (!strcmp(class_name, fum_classifier_class)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: not a classifier of fumarole train (_class_name is \"%s\")", config,
                         class_name);
}

static enum fum_result parse_config(struct fum_classifier *c, const cJSON *json, const char *path,
                                    struct fum_error *err) {
    enum fum_result result = fum_unet2d_config_parse(&c->config, json, path, err);
    double classes = fum_json_number(json, "classes", 0);
    if (result) return result;
    if (!(classes >= 1 && classes <= 1 << 16) || c->config.sample_width < 1 ||
        c->config.sample_height < 1)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: its config.json needs sample_size and classes", path);
    c->classes = (int)classes;
    c->noisy = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(json, "noisy"));
    return FUM_OK;
}

enum fum_result fum_classifier_open(struct fum_classifier *c, const char *path,
                                    struct fum_error *err) {
    const char *dir = NULL;
    cJSON *json = NULL;
    *c = (struct fum_classifier){0};
    fum_arena *arena = fum_arena_create();
    if (!arena) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a classifier");
    enum fum_result result = read_config(&dir, &json, arena, path, err);
    if (!result) result = parse_config(c, json, path, err);
    char *weights = result ? NULL : fum_path_join(arena, dir, "model.safetensors");
    if (!result && !weights) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    if (!result) result = fum_loader_open(&c->loader, weights, err);
    cJSON_Delete(json);
    fum_arena_destroy(&arena);
    return result;
}

void fum_classifier_close(struct fum_classifier *c) {
    fum_loader_close(&c->loader);
}

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct fum_loader_tensor *tensor = fum_loader_find(user, name);
    if (tensor) *view = tensor->view;
    return tensor != NULL;
}

struct fum_weight_source fum_classifier_source(fum_loader *loader) {
    return (struct fum_weight_source){.find = find_weight, .user = loader};
}
