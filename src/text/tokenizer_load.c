// SPDX-License-Identifier: MIT
// Creates tokenizers from a vocabulary without settings, and registers special tokens.
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "text/install_paths.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT_BYTES = 64 << 20, MAX_SPECIALS = 4096, CLIP_LENGTH = 77 };

static const char clip_file[] = "bpe_simple_vocab_16e6.txt";

const struct fum_token_role_name fum_token_roles[FUM_TOKEN_ROLES] = {
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
        fum_free(t->specials[i].refusal);
    }
    fum_free(t->specials);
    fum_bpe_destroy(&t->bpe);
    fum_free(t);
    *tokenizer = NULL;
}

enum fum_result fum_tokenizer_wrap(fum_tokenizer **tokenizer, struct fum_bpe **bpe,
                                   struct fum_error *err) {
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

// Sets the code points to search for, normalised like the text if the token is marked so.
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

static enum fum_result no_memory_for(const char *text, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory for token '%s'",
                         fum_text_show(text).text);
}

// Appends a token that stands for `count` ids. Returns NULL without memory.
static struct fum_special *append_special(fum_tokenizer *tokenizer, const char *text, int32_t id,
                                          int count) {
    if (!fum_grow((void **)&tokenizer->specials, &tokenizer->special_capacity,
                  tokenizer->special_count, sizeof(*tokenizer->specials)))
        return NULL;
    struct fum_special *special = &tokenizer->specials[tokenizer->special_count];
    *special = (struct fum_special){.text = fum_strdup(text), .id = id, .count = count};
    if (!special->text) return NULL;
    tokenizer->special_count++;
    if (id + count > tokenizer->id_limit) tokenizer->id_limit = id + count;
    return special;
}

enum fum_result fum_tokenizer_add_special(fum_tokenizer *tokenizer, const char *text, int32_t id,
                                          bool is_normalized, struct fum_error *err) {
    struct fum_special *special = fum_tokenizer_find_special(tokenizer, text);
    if (!special) {
        int32_t known = fum_bpe_find(tokenizer->bpe, text, strlen(text));
        if (known >= 0 || id < 0)
            id = known >= 0 ? known : tokenizer->id_limit;
        else if (fum_tokenizer_piece(tokenizer, id))
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "added token '%s' has id %d, which belongs to '%s'",
                                 fum_text_show(text).text, id,
                                 fum_text_show(fum_tokenizer_piece(tokenizer, id)).text);
        if (id >= FUM_TOKEN_MAX_ID || tokenizer->special_count >= MAX_SPECIALS || !*text)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "added token '%s' has id %d; at most %d tokens may be added, none "
                                 "empty, with ids below %d",
                                 fum_text_show(text).text, id, MAX_SPECIALS, FUM_TOKEN_MAX_ID);
        special = append_special(tokenizer, text, id, 1);
    }
    if (special) special->is_normalized = is_normalized;
    return special && set_points(special) ? FUM_OK : no_memory_for(text, err);
}

enum fum_result fum_tokenizer_add_word(fum_tokenizer *tokenizer, const char *word, int32_t id,
                                       int count, struct fum_error *err) {
    if (fum_tokenizer_find_special(tokenizer, word)) return FUM_OK;
    if (id >= FUM_TOKEN_MAX_ID - count || tokenizer->special_count >= MAX_SPECIALS || !*word)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "the word '%s' is one too many, or empty; at most %d may be added",
                             fum_text_show(word).text, MAX_SPECIALS);
    struct fum_special *special = append_special(tokenizer, word, id, count);
    if (special) special->is_normalized = special->is_word = true;
    return special && set_points(special) ? FUM_OK : no_memory_for(word, err);
}

enum fum_result fum_tokenizer_refuse_word(fum_tokenizer *tokenizer, const char *word,
                                          const char *reason, struct fum_error *err) {
    if (fum_tokenizer_find_special(tokenizer, word)) return FUM_OK;
    enum fum_result result = fum_tokenizer_add_word(tokenizer, word, tokenizer->end, 0, err);
    if (result) return result;
    struct fum_special *special = fum_tokenizer_find_special(tokenizer, word);
    special->refusal = fum_strdup(reason);
    return special->refusal ? FUM_OK : no_memory_for(word, err);
}

static void set_role(fum_tokenizer *tokenizer, enum fum_token_role role, int32_t id) {
    switch (role) {
    case FUM_TOKEN_START: tokenizer->start = id; break;
    case FUM_TOKEN_END: tokenizer->end = id; break;
    case FUM_TOKEN_UNKNOWN: tokenizer->bpe->unknown = id; break;
    default: tokenizer->pad = id; break;
    }
}

enum fum_result fum_tokenizer_add_role(fum_tokenizer *tokenizer, enum fum_token_role role,
                                       const char *text, bool is_normalized,
                                       struct fum_error *err) {
    if (fum_tokenizer_find(tokenizer, text) < 0)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "the vocabulary has no piece '%s', which is the %s",
                             fum_text_show(text).text, fum_token_roles[role].key);
    enum fum_result result = fum_tokenizer_add_special(tokenizer, text, -1, is_normalized, err);
    if (!result) set_role(tokenizer, role, fum_tokenizer_find_special(tokenizer, text)->id);
    return result;
}

