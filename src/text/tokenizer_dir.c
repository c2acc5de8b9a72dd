// SPDX-License-Identifier: MIT
// Loads tokenizer folders exactly as transformers 5 does, since that decides which spellings of a
// special token count. A token given as {"content": …, "normalized": true} is found in any case,
// one given as a string only as written. If several roles (start, end, unknown, pad) name one text,
// the last one wins. Entries of added_tokens_decoder, added_tokens.json or tokenizer.json win over
// all roles.
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/require.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT_BYTES = 64 << 20, NO_LIMIT = 1000000 };

// The files of a tokenizer folder. NULL: missing.
struct folder {
    fum_arena *arena;
    const char *dir;
    cJSON *config; // tokenizer_config.json
    cJSON *map;    // special_tokens_map.json
    cJSON *added;  // added_tokens.json
    cJSON *whole;  // tokenizer.json
};

static enum fum_result read_json(struct folder *folder, const char *name, cJSON **json,
                                 struct fum_error *err) {
    char *path = fum_path_join(folder->arena, folder->dir, name);
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    return fum_path_may_exist(path) ? fum_json_read(json, path, err) : FUM_OK;
}

static enum fum_result load_vocabulary(fum_tokenizer **tokenizer, struct folder *folder,
                                       struct fum_error *err) {
    char *vocab = fum_path_join(folder->arena, folder->dir, "vocab.json");
    char *merges = fum_path_join(folder->arena, folder->dir, "merges.txt");
    char *vocab_text = NULL, *merges_text = NULL;
    size_t vocab_bytes, merges_bytes;
    struct fum_bpe *bpe = NULL;
    enum fum_result result = FUM_OK;
    if (!vocab || !merges) return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    if (fum_path_may_exist(vocab) && fum_path_may_exist(merges)) {
        result = fum_file_read(vocab, MAX_TEXT_BYTES, &vocab_text, &vocab_bytes, err);
        if (!result)
            result = fum_file_read(merges, MAX_TEXT_BYTES, &merges_text, &merges_bytes, err);
        if (!result)
            result =
                fum_bpe_parse(&bpe, &(struct fum_bpe_source){{vocab_text, vocab_bytes}, vocab},
                              &(struct fum_bpe_source){{merges_text, merges_bytes}, merges}, err);
    } else if (folder->whole) {
        const cJSON *model = cJSON_GetObjectItemCaseSensitive(folder->whole, "model");
        const char *type = fum_json_string(model, "type", "BPE");
        char *where = fum_path_join(folder->arena, folder->dir, "tokenizer.json");
        if (!where)
            result = fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
        else if (strcmp(type, "BPE"))
            result = fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                   "%s: a tokenizer of type %s; only CLIP's BPE is known", where,
                                   fum_text_show(type).text);
        else
            result =
                fum_bpe_from_json(&bpe, cJSON_GetObjectItemCaseSensitive(model, "vocab"),
                                  cJSON_GetObjectItemCaseSensitive(model, "merges"), where, err);
    } else {
        result = fum_error_set(err, FUM_ERR_IO,
                               "%s: has neither vocab.json with merges.txt nor tokenizer.json; is "
                               "it a tokenizer folder?",
                               folder->dir);
    }
    fum_free(vocab_text);
    fum_free(merges_text);
    return result ? result : fum_tokenizer_wrap(tokenizer, &bpe, err);
}

static enum fum_result check_token(const cJSON *token, const char *text, struct fum_error *err) {
    static const char *const flags[] = {"lstrip", "rstrip", "single_word"};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (fum_json_bool(token, flags[i], false))
            return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                 "token '%s' uses %s, which is not supported",
                                 fum_text_show(text).text, flags[i]);
    return FUM_OK;
}

// Adds a token from its {"content": …, "normalized": …, …}.
static enum fum_result add_entry(fum_tokenizer *tokenizer, const cJSON *token, double id,
                                 struct fum_error *err) {
    const char *text = fum_json_string(token, "content", NULL);
    if (!text || !(id >= 0 && id < FUM_TOKEN_MAX_ID))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "an added token has no content, or no id from 0 to %d",
                             FUM_TOKEN_MAX_ID - 1);
    enum fum_result result = check_token(token, text, err);
    if (result) return result;
    bool is_special = fum_json_bool(token, "special", false);
    return fum_tokenizer_add_special(tokenizer, text, (int32_t)id,
                                     fum_json_bool(token, "normalized", !is_special), err);
}

