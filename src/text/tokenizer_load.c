// Tokenizers from files. What transformers 5 does with a folder is followed to the letter, because it decides which
// spellings of a special token count: a token given as {"content": …, "normalized": true} is found in any case, one
// given as a string only as written; of several entries for one text the last role (start, end, unknown, pad) wins,
// but entries of added_tokens_decoder, added_tokens.json or tokenizer.json win over all roles.
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/install_paths.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT_BYTES = 64 << 20, MAX_ID = 1 << 22, MAX_SPECIALS = 4096, NO_LIMIT = 1000000, CLIP_LENGTH = 77 };

static const char clip_file[] = "bpe_simple_vocab_16e6.txt";

static const struct {
    const char *key, *otherwise;
} roles[FUM_TOKEN_ROLES] = {
    [FUM_TOKEN_START] = {"bos_token", "<|startoftext|>"},
    [FUM_TOKEN_END] = {"eos_token", "<|endoftext|>"},
    [FUM_TOKEN_UNKNOWN] = {"unk_token", "<|endoftext|>"},
    [FUM_TOKEN_PAD] = {"pad_token", "<|endoftext|>"},
};

void fum_tokenizer_destroy(fum_tokenizer **tokenizer) {
    fum_tokenizer *t = *tokenizer;
    if (!t) return;
    for (size_t i = 0; i < t->special_count; i++) {
        fum_free(t->specials[i].text);
        fum_free(t->specials[i].points.at);
    }
    fum_free(t->specials);
    fum_bpe_destroy(&t->bpe);
    fum_free(t);
    *tokenizer = NULL;
}

enum fum_result fum_tokenizer_wrap(fum_tokenizer **tokenizer, struct fum_bpe **bpe, struct fum_error *err) {
    *tokenizer = fum_calloc(1, sizeof(**tokenizer));
    if (!*tokenizer) {
        fum_bpe_destroy(bpe);
        return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    }
    (*tokenizer)->bpe = *bpe;
    (*tokenizer)->id_limit = (*bpe)->id_limit;
    (*tokenizer)->max_length = CLIP_LENGTH;
    *bpe = NULL;
    return FUM_OK;
}

static struct fum_special *find_special(const fum_tokenizer *tokenizer, const char *text) {
    for (size_t i = 0; i < tokenizer->special_count; i++)
        if (!strcmp(tokenizer->specials[i].text, text)) return &tokenizer->specials[i];
    return NULL;
}

// What is looked for in the text: the token's code points, normalised like the text if it is marked so.
static bool set_points(struct fum_special *special) {
    struct fum_code_points raw = {0};
    special->points.count = 0;
    bool is_fine = fum_utf8_decode(special->is_normalized ? &raw : &special->points, special->text,
                                   strlen(special->text));
    if (is_fine && special->is_normalized)
        is_fine = fum_tokenizer_normalize(&special->points, raw.at, raw.count);
    fum_free(raw.at);
    return is_fine;
}

enum fum_result fum_tokenizer_add_special(fum_tokenizer *tokenizer, const char *text, int32_t id, bool is_normalized,
                                          struct fum_error *err) {
    struct fum_special *special = find_special(tokenizer, text);
    if (!special) {
        int32_t known = fum_bpe_find(tokenizer->bpe, text, strlen(text));
        if (known >= 0 || id < 0) id = known >= 0 ? known : tokenizer->id_limit;
        else if (fum_tokenizer_piece(tokenizer, id))
            return fum_error_set(err, FUM_ERR_FORMAT, "added token '%.40s' has id %d, which is that of '%.40s'", text, id,
                                 fum_tokenizer_piece(tokenizer, id));
        if (id >= MAX_ID || tokenizer->special_count >= MAX_SPECIALS || !*text)
            return fum_error_set(err, FUM_ERR_FORMAT, "added token '%.40s' has id %d; at most %d tokens may be added, "
                                 "none empty, with ids below %d", text, id, MAX_SPECIALS, MAX_ID);
        if (!fum_grow((void **)&tokenizer->specials, &tokenizer->special_capacity, tokenizer->special_count,
                      sizeof(*tokenizer->specials)))
            goto out_of_memory;
        special = &tokenizer->specials[tokenizer->special_count];
        *special = (struct fum_special){.text = fum_strdup(text), .id = id};
        if (!special->text) goto out_of_memory;
        tokenizer->special_count++;
        if (id >= tokenizer->id_limit) tokenizer->id_limit = id + 1;
    }
    special->is_normalized = is_normalized;
    if (set_points(special)) return FUM_OK;
out_of_memory:
    return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory for token '%.40s'", text);
}

