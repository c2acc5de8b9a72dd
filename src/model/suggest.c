// What to try instead of a prompt that the model cannot know.
#include "model/model_parts.h"

#include "base/alloc.h"
#include "io/folder.h"
#include "text/known.h"

// The strings of fumarole.json's "words": single words that the model was shown beside its prompts.
static size_t read_words(const cJSON *list, const char **words) {
    const cJSON *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, list) if (cJSON_IsString(item)) words[count++] = item->valuestring;
    return count;
}

int fum_model_suggest(const fum_model *model, const char *prompt, const char **suggestions, int capacity) {
    const cJSON *settings = model->folder ? fum_folder_settings(model->folder) : NULL;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(settings, "words");
    if (!model->info.num_prompts || capacity <= 0) return 0;
    const char **words = fum_alloc((size_t)cJSON_GetArraySize(list), sizeof(*words));
    fum_known *known = NULL;
    size_t count = 0;
    if (words && !fum_known_create(&known, model->prompts, (size_t)model->info.num_prompts, words,
                                   read_words(list, words), NULL))
        count = fum_known_suggest(known, prompt, suggestions, (size_t)capacity);
    fum_known_destroy(&known);
    fum_free(words);
    return (int)count;
}
