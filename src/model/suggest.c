// SPDX-License-Identifier: MIT
// Compares a prompt with what the model lists in fumarole.json.
#include "model/components.h"

#include "base/alloc.h"
#include "io/folder.h"
#include "model/embeddings.h"
#include "text/known.h"

// Stores the strings of a list that may be missing, at most `capacity`, and returns how many.
static size_t read_strings(const cJSON *list, const char **strings, size_t capacity) {
    const cJSON *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, list) {
        if (count == capacity) break;
        if (cJSON_IsString(item)) strings[count++] = item->valuestring;
    }
    return count;
}

// Makes what the model knows: "prompts", "keywords" (a string for each prompt) and "words". NULL
// when it lists no prompts, lists too many to give advice in no time, or memory is out.
static fum_known *open_known(const fum_model *model) {
    const cJSON *settings = model->folder ? fum_folder_settings(model->folder) : NULL;
    const cJSON *keywords = cJSON_GetObjectItemCaseSensitive(settings, "keywords");
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(settings, "words");
    struct fum_known_params params = {.prompts = model->prompts,
                                      .prompt_count = (size_t)model->info.num_prompts};
    fum_known *known = NULL;
    if (!params.prompt_count || params.prompt_count > FUM_KNOWN_MAX_TEXTS) return NULL;
    const char **strings = fum_alloc(2 * (FUM_KNOWN_MAX_TEXTS + 1), sizeof(*strings));
    if (!strings) return NULL;
    // One more than allowed shows that the list is too long.
    if (read_strings(keywords, strings, params.prompt_count + 1) == params.prompt_count)
        params.keywords = strings;
    params.words = strings + FUM_KNOWN_MAX_TEXTS + 1;
    params.word_count =
        read_strings(words, strings + FUM_KNOWN_MAX_TEXTS + 1, FUM_KNOWN_MAX_TEXTS + 1);
    params.word_count += fum_embeddings_words(model->embeddings,
                                              strings + FUM_KNOWN_MAX_TEXTS + 1 + params.word_count,
                                              FUM_KNOWN_MAX_TEXTS + 1 - params.word_count);
    fum_known_create(&known, &params, NULL);
    fum_free(strings); // the texts they point to belong to the model
    return known;
}

int fum_model_suggest(const fum_model *model, const char *prompt, const char **suggestions,
                      int capacity) {
    fum_known *known = capacity > 0 ? open_known(model) : NULL;
    size_t count = known ? fum_known_suggest(known, prompt, suggestions, (size_t)capacity) : 0;
    fum_known_destroy(&known);
    return (int)count;
}

int fum_model_unknown_words(const fum_model *model, const char *prompt, char *list, size_t size) {
    fum_known *known = size >= FUM_MODEL_UNKNOWN_BYTES ? open_known(model) : NULL;
    size_t count = known ? fum_known_unknown(known, prompt, list, size) : 0;
    if (!known && size > 0) list[0] = 0;
    fum_known_destroy(&known);
    return count > INT32_MAX ? INT32_MAX : (int)count;
}