void fum_tokenizer_set_role(fum_tokenizer *tokenizer, enum fum_token_role role, const char *text) {
    int32_t id = find_special(tokenizer, text)->id;
    switch (role) {
    case FUM_TOKEN_START: tokenizer->start = id; break;
    case FUM_TOKEN_END: tokenizer->end = id; break;
    case FUM_TOKEN_UNKNOWN: tokenizer->bpe->unknown = id; break;
    default: tokenizer->pad = id; break;
    }
}

// A role's token must be a piece of the vocabulary: the text encoder has a row for it only then.
static enum fum_result add_role(fum_tokenizer *tokenizer, enum fum_token_role role, const char *text,
                                bool is_normalized, struct fum_error *err) {
    if (fum_tokenizer_find(tokenizer, text) < 0)
        return fum_error_set(err, FUM_ERR_FORMAT, "the vocabulary has no piece '%.40s', which is the %s", text,
                             roles[role].key);
    enum fum_result result = fum_tokenizer_add_special(tokenizer, text, -1, is_normalized, err);
    if (!result) fum_tokenizer_set_role(tokenizer, role, text);
    return result;
}

static enum fum_result apply_params(fum_tokenizer *tokenizer, const struct fum_tokenizer_params *params,
                                    struct fum_error *err) {
    static const struct fum_tokenizer_params zero = {0};
    if (!params) params = &zero;
    const char *const wanted[FUM_TOKEN_ROLES] = {params->start, params->end, params->unknown, params->pad};
    enum fum_result result = FUM_OK;
    for (int i = 0; i < FUM_TOKEN_ROLES && !result; i++)
        result = add_role(tokenizer, i, wanted[i] ? wanted[i] : roles[i].otherwise, false, err);
    if (result) return result;
    if (params->max_length < 0 || params->max_length == 1)
        return fum_error_set(err, FUM_ERR_ARG, "tokenizer: a length of %d has no room for start and end; ask for 2 or more",
                             params->max_length);
    if (params->max_length) tokenizer->max_length = params->max_length;
    return FUM_OK;
}

static enum fum_result finish(fum_tokenizer **tokenizer, struct fum_bpe **bpe, const struct fum_tokenizer_params *params,
                              struct fum_error *err) {
    enum fum_result result = fum_tokenizer_wrap(tokenizer, bpe, err);
    if (!result) result = apply_params(*tokenizer, params, err);
    if (result) fum_tokenizer_destroy(tokenizer);
    return result;
}

static enum fum_result create(fum_tokenizer **tokenizer, const char *vocab, size_t vocab_bytes, const char *vocab_where,
                              const char *merges, size_t merges_bytes, const char *merges_where,
                              const struct fum_tokenizer_params *params, struct fum_error *err) {
    struct fum_bpe *bpe = NULL;
    enum fum_result result = fum_bpe_parse(&bpe, vocab, vocab_bytes, vocab_where, merges, merges_bytes, merges_where,
                                           err);
    return result ? result : finish(tokenizer, &bpe, params, err);
}

enum fum_result fum_tokenizer_create(fum_tokenizer **tokenizer, const char *vocab_json, size_t vocab_bytes,
                                     const char *merges, size_t merges_bytes, const struct fum_tokenizer_params *params,
                                     struct fum_error *err) {
    *tokenizer = NULL;
    return create(tokenizer, vocab_json, vocab_bytes, "vocabulary", merges, merges_bytes, "merges", params, err);
}

enum fum_result fum_tokenizer_load(fum_tokenizer **tokenizer, const char *vocab_path, const char *merges_path,
                                   const struct fum_tokenizer_params *params, struct fum_error *err) {
    char *vocab = NULL, *merges = NULL;
    size_t vocab_bytes, merges_bytes;
    *tokenizer = NULL;
    enum fum_result result = fum_file_read(vocab_path, MAX_TEXT_BYTES, &vocab, &vocab_bytes, err);
    if (!result) result = fum_file_read(merges_path, MAX_TEXT_BYTES, &merges, &merges_bytes, err);
    if (!result)
        result = create(tokenizer, vocab, vocab_bytes, vocab_path, merges, merges_bytes, merges_path, params, err);
    fum_free(vocab);
    fum_free(merges);
    return result;
}

// The files of a tokenizer folder; NULL for those that are not there.
struct folder {
    fum_arena *arena;
    const char *dir;
    cJSON *config, *map, *added, *whole; // tokenizer_config, special_tokens_map, added_tokens, tokenizer .json
};

