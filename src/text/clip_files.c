// SPDX-License-Identifier: MIT
#include "text/clip_files.h"

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <string.h>

// CLIP's text is a title, then a line for each merge. Lines after them are not CLIP's.
enum { MERGES = 49152 - 256 - 2, MAX_PIECE = 256, MODEL_LENGTH = 77 };

static const char start_token[] = "<|startoftext|>", end_token[] = "<|endoftext|>";

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: no memory for its files");
}

static bool add_piece(cJSON *vocab, const char *piece, int *id) {
    return cJSON_AddNumberToObject(vocab, piece, (*id)++) != NULL;
}

// Adds the 512 pieces of single bytes, printable ones first, then the same at the ends of words.
static bool add_bytes(cJSON *vocab, int *id) {
    bool good = true;
    for (int pass = 0; pass < 4 && good; pass++) {
        for (int byte = 0; byte < 256 && good; byte++) {
            char piece[MAX_PIECE];
            uint32_t code = fum_bpe_byte_to_char((uint8_t)byte);
            if ((code < 256) != (pass % 2 == 0)) continue;
            size_t bytes = fum_utf8_put(piece, code);
            snprintf(piece + bytes, sizeof piece - bytes, "%s", pass >= 2 ? FUM_BPE_WORD_END : "");
            good = add_piece(vocab, piece, id);
        }
    }
    return good;
}

// Adds what a merge makes: its two halves without the blank between them.
static bool add_merge(cJSON *vocab, const char *line, size_t bytes, int *id) {
    char piece[MAX_PIECE];
    size_t length = 0;
    for (size_t i = 0; i < bytes && length + 1 < sizeof piece; i++)
        if (line[i] != ' ' && line[i] != '\r') piece[length++] = line[i];
    piece[length] = 0;
    return add_piece(vocab, piece, id);
}

// Makes vocab.json, and returns where the text's merges end.
static bool make_vocab(char **json, const char *text, const char **end) {
    cJSON *vocab = cJSON_CreateObject();
    const char *line = strchr(text, '\n');
    int id = 0;
    bool good = vocab && add_bytes(vocab, &id);
    for (int i = 0; i < MERGES && line && good; i++) {
        const char *next = strchr(++line, '\n');
        size_t bytes = next ? (size_t)(next - line) : strlen(line);
        good = add_merge(vocab, line, bytes, &id);
        *end = line + bytes;
        line = next;
    }
    good = good && add_piece(vocab, start_token, &id) && add_piece(vocab, end_token, &id);
    *json = good ? cJSON_PrintUnformatted(vocab) : NULL;
    cJSON_Delete(vocab);
    return *json != NULL;
}

static bool make_config(char **json, const char *pad) {
    cJSON *config = cJSON_CreateObject();
    bool good = config && cJSON_AddFalseToObject(config, "add_prefix_space") &&
                cJSON_AddStringToObject(config, "bos_token", start_token) &&
                cJSON_AddTrueToObject(config, "do_lower_case") &&
                cJSON_AddStringToObject(config, "eos_token", end_token) &&
                cJSON_AddStringToObject(config, "errors", "replace") &&
                cJSON_AddNumberToObject(config, "model_max_length", MODEL_LENGTH) &&
                cJSON_AddStringToObject(config, "pad_token", pad ? pad : end_token) &&
                cJSON_AddStringToObject(config, "tokenizer_class", "CLIPTokenizer") &&
                cJSON_AddStringToObject(config, "unk_token", end_token);
    *json = good ? cJSON_Print(config) : NULL;
    cJSON_Delete(config);
    return *json != NULL;
}

static bool make_merges(char **merges, const char *text, const char *end) {
    static const char title[] = "#version: 0.2";
    const char *first = strchr(text, '\n');
    size_t bytes = first ? (size_t)(end - first) : 0;
    *merges = cJSON_malloc(sizeof title + bytes + 1);
    if (*merges && first)
        snprintf(*merges, sizeof title + bytes + 1, "%s%.*s\n", title, (int)bytes, first);
    return *merges && first;
}

enum fum_result fum_clip_files_make(struct fum_clip_files *files, const char *pad,
                                    struct fum_error *err) {
    static const char *const names[FUM_CLIP_FILES] = {"vocab.json", "merges.txt",
                                                      "tokenizer_config.json"};
    for (int i = 0; i < FUM_CLIP_FILES; i++) files->files[i].name = names[i];
    char *text = NULL;
    const char *path = NULL, *end = NULL;
    size_t bytes;
    fum_arena *arena = fum_arena_create();
    if (!arena) return no_memory(err);
    enum fum_result result = fum_tokenizer_read_clip(arena, &path, &text, &bytes, err);
    if (!result) end = text;
    if (!result && (!make_vocab(&files->files[0].text, text, &end) ||
                    !make_merges(&files->files[1].text, text, end) ||
                    !make_config(&files->files[2].text, pad)))
        result = no_memory(err);
    fum_free(text);
    fum_arena_destroy(&arena);
    return result;
}

void fum_clip_files_free(struct fum_clip_files *files) {
    for (int i = 0; i < FUM_CLIP_FILES; i++) cJSON_free(files->files[i].text);
    *files = (struct fum_clip_files){0};
}
