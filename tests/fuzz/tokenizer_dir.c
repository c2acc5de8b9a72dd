// SPDX-License-Identifier: MIT
// libFuzzer target of tokenizer folders, in both forms that transformers writes.
#include "damage.h"
#include "fitted_parts.h"

#include <fumarole/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vocab[] =
    "{\"a\": 0, \"b\": 1, \"b</w>\": 5, \"ab\": 2, \"abab\": 7, \"<|startoftext|>\": 3, "
    "\"<|endoftext|>\": 4, \"\\u0120c\": 6}";
static const char config[] =
    "{\"add_prefix_space\": false, \"bos_token\": {\"content\": \"<|startoftext|>\"}, "
    "\"eos_token\": \"<|endoftext|>\", \"pad_token\": \"<|endoftext|>\", \"model_max_length\": 77, "
    "\"do_lower_case\": true, \"tokenizer_class\": \"CLIPTokenizer\", \"unk_token\": \"a\", "
    "\"added_tokens_decoder\": {\"3\": {\"content\": \"<|startoftext|>\", \"special\": true}}}";
static const char whole[] =
    "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 4, \"content\": \"<|endoftext|>\", "
    "\"special\": "
    "true}, {\"id\": 3, "
    "\"content\": \"<|startoftext|>\", \"special\": true}], \"normalizer\": {\"type\": "
    "\"Lowercase\"}, "
    "\"model\": {\"type\": "
    "\"BPE\", \"end_of_word_suffix\": \"</w>\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, "
    "\"b</w>\": 5, "
    "\"<|startoftext|>\": 3, \"<|endoftext|>\": 4}, \"merges\": [\"a b\", [\"a\", \"b</w>\"]]}}";

static void use(const fum_tokenizer *tokenizer) {
    static const char text[] = "ab <|endoftext|> \xff ABba 12";
    struct fum_error err = {0};
    struct fum_token_ids ids;
    enum fum_result result = fum_tokenizer_encode(tokenizer, text, sizeof text - 1, &ids, &err);
    fitted_expect(result, &err);
    if (result) return;
    for (size_t i = 0; i < ids.count; i++)
        if (!fum_tokenizer_piece(tokenizer, ids.ids[i])) abort();
    fum_token_ids_free(&ids);
}

// Leaves the file out in one of eight cases.
static void save(const char *name, char *text, size_t size, struct choices *c) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fitted_folder(), name);
    if (one_in(c, 8))
        remove(path);
    else
        damage_save(name, text, size);
    free(text);
}

static void clear(void) {
    static const char *const made[] = {"vocab.json", "merges.txt", "tokenizer.json",
                                       "tokenizer_config.json"};
    char path[512];
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        snprintf(path, sizeof path, "%s/tokenizer/%s", fitted_folder(), made[i]);
        remove(path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    struct fum_error err = {0};
    fum_tokenizer *tokenizer = NULL;
    char path[512];
    size_t bytes;
    clear();
    bool separate = one_in(&c, 2);
    char *text = separate ? damage_json(vocab, &c, &bytes) : damage_json(whole, &c, &bytes);
    save(separate ? "tokenizer/vocab.json" : "tokenizer/tokenizer.json", text, bytes, &c);
    text = damage_text("#version: 0.2\na b\na b</w>\nab ab\n", &c, &bytes);
    if (separate)
        save("tokenizer/merges.txt", text, bytes, &c);
    else
        free(text);
    text = damage_json(config, &c, &bytes);
    save("tokenizer/tokenizer_config.json", text, bytes, &c);
    snprintf(path, sizeof path, "%s/tokenizer", fitted_folder());
    enum fum_result result = fum_tokenizer_load_dir(&tokenizer, path, &err);
    fitted_expect(result, &err);
    if (!result) use(tokenizer);
    fum_tokenizer_destroy(&tokenizer);
    clear();
    return 0;
}