static enum fum_result read_json(struct folder *folder, const char *name, cJSON **json, struct fum_error *err) {
    char *path = fum_path_join(folder->arena, folder->dir, name);
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    return fum_path_is_file(path) ? fum_json_read(json, path, err) : FUM_OK;
}

static enum fum_result load_vocabulary(fum_tokenizer **tokenizer, struct folder *folder, struct fum_error *err) {
    char *vocab = fum_path_join(folder->arena, folder->dir, "vocab.json");
    char *merges = fum_path_join(folder->arena, folder->dir, "merges.txt");
    char *vocab_text = NULL, *merges_text = NULL;
    size_t vocab_bytes, merges_bytes;
    struct fum_bpe *bpe = NULL;
    enum fum_result result = FUM_OK;
    if (!vocab || !merges) return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    if (fum_path_is_file(vocab) && fum_path_is_file(merges)) {
        result = fum_file_read(vocab, MAX_TEXT_BYTES, &vocab_text, &vocab_bytes, err);
        if (!result) result = fum_file_read(merges, MAX_TEXT_BYTES, &merges_text, &merges_bytes, err);
        if (!result) result = fum_bpe_parse(&bpe, vocab_text, vocab_bytes, vocab, merges_text, merges_bytes, merges, err);
    } else if (folder->whole) {
        const cJSON *model = cJSON_GetObjectItemCaseSensitive(folder->whole, "model");
        const char *type = fum_json_string(model, "type", "BPE");
        char *where = fum_path_join(folder->arena, folder->dir, "tokenizer.json");
        if (!where) result = fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
        else if (strcmp(type, "BPE"))
            result = fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: a tokenizer of type %.20s; only CLIP's BPE is known",
                                   where, type);
        else
            result = fum_bpe_from_json(&bpe, cJSON_GetObjectItemCaseSensitive(model, "vocab"),
                                       cJSON_GetObjectItemCaseSensitive(model, "merges"), where, err);
    } else {
        result = fum_error_set(err, FUM_ERR_IO, "%s: has neither vocab.json with merges.txt nor tokenizer.json; is it a "
                               "tokenizer folder?", folder->dir);
    }
    fum_free(vocab_text);
    fum_free(merges_text);
    return result ? result : fum_tokenizer_wrap(tokenizer, &bpe, err);
}

static enum fum_result check_token(const cJSON *token, const char *text, struct fum_error *err) {
    static const char *const flags[] = {"lstrip", "rstrip", "single_word"};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (fum_json_bool(token, flags[i], false))
            return fum_error_set(err, FUM_ERR_UNSUPPORTED, "token '%.40s' asks for %s, which is not supported", text,
                                 flags[i]);
    return FUM_OK;
}

// One {"content": …, "normalized": …, …} of an added token.
static enum fum_result add_entry(fum_tokenizer *tokenizer, const cJSON *token, double id, struct fum_error *err) {
    const char *text = fum_json_string(token, "content", NULL);
    if (!text || !(id >= 0 && id < MAX_ID))
        return fum_error_set(err, FUM_ERR_FORMAT, "an added token has no content, or no id from 0 to %d", MAX_ID - 1);
    enum fum_result result = check_token(token, text, err);
    if (result) return result;
    bool is_special = fum_json_bool(token, "special", false);
    return fum_tokenizer_add_special(tokenizer, text, (int32_t)id, fum_json_bool(token, "normalized", !is_special), err);
}

static const cJSON *role_value(const struct folder *folder, enum fum_token_role role) {
    const cJSON *from_config = cJSON_GetObjectItemCaseSensitive(folder->config, roles[role].key);
    const cJSON *from_map = cJSON_GetObjectItemCaseSensitive(folder->map, roles[role].key);
    return from_map && !cJSON_IsNull(from_map) ? from_map : from_config;
}

static const char *role_text(const cJSON *value, enum fum_token_role role) {
    if (cJSON_IsString(value)) return value->valuestring;
    return fum_json_string(value, "content", roles[role].otherwise);
}