static const cJSON *role_value(const struct folder *folder, enum fum_token_role role) {
    const cJSON *from_config =
        cJSON_GetObjectItemCaseSensitive(folder->config, fum_token_roles[role].key);
    const cJSON *from_map =
        cJSON_GetObjectItemCaseSensitive(folder->map, fum_token_roles[role].key);
    return from_map && !cJSON_IsNull(from_map) ? from_map : from_config;
}

static const char *role_text(const cJSON *value, enum fum_token_role role) {
    if (cJSON_IsString(value)) return value->valuestring;
    return fum_json_string(value, "content", fum_token_roles[role].default_text);
}

static enum fum_result add_added_tokens(fum_tokenizer *tokenizer, const struct folder *folder,
                                        struct fum_error *err) {
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(folder->config, "added_tokens_decoder"),
                *item;
    enum fum_result result = FUM_OK;
    if (decoder) {
        cJSON_ArrayForEach(item, decoder) {
            const char *id = item->string ? item->string : "";
            bool digits = *id && !id[strspn(id, "0123456789")];
            result = add_entry(tokenizer, item, digits ? strtod(id, NULL) : -1, err);
            if (result) return result;
        }
        return FUM_OK;
    }
    cJSON_ArrayForEach(item, folder->added) {
        bool is_role = false;
        if (!cJSON_IsNumber(item) || !item->string ||
            !(item->valuedouble >= 0 && item->valuedouble < FUM_TOKEN_MAX_ID))
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "added_tokens.json is not an object of tokens and ids");
        for (int role = 0; role < FUM_TOKEN_ROLES; role++)
            is_role |= !strcmp(role_text(role_value(folder, role), role), item->string);
        result = fum_tokenizer_add_special(tokenizer, item->string, (int32_t)item->valuedouble,
                                           !is_role, err);
        if (result) return result;
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(folder->whole, "added_tokens")) {
        result = add_entry(tokenizer, item, fum_json_number(item, "id", -1), err);
        if (result) return result;
    }
    return FUM_OK;
}

static enum fum_result add_roles(fum_tokenizer *tokenizer, const struct folder *folder,
                                 struct fum_error *err) {
    size_t added = tokenizer->special_count;
    for (int role = 0; role < FUM_TOKEN_ROLES; role++) {
        const cJSON *value = role_value(folder, role);
        const char *text = role_text(value, role);
        const struct fum_special *known = fum_tokenizer_find_special(tokenizer, text);
        bool is_normalized = fum_json_bool(value, "normalized", false);
        if (known && (size_t)(known - tokenizer->specials) < added)
            is_normalized = known->is_normalized;
        enum fum_result result = check_token(value, text, err);
        if (!result) result = fum_tokenizer_add_role(tokenizer, role, text, is_normalized, err);
        if (result) return result;
    }
    return FUM_OK;
}

static enum fum_result read_max_length(fum_tokenizer *tokenizer, const cJSON *config,
                                       struct fum_error *err) {
    double length = fum_json_number(config, "model_max_length", NO_LIMIT);
    if (!(length >= 2))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "tokenizer_config.json: model_max_length is %g; it must be 2 or more",
                             length);
    tokenizer->max_length = length < NO_LIMIT ? (int)length : 0;
    return FUM_OK;
}

enum fum_result fum_tokenizer_load_dir(fum_tokenizer **tokenizer, const char *dir,
                                       struct fum_error *err) {
    *tokenizer = NULL;
    if (fum_require(dir, "a folder", err)) return FUM_ERR_ARG;
    struct folder folder = {.arena = fum_arena_create(), .dir = dir};
    enum fum_result result =
        folder.arena ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    if (!result) result = read_json(&folder, "tokenizer_config.json", &folder.config, err);
    if (!result && !cJSON_GetObjectItemCaseSensitive(folder.config, "added_tokens_decoder")) {
        result = read_json(&folder, "special_tokens_map.json", &folder.map, err);
        if (!result) result = read_json(&folder, "added_tokens.json", &folder.added, err);
    }
    if (!result) result = read_json(&folder, "tokenizer.json", &folder.whole, err);
    if (!result) result = load_vocabulary(tokenizer, &folder, err);
    if (!result) {
        result = add_added_tokens(*tokenizer, &folder, err);
        if (!result) result = add_roles(*tokenizer, &folder, err);
        if (!result) result = read_max_length(*tokenizer, folder.config, err);
        if (result) fum_error_prefix(err, "%s", dir);
    }
    if (result) fum_tokenizer_destroy(tokenizer);
    cJSON_Delete(folder.config);
    cJSON_Delete(folder.map);
    cJSON_Delete(folder.added);
    cJSON_Delete(folder.whole);
    fum_arena_destroy(&folder.arena);
    return result;
}
