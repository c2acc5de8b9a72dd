// SPDX-License-Identifier: MIT
// libFuzzer target of fumarole.json's prompts and of suggestions for any prompt.
#include "base/json.h"
#include "damage.h"
#include "fitted.h"
#include "text/known.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_TEXTS = 32, MAX_SUGGESTIONS = 5 };

static size_t read_texts(const cJSON *list, const char **texts) {
    const cJSON *item;
    size_t count = 0;
    cJSON_ArrayForEach(item, list) {
        if (cJSON_IsString(item) && count < MAX_TEXTS) texts[count++] = item->valuestring;
    }
    return count;
}

static void ask(const fum_known *known, struct choices *c) {
    const char *suggestions[MAX_SUGGESTIONS];
    size_t bytes;
    char *damaged = damage_text("a red haert, 2 \xc3\xa9toiles", c, &bytes),
         *prompt = calloc(bytes + 1, 1);
    if (!prompt) abort();
    memcpy(prompt, damaged, bytes);
    char list[64];
    size_t unknown = fum_known_unknown(known, prompt, list, sizeof list);
    if (unknown && !memchr(list, 0, sizeof list)) abort();
    size_t count = fum_known_suggest(known, prompt, suggestions, MAX_SUGGESTIONS);
    if (count > MAX_SUGGESTIONS || (count && fum_known_has(known, prompt))) abort();
    for (size_t i = 0; i < count; i++)
        if (!suggestions[i]) abort();
    free(prompt);
    free(damaged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char base[] =
        "{\"prompts\": [\"a red heart\", \"two stars\", \"\\u00e9toile\", \"cats and dogs\"], "
        "\"words\": [\"heart\", \"star\", \"ox\", \"mouse\"]}";
    struct choices c = {data, size, 0};
    struct fum_error err = {0};
    fum_known *known = NULL;
    cJSON *json = NULL;
    const char *prompts[MAX_TEXTS], *words[MAX_TEXTS];
    size_t bytes;
    char *text = damage_json(base, &c, &bytes);
    enum fum_result result = fum_json_parse(&json, text, bytes, "fumarole.json", &err);
    free(text);
    if (!result) {
        struct fum_known_params params = {.prompts = prompts, .words = words};
        params.prompt_count =
            read_texts(cJSON_GetObjectItemCaseSensitive(json, "prompts"), prompts);
        params.word_count = read_texts(cJSON_GetObjectItemCaseSensitive(json, "words"), words);
        result = fum_known_create(&known, &params, &err);
    }
    fitted_expect(result, &err);
    if (!result) ask(known, &c);
    fum_known_destroy(&known);
    cJSON_Delete(json);
    return 0;
}