static enum fum_result add_added_tokens(fum_tokenizer *tokenizer, const struct folder *folder, struct fum_error *err) {
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(folder->config, "added_tokens_decoder"), *item;
    enum fum_result result = FUM_OK;
    if (decoder) {
        cJSON_ArrayForEach(item, decoder) {
            result = add_entry(tokenizer, item, strtod(item->string ? item->string : "-1", NULL), err);
            if (result) return result;
        }
        return FUM_OK;
    }
    cJSON_ArrayForEach(item, folder->added) {
        bool is_role = false;
        if (!cJSON_IsNumber(item) || !item->string || !(item->valuedouble >= 0 && item->valuedouble < MAX_ID))
            return fum_error_set(err, FUM_ERR_FORMAT, "added_tokens.json is not an object of tokens and ids");
        for (int role = 0; role < FUM_TOKEN_ROLES; role++)
            is_role |= !strcmp(role_text(role_value(folder, role), role), item->string);
        result = fum_tokenizer_add_special(tokenizer, item->string, (int32_t)item->valuedouble, !is_role, err);
        if (result) return result;
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(folder->whole, "added_tokens")) {
        result = add_entry(tokenizer, item, fum_json_number(item, "id", -1), err);
        if (result) return result;
    }
    return FUM_OK;
}

static enum fum_result add_roles(fum_tokenizer *tokenizer, const struct folder *folder, struct fum_error *err) {
    size_t added = tokenizer->special_count;
    for (int role = 0; role < FUM_TOKEN_ROLES; role++) {
        const cJSON *value = role_value(folder, role);
        const char *text = role_text(value, role);
        const struct fum_special *known = find_special(tokenizer, text);
        bool is_normalized = fum_json_bool(value, "normalized", false);
        if (known && (size_t)(known - tokenizer->specials) < added) is_normalized = known->is_normalized;
        enum fum_result result = check_token(value, text, err);
        if (!result) result = add_role(tokenizer, role, text, is_normalized, err);
        if (result) return result;
    }
    return FUM_OK;
}

static enum fum_result read_max_length(fum_tokenizer *tokenizer, const cJSON *config, struct fum_error *err) {
    double length = fum_json_number(config, "model_max_length", NO_LIMIT);
    if (!(length >= 2))
        return fum_error_set(err, FUM_ERR_FORMAT, "tokenizer_config.json: model_max_length is %g; it must be 2 or more",
                             length);
    tokenizer->max_length = length < NO_LIMIT ? (int)length : 0;
    return FUM_OK;
}

enum fum_result fum_tokenizer_load_dir(fum_tokenizer **tokenizer, const char *dir, struct fum_error *err) {
    struct folder folder = {.arena = fum_arena_create(), .dir = dir};
    *tokenizer = NULL;
    enum fum_result result = folder.arena ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
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

// The vocabulary's file in a place that may be the file or its folder; NULL when it is not there.
static char *clip_at(fum_arena *arena, const char *place) {
    char *path = fum_path_is_dir(place) ? fum_path_join(arena, place, clip_file) : fum_arena_strdup(arena, place);
    return path && fum_path_is_file(path) ? path : NULL;
}

static char *find_clip(fum_arena *arena) {
    const char *own = getenv("FUMAROLE_CLIP_VOCAB"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (own && *own) return clip_at(arena, own);
    char *data = xdg && *xdg == '/' ? fum_arena_printf(arena, "%s/fumarole/clip", xdg)
        : home && *home ? fum_arena_printf(arena, "%s/.local/share/fumarole/clip", home) : NULL;
    char *path = data ? clip_at(arena, data) : NULL;
    return path ? path : clip_at(arena, FUM_INSTALL_DATA "/clip");
}

enum fum_result fum_tokenizer_load_clip(fum_tokenizer **tokenizer, const char *path,
                                        const struct fum_tokenizer_params *params, struct fum_error *err) {
    char *text = NULL;
    size_t bytes;
    struct fum_bpe *bpe = NULL;
    *tokenizer = NULL;
    fum_arena *arena = fum_arena_create();
    if (!arena) return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    if (!path) path = find_clip(arena);
    enum fum_result result;
    if (!path) {
        const char *own = getenv("FUMAROLE_CLIP_VOCAB");
        result = own && *own
            ? fum_error_set(err, FUM_ERR_IO, "FUMAROLE_CLIP_VOCAB: %.200s does not hold %s; run scripts/clip-vocab to "
                            "get it", own, clip_file)
            : fum_error_set(err, FUM_ERR_IO, "the CLIP vocabulary, which this model does not carry, is not installed; "
                            "run scripts/clip-vocab once, or set FUMAROLE_CLIP_VOCAB to %s", clip_file);
    } else {
        result = fum_file_read(path, MAX_TEXT_BYTES, &text, &bytes, err);
    }
    if (!result) result = fum_bpe_parse_clip(&bpe, text, bytes, path, err);
    if (!result) result = finish(tokenizer, &bpe, params, err);
    fum_free(text);
    fum_arena_destroy(&arena);
    return result;
}
