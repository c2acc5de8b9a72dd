// SPDX-License-Identifier: MIT
#include "model/embedded.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>

// Returns the text of a file in a folder; NULL: the loader has none.
static const char *find_text(const fum_loader *loader, const char *folder, const char *name) {
    char key[256];
    snprintf(key, sizeof key, FUM_EMBEDDED_FILE "%s%s%s", folder, *folder ? "/" : "", name);
    return fum_loader_metadata(loader, key);
}

static enum fum_result replace_config(cJSON **config, const fum_loader *loader, const char *text,
                                      struct fum_error *err) {
    cJSON *own = NULL;
    if (!text) return FUM_OK;
    enum fum_result result = fum_json_parse(&own, text, strlen(text), fum_loader_path(loader), err);
    if (result) return result;
    cJSON_Delete(*config);
    *config = own;
    return FUM_OK;
}

enum fum_result fum_embedded_configs(struct fum_checkpoint *c, const fum_loader *loader,
                                     struct fum_error *err) {
    const struct {
        const char *folder, *name;
        cJSON **config;
    } all[] = {{"unet", "config.json", &c->unet},
               {"vae", "config.json", &c->vae},
               {"text_encoder", "config.json", &c->text_encoder},
               {"text_encoder_2", "config.json", &c->text_encoder_2},
               {"scheduler", "scheduler_config.json", &c->scheduler}};
    enum fum_result result = FUM_OK;
    c->of_folder = find_text(loader, "", "model_index.json") != NULL;
    for (size_t i = 0; i < FUM_COUNT(all) && !result && c->of_folder; i++)
        if (*all[i].config)
            result = replace_config(all[i].config, loader,
                                    find_text(loader, all[i].folder, all[i].name), err);
    return result;
}

enum fum_result fum_embedded_config(cJSON **config, const fum_loader *loader, const char *component,
                                    struct fum_error *err) {
    return replace_config(config, loader, find_text(loader, component, "config.json"), err);
}

cJSON *fum_embedded_index(const fum_loader *loader) {
    const char *text = find_text(loader, "", "model_index.json");
    return text ? cJSON_Parse(text) : NULL;
}

enum fum_result fum_embedded_tokenizer(fum_tokenizer **tokenizer, const fum_loader *loader,
                                       const char *folder, struct fum_error *err) {
    const char *vocab = find_text(loader, folder, "vocab.json"),
               *merges = find_text(loader, folder, "merges.txt"),
               *text = find_text(loader, folder, "tokenizer_config.json");
    *tokenizer = NULL;
    if (!vocab || !merges) return FUM_OK;
    cJSON *config = NULL;
    enum fum_result result = replace_config(&config, loader, text, err);
    const struct fum_tokenizer_texts texts = {vocab, strlen(vocab), merges, strlen(merges)};
    const struct fum_tokenizer_params params = {.pad = fum_json_string(config, "pad_token", NULL)};
    if (!result) result = fum_tokenizer_create(tokenizer, &texts, &params, err);
    cJSON_Delete(config);
    return result;
}
