// SPDX-License-Identifier: MIT
// Turns text into the ids that a CLIP text encoder reads, and back. The ids are exactly those of
// transformers' CLIPTokenizer.
//
// A tokenizer never changes after it was loaded, so any number of threads may use one at once. Text
// is UTF-8 with its length in bytes, and may hold NUL. Invalid bytes count as U+FFFD, as with
// Python's errors="replace".
#ifndef FUMAROLE_TOKENIZER_H
#define FUMAROLE_TOKENIZER_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fum_tokenizer fum_tokenizer;

// Length of the longest text, in bytes. A longer one is FUM_ERR_ARG.
#define FUM_TOKENIZER_MAX_BYTES (1 << 20)

// Settings of a tokenizer. Zero is CLIP as Stable Diffusion 1 uses it. A special token that is
// written in the text stands for its id.
struct fum_tokenizer_params {
    const char *start;   // NULL: "<|startoftext|>"
    const char *end;     // NULL: "<|endoftext|>"
    const char *unknown; // for bytes that the vocabulary lacks; NULL: "<|endoftext|>"
    const char *pad;     // NULL: "<|endoftext|>"; "!" in SD 2 and in SDXL's second encoder
    int max_length;      // ids of one prompt with start and end; 0: 77
};

// A vocabulary in memory. The library copies what it needs.
struct fum_tokenizer_texts {
    const char *vocab_json; // {"piece": id, …}
    size_t vocab_bytes;
    const char *merges; // merges.txt: a pair of pieces a line, best first
    size_t merges_bytes;
};

// Creates a tokenizer from vocab.json and merges.txt. `params` may be NULL. *tokenizer is NULL on
// error. Errors: FUM_ERR_IO, FUM_ERR_FORMAT, FUM_ERR_UNSUPPORTED (too large), FUM_ERR_NOMEM,
// FUM_ERR_ARG (a length of 1).
FUM_API enum fum_result fum_tokenizer_load(fum_tokenizer **tokenizer, const char *vocab_path,
                                           const char *merges_path,
                                           const struct fum_tokenizer_params *params,
                                           struct fum_error *err);
// Creates a tokenizer as fum_tokenizer_load does, from texts in memory.
FUM_API enum fum_result fum_tokenizer_create(fum_tokenizer **tokenizer,
                                             const struct fum_tokenizer_texts *texts,
                                             const struct fum_tokenizer_params *params,
                                             struct fum_error *err);
// Creates a tokenizer from the tokenizer folder of a diffusers model: vocab.json and merges.txt, or
// tokenizer.json alone. Special tokens and the longest length come from tokenizer_config.json,
// special_tokens_map.json and added_tokens.json, if present.
FUM_API enum fum_result fum_tokenizer_load_dir(fum_tokenizer **tokenizer, const char *dir,
                                               struct fum_error *err);
// Loads the 49,408-piece CLIP vocabulary for checkpoints that carry none. `path` is
// bpe_simple_vocab_16e6.txt, which the installed fumarole-clip-vocab (scripts/clip-vocab in the
// sources) fetches. NULL looks at $FUMAROLE_CLIP_VOCAB (the file, or its folder), then in the
// user's data folder, then where fumarole was installed. A missing file is FUM_ERR_IO, and the
// message says how to get it. `params` may be NULL.
FUM_API enum fum_result fum_tokenizer_load_clip(fum_tokenizer **tokenizer, const char *path,
                                                const struct fum_tokenizer_params *params,
                                                struct fum_error *err);
// Destroys a tokenizer and clears the pointer, which may be NULL already.
FUM_API void fum_tokenizer_destroy(fum_tokenizer **tokenizer);

// Ids that the library allocated. Free them with fum_token_ids_free. Zero is empty.
struct fum_token_ids {
    int32_t *ids;
    size_t count;
};
FUM_API void fum_token_ids_free(struct fum_token_ids *ids);

// Encodes a text to all of its ids, with start and end. Errors: FUM_ERR_ARG (too long),
// FUM_ERR_NOMEM.
FUM_API enum fum_result fum_tokenizer_encode(const fum_tokenizer *tokenizer, const char *text,
                                             size_t bytes, struct fum_token_ids *ids,
                                             struct fum_error *err);

