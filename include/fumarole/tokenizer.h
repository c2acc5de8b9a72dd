// SPDX-License-Identifier: MIT
// Text to the ids that a CLIP text encoder reads, and back: the ids of transformers' CLIPTokenizer,
// exactly.
//
// A tokenizer never changes after it was loaded: any number of threads may use one at once. Text is
// UTF-8 with its length in bytes (it may hold NUL); bytes that are not UTF-8 count as U+FFFD, as
// Python's errors="replace" does.
#ifndef FUMAROLE_TOKENIZER_H
#define FUMAROLE_TOKENIZER_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fum_tokenizer fum_tokenizer;

// The longest text that is taken, in bytes. Longer is FUM_ERR_ARG.
#define FUM_TOKENIZER_MAX_BYTES (1 << 20)

// Zero is CLIP as Stable Diffusion 1 uses it. A special token that is written in the text stands
// for its id.
struct fum_tokenizer_params {
    const char *start;   // NULL: "<|startoftext|>"
    const char *end;     // NULL: "<|endoftext|>"
    const char *unknown; // NULL: "<|endoftext|>"; for bytes that the vocabulary lacks
    const char
        *pad; // NULL: "<|endoftext|>"; Stable Diffusion 2 and the second encoder of SDXL have "!"
    int max_length; // ids of one prompt with start and end; 0: 77
};

// From vocab.json and merges.txt. `params` may be NULL.
FUM_API enum fum_result fum_tokenizer_load(fum_tokenizer **tokenizer, const char *vocab_path,
                                           const char *merges_path,
                                           const struct fum_tokenizer_params *params,
                                           struct fum_error *err);
// The same from memory; the texts may be freed afterwards.
FUM_API enum fum_result fum_tokenizer_create(fum_tokenizer **tokenizer, const char *vocab_json,
                                             size_t vocab_bytes, const char *merges,
                                             size_t merges_bytes,
                                             const struct fum_tokenizer_params *params,
                                             struct fum_error *err);
// The tokenizer folder of a diffusers model: vocab.json and merges.txt, or tokenizer.json alone;
// special tokens and the longest length from tokenizer_config.json, special_tokens_map.json and
// added_tokens.json where they are there.
FUM_API enum fum_result fum_tokenizer_load_dir(fum_tokenizer **tokenizer, const char *dir,
                                               struct fum_error *err);
// Loads the 49,408-piece CLIP vocabulary for checkpoints that carry none, from
// bpe_simple_vocab_16e6.txt, which the installed fumarole-clip-vocab (scripts/clip-vocab in the
// sources) fetches. `path` NULL looks at $FUMAROLE_CLIP_VOCAB (the file, or its folder), then in
// the user's data folder, then where fumarole was installed; FUM_ERR_IO says how to get it.
// `params` may be NULL.
FUM_API enum fum_result fum_tokenizer_load_clip(fum_tokenizer **tokenizer, const char *path,
                                                const struct fum_tokenizer_params *params,
                                                struct fum_error *err);
// Accepts NULL behind the pointer and clears it.
FUM_API void fum_tokenizer_destroy(fum_tokenizer **tokenizer);

// Ids that the library allocated; free with fum_token_ids_free. Zero is empty.
struct fum_token_ids {
    int32_t *ids;
    size_t count;
};
FUM_API void fum_token_ids_free(struct fum_token_ids *ids);

// All ids of a text, with start and end, not cut.
FUM_API enum fum_result fum_tokenizer_encode(const fum_tokenizer *tokenizer, const char *text,
                                             size_t bytes, struct fum_token_ids *ids,
                                             struct fum_error *err);

// What did not fit. Free with fum_token_fit_free.
struct fum_token_fit {
    size_t count; // ids of the whole text, with start and end
    // the text that was left out, as fum_tokenizer_decode writes it; NULL when all of it fits
    char *cut;
};
FUM_API void fum_token_fit_free(struct fum_token_fit *fit);

// Exactly `length` ids (0: the tokenizer's max_length; else at least 2) into ids[]: start, as many
// as fit, end, and the pad id up to the length. `fit` may be NULL.
FUM_API enum fum_result fum_tokenizer_encode_padded(const fum_tokenizer *tokenizer,
                                                    const char *text, size_t bytes, int length,
                                                    int32_t *ids, struct fum_token_fit *fit,
                                                    struct fum_error *err);

// The text of ids, special tokens included; ids without a piece are left out. *text ends in NUL and
// is the caller's, freed with fum_token_text_free.
FUM_API enum fum_result fum_tokenizer_decode(const fum_tokenizer *tokenizer, const int32_t *ids,
                                             size_t count, char **text, struct fum_error *err);
FUM_API void fum_token_text_free(char **text);

// The piece of an id as the vocabulary writes it ("cat</w>"), valid as long as the tokenizer; NULL
// for no such id.
FUM_API const char *fum_tokenizer_piece(const fum_tokenizer *tokenizer, int32_t id);
// The id of a piece, or -1.
FUM_API int32_t fum_tokenizer_find(const fum_tokenizer *tokenizer, const char *piece);

// One more than the largest id.
FUM_API int32_t fum_tokenizer_vocab_size(const fum_tokenizer *tokenizer);
FUM_API int32_t fum_tokenizer_start_id(const fum_tokenizer *tokenizer);
FUM_API int32_t fum_tokenizer_end_id(const fum_tokenizer *tokenizer);
FUM_API int32_t fum_tokenizer_pad_id(const fum_tokenizer *tokenizer);
// Ids of one prompt with start and end: 77 for CLIP. 0 when the folder says that there is no limit.
FUM_API int fum_tokenizer_max_length(const fum_tokenizer *tokenizer);

#ifdef __cplusplus
}
#endif

#endif
