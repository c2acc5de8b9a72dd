// SPDX-License-Identifier: MIT
// Declares the inside of a tokenizer, for the files that fill it and those that read it.
#ifndef FUM_TEXT_TOKENIZER_H
#define FUM_TEXT_TOKENIZER_H

#include "text/bpe.h"
#include "text/unicode.h"

#include <fumarole/tokenizer.h>

// A token that is searched for before the text is split.
struct fum_special {
    char *text;
    int32_t id;
    bool is_normalized; // searched for in the normalised text (so in any case), not in the raw one
    struct fum_code_points points; // the text to search for, normalised if is_normalized
    bool is_word; // found only where no letter or digit continues it; stands for `count` ids
    int count;
    char *refusal; // why a text may not have the token; NULL: it may
};

struct fum_tokenizer {
    struct fum_bpe *bpe;
    struct fum_special *specials;
    size_t special_count, special_capacity;
    int32_t start, end, pad, id_limit;
    int max_length;
};

// Ids of added tokens are below this.
enum { FUM_TOKEN_MAX_ID = 1 << 22 };

enum fum_token_role {
    FUM_TOKEN_START,
    FUM_TOKEN_END,
    FUM_TOKEN_UNKNOWN,
    FUM_TOKEN_PAD,
    FUM_TOKEN_ROLES
};
// The key of each role in a folder's files, and its default token.
extern const struct fum_token_role_name {
    const char *key, *default_text;
} fum_token_roles[FUM_TOKEN_ROLES];

// Creates a tokenizer around a vocabulary, and takes it over even on failure.
enum fum_result fum_tokenizer_wrap(fum_tokenizer **tokenizer, struct fum_bpe **bpe,
                                   struct fum_error *err);
// Registers a special token. `id` -1: the vocabulary's, or the next free one. A second call for a
// text changes its flag.
enum fum_result fum_tokenizer_add_special(fum_tokenizer *tokenizer, const char *text, int32_t id,
                                          bool is_normalized, struct fum_error *err);
// Registers a word of prompts that stands for the ids from `id` on, in any case of letters. It may
// be a piece of the vocabulary, which it hides. A word that is registered already stays as it is.
enum fum_result fum_tokenizer_add_word(fum_tokenizer *tokenizer, const char *word, int32_t id,
                                       int count, struct fum_error *err);
// Registers a word that texts may not have, with the reason that encoding one then gives. A word
// that is registered already stays as it is.
enum fum_result fum_tokenizer_refuse_word(fum_tokenizer *tokenizer, const char *word,
                                          const char *reason, struct fum_error *err);
// Registers a token in its role. It must be a piece of the vocabulary or an added token: the text
// encoder has a row for it only then.
enum fum_result fum_tokenizer_add_role(fum_tokenizer *tokenizer, enum fum_token_role role,
                                       const char *text, bool is_normalized, struct fum_error *err);
// Returns the registered token of this text, or NULL.
struct fum_special *fum_tokenizer_find_special(const fum_tokenizer *tokenizer, const char *text);

// Encodes a prompt as fum_tokenizer_encode_padded does, after diffusers' maybe_convert_prompt. An
// embedding of several vectors, added as the tokens "x", "x_1", "x_2", is written as "x" alone.
enum fum_result fum_tokenizer_encode_prompt(const fum_tokenizer *tokenizer,
                                            const struct fum_padded_text *text, int32_t *ids,
                                            struct fum_token_fit *fit, struct fum_error *err);

// Encodes a text without start and end, but with all vectors of its embeddings.
enum fum_result fum_tokenizer_encode_words(const fum_tokenizer *tokenizer, const char *text,
                                           size_t bytes, struct fum_token_ids *ids,
                                           struct fum_error *err);
// Returns how many of the ids belong to the embedding of the first, or 1.
size_t fum_tokenizer_group(const fum_tokenizer *tokenizer, const int32_t *ids, size_t count);

// Reads the installed CLIP vocabulary, or the file at *path if that is not NULL. The text is freed
// with fum_free.
enum fum_result fum_tokenizer_read_clip(fum_arena *arena, const char **path, char **text,
                                        size_t *bytes, struct fum_error *err);

// Appends the text in NFC and lower case, with one space for every run of white space. Returns
// false when memory is out.
bool fum_tokenizer_normalize(struct fum_code_points *out, const uint32_t *text, size_t count);

#endif