// A text that is to become a fixed number of ids.
struct fum_padded_text {
    const char *text;
    size_t bytes;
    int length; // ids, at least 2; 0: the tokenizer's max_length
};

// Reports what did not fit. Free it with fum_token_fit_free.
struct fum_token_fit {
    size_t count; // ids of the whole text, with start and end
    char *cut;    // the text that was cut off, as fum_tokenizer_decode writes it; NULL: none
};
FUM_API void fum_token_fit_free(struct fum_token_fit *fit);

// Encodes a text to exactly `length` ids: start, as many as fit, end, and the pad id up to the
// length. `ids` has room for them. `fit` may be NULL.
FUM_API enum fum_result fum_tokenizer_encode_padded(const fum_tokenizer *tokenizer,
                                                    const struct fum_padded_text *text,
                                                    int32_t *ids, struct fum_token_fit *fit,
                                                    struct fum_error *err);

// ---- prompts ----

// Calls `fn` with the name of the LoRA in each tag of a prompt, such as <lora:NAME:0.8>, until it
// returns false. Errors: FUM_ERR_NOMEM.
FUM_API enum fum_result fum_prompt_each_lora(const char *prompt,
                                             bool (*fn)(void *user, const char *name), void *user,
                                             struct fum_error *err);

// A prompt in the grammar of A1111's web UI. The signs (x), [x] and (x:1.3) weigh words, and BREAK
// begins a new chunk. [a:b:when] and [a|b] change the text with the step. AND joins prompts, each
// with its weight as in "a cat :0.7".
struct fum_prompt {
    const char *text;
    int steps;            // of the sampler, at least 1: what schedules count
    bool ignores_weights; // (x), [x], (x:1.3) and BREAK are text
};

// A part of a prompt during a range of steps.
struct fum_prompt_row {
    int part;      // of those that AND joins, from 0
    double weight; // the part's; 1 by default
    int until;     // last step of the range; steps count from 1
    int chunks, length;
    int32_t *ids;    // [chunks, length]: start, words, end and padding
    double *weights; // [chunks, length]
};
// Rows that the library allocated: those of the first part in order, then those of the next.
struct fum_prompt_rows {
    struct fum_prompt_row *rows;
    size_t count;
};

// Reads a prompt without its tags, such as <lora:NAME:0.8>. Chunks have the tokenizer's length, at
// most 77 ids. A chunk that is full is cut after a comma that is at most 20 ids back. Free the
// result with fum_prompt_rows_free. Errors: FUM_ERR_ARG (too long, over 32 parts, no steps),
// FUM_ERR_NOMEM.
FUM_API enum fum_result fum_tokenizer_read_prompt(const fum_tokenizer *tokenizer,
                                                  const struct fum_prompt *prompt,
                                                  struct fum_prompt_rows *rows,
                                                  struct fum_error *err);
FUM_API void fum_prompt_rows_free(struct fum_prompt_rows *rows);

// Decodes ids to text, special tokens included. Ids without a piece are left out. *text ends in NUL
// and belongs to the caller. Free it with fum_token_text_free.
FUM_API enum fum_result fum_tokenizer_decode(const fum_tokenizer *tokenizer, const int32_t *ids,
                                             size_t count, char **text, struct fum_error *err);
FUM_API void fum_token_text_free(char **text);

// Returns the piece of an id as the vocabulary writes it ("cat</w>"), valid as long as the
// tokenizer. NULL: no such id.
FUM_API const char *fum_tokenizer_piece(const fum_tokenizer *tokenizer, int32_t id);
// Returns the id of a piece, or -1.
FUM_API int32_t fum_tokenizer_find(const fum_tokenizer *tokenizer, const char *piece);

// Returns one more than the largest id.
FUM_API int32_t fum_tokenizer_vocab_size(const fum_tokenizer *tokenizer);
FUM_API int32_t fum_tokenizer_start_id(const fum_tokenizer *tokenizer);
FUM_API int32_t fum_tokenizer_end_id(const fum_tokenizer *tokenizer);
FUM_API int32_t fum_tokenizer_pad_id(const fum_tokenizer *tokenizer);
// Returns the ids of one prompt with start and end, 77 for CLIP. 0: the folder sets no limit.
FUM_API int fum_tokenizer_max_length(const fum_tokenizer *tokenizer);

#ifdef __cplusplus
}
#endif

#endif