static enum fum_result apply_params(fum_tokenizer *tokenizer,
                                    const struct fum_tokenizer_params *params,
                                    struct fum_error *err) {
    static const struct fum_tokenizer_params zero = {0};
    if (!params) params = &zero;
    const char *const texts[FUM_TOKEN_ROLES] = {params->start, params->end, params->unknown,
                                                params->pad};
    enum fum_result result = FUM_OK;
    for (int i = 0; i < FUM_TOKEN_ROLES && !result; i++)
        result = fum_tokenizer_add_role(
            tokenizer, i, texts[i] ? texts[i] : fum_token_roles[i].default_text, false, err);
    if (result) return result;
    if (params->max_length < 0 || params->max_length == 1)
        return fum_error_set(
            err, FUM_ERR_ARG,
            "tokenizer: a length of %d has no room for start and end; use 2 or more",
            params->max_length);
    if (params->max_length) tokenizer->max_length = params->max_length;
    return FUM_OK;
}

static enum fum_result finish(fum_tokenizer **tokenizer, struct fum_bpe **bpe,
                              const struct fum_tokenizer_params *params, struct fum_error *err) {
    enum fum_result result = fum_tokenizer_wrap(tokenizer, bpe, err);
    if (!result) result = apply_params(*tokenizer, params, err);
    if (result) fum_tokenizer_destroy(tokenizer);
    return result;
}

static enum fum_result create(fum_tokenizer **tokenizer, const struct fum_bpe_source *vocab,
                              const struct fum_bpe_source *merges,
                              const struct fum_tokenizer_params *params, struct fum_error *err) {
    struct fum_bpe *bpe = NULL;
    enum fum_result result = fum_bpe_parse(&bpe, vocab, merges, err);
    return result ? result : finish(tokenizer, &bpe, params, err);
}

enum fum_result fum_tokenizer_create(fum_tokenizer **tokenizer,
                                     const struct fum_tokenizer_texts *texts,
                                     const struct fum_tokenizer_params *params,
                                     struct fum_error *err) {
    struct fum_bpe_source vocab = {{texts->vocab_json, texts->vocab_bytes}, "vocabulary"};
    struct fum_bpe_source merges = {{texts->merges, texts->merges_bytes}, "merges"};
    *tokenizer = NULL;
    return create(tokenizer, &vocab, &merges, params, err);
}

enum fum_result fum_tokenizer_load(fum_tokenizer **tokenizer, const char *vocab_path,
                                   const char *merges_path,
                                   const struct fum_tokenizer_params *params,
                                   struct fum_error *err) {
    char *vocab = NULL, *merges = NULL;
    size_t vocab_bytes, merges_bytes;
    *tokenizer = NULL;
    enum fum_result result = fum_file_read(vocab_path, MAX_TEXT_BYTES, &vocab, &vocab_bytes, err);
    if (!result) result = fum_file_read(merges_path, MAX_TEXT_BYTES, &merges, &merges_bytes, err);
    if (!result)
        result = create(tokenizer, &(struct fum_bpe_source){{vocab, vocab_bytes}, vocab_path},
                        &(struct fum_bpe_source){{merges, merges_bytes}, merges_path}, params, err);
    fum_free(vocab);
    fum_free(merges);
    return result;
}

// Returns the vocabulary's file in a place that may be the file or its folder, or NULL if missing.
static char *clip_at(fum_arena *arena, const char *place) {
    char *path = fum_path_is_dir(place) ? fum_path_join(arena, place, clip_file)
                                        : fum_arena_strdup(arena, place);
    return path && fum_path_may_exist(path) ? path : NULL;
}

static char *find_clip(fum_arena *arena) {
    const char *own = getenv("FUMAROLE_CLIP_VOCAB"), *xdg = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");
    if (own && *own) return clip_at(arena, own);
    char *data = NULL;
    if (xdg && *xdg == '/')
        data = fum_arena_printf(arena, "%s/fumarole/clip", xdg);
    else if (home && *home)
        data = fum_arena_printf(arena, "%s/.local/share/fumarole/clip", home);
    char *path = data ? clip_at(arena, data) : NULL,
         *installed = clip_at(arena, FUM_INSTALL_DATA "/clip");
    enum fum_file_kind kind;
    // A home that may not be entered, such as another user's, holds no file for this user.
    return path && (!installed || !fum_file_look(path, &kind, NULL)) ? path : installed;
}

static enum fum_result no_vocabulary(struct fum_error *err) {
    const char *own = getenv("FUMAROLE_CLIP_VOCAB");
    if (own && *own)
        return fum_error_set(err, FUM_ERR_IO,
                             "FUMAROLE_CLIP_VOCAB: %s does not hold %s; fumarole-clip-vocab (in "
                             "the sources: scripts/clip-vocab) fetches it",
                             own, clip_file);
    return fum_error_set(err, FUM_ERR_IO,
                         "the CLIP vocabulary, which this model does not carry, is not "
                         "installed; run fumarole-clip-vocab (in the sources: "
                         "scripts/clip-vocab) once, or set FUMAROLE_CLIP_VOCAB to %s",
                         clip_file);
}

enum fum_result fum_tokenizer_read_clip(fum_arena *arena, const char **path, char **text,
                                        size_t *bytes, struct fum_error *err) {
    if (!*path) *path = find_clip(arena);
    return *path ? fum_file_read(*path, MAX_TEXT_BYTES, text, bytes, err) : no_vocabulary(err);
}

enum fum_result fum_tokenizer_load_clip(fum_tokenizer **tokenizer, const char *path,
                                        const struct fum_tokenizer_params *params,
                                        struct fum_error *err) {
    char *text = NULL;
    size_t bytes;
    struct fum_bpe *bpe = NULL;
    *tokenizer = NULL;
    fum_arena *arena = fum_arena_create();
    if (!arena) return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    enum fum_result result = fum_tokenizer_read_clip(arena, &path, &text, &bytes, err);
    if (!result)
        result = fum_bpe_parse_clip(&bpe, &(struct fum_bpe_source){{text, bytes}, path}, err);
    if (!result) result = finish(tokenizer, &bpe, params, err);
    fum_free(text);
    fum_arena_destroy(&arena);
    return result;
}
