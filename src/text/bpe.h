// SPDX-License-Identifier: MIT
// Declares byte-level byte-pair encoding: a vocabulary of pieces, the ranked merges between them,
// and the merging of one word. A piece is written in GPT-2's alphabet, where each byte is one
// printable character. The last piece of a word ends in "</w>".
#ifndef FUM_TEXT_BPE_H
#define FUM_TEXT_BPE_H

#include "base/alloc.h"

#define FUM_BPE_WORD_END "</w>"

struct fum_bpe_merge {
    int32_t left, right; // ids; left -1: the entry is free
    int32_t rank, merged;
};

// Never changes once loaded, so any number of threads may read it.
struct fum_bpe {
    fum_arena *arena;    // owns the pieces' text
    const char **pieces; // by id; NULL where an id has no piece
    int32_t id_limit;    // ids are below this
    int32_t *slots;      // hash table of ids by piece; -1: free
    size_t slot_count;   // a power of two, as merge_slots
    struct fum_bpe_merge *merges;
    size_t merge_slots;
    int32_t byte_id[2][256]; // a byte's piece, [1] with the end of word; -1: none
    int32_t unknown;         // id of a byte without a piece; -1: the byte is dropped
};

// A stretch of text without an end mark.
struct fum_bpe_text {
    const char *at;
    size_t bytes;
};

// A text to load, and its name in errors.
struct fum_bpe_source {
    struct fum_bpe_text text;
    const char *where;
};

// A merge: two pieces that are written side by side become one. Lower ranks merge first.
struct fum_bpe_pair {
    struct fum_bpe_text left, right;
    int32_t rank;
};

// Starts a vocabulary. Add every piece, index the bytes, then add every merge. `where` names the
// source in errors. After an error call fum_bpe_destroy.
enum fum_result fum_bpe_begin(struct fum_bpe **bpe, size_t pieces, size_t merges,
                              struct fum_error *err);
enum fum_result fum_bpe_add_piece(struct fum_bpe *bpe, struct fum_bpe_text piece, double id,
                                  const char *where, struct fum_error *err);
void fum_bpe_index_bytes(struct fum_bpe *bpe);
enum fum_result fum_bpe_add_merge(struct fum_bpe *bpe, const struct fum_bpe_pair *pair,
                                  const char *where, struct fum_error *err);
void fum_bpe_destroy(struct fum_bpe **bpe);

// Returns the id of a piece, or -1.
int32_t fum_bpe_find(const struct fum_bpe *bpe, const char *piece, size_t bytes);

// Converts between a byte and the character of GPT-2's alphabet that stands for it. The second
// returns -1 for a character outside the alphabet.
uint32_t fum_bpe_byte_to_char(uint8_t byte);
int fum_bpe_char_to_byte(uint32_t code);

// Scratch memory for merging a word. Zero is empty; it is reused from word to word.
struct fum_bpe_scratch {
    struct fum_bpe_symbol *symbols;
    struct fum_bpe_candidate *heap;
    size_t symbol_capacity, heap_capacity;
};
void fum_bpe_scratch_free(struct fum_bpe_scratch *scratch);

// A growing array of ids. Zero is empty. Free `at` with fum_free.
struct fum_id_list {
    int32_t *at;
    size_t count, capacity;
};
// Appends an id. Returns false when memory is out.
bool fum_id_list_add(struct fum_id_list *ids, int32_t id);

// Appends the ids of one word in O(n log n) time. Returns false when memory is out.
bool fum_bpe_encode_word(const struct fum_bpe *bpe, struct fum_bpe_scratch *scratch,
                         const uint8_t *word, size_t bytes, struct fum_id_list *ids);

// Parses vocab.json, {"piece": id}, and merges.txt, one pair a line, best first.
enum fum_result fum_bpe_parse(struct fum_bpe **bpe, const struct fum_bpe_source *vocab,
                              const struct fum_bpe_source *merges, struct fum_error *err);
// Parses the CLIP text (bpe_simple_vocab_16e6.txt of open-clip-torch). It holds 48,894 merges, from
// which all 49,408 pieces follow.
enum fum_result fum_bpe_parse_clip(struct fum_bpe **bpe, const struct fum_bpe_source *source,
                                   struct fum_error *err);
// Reads the "model" of a tokenizer.json.
struct cJSON;
enum fum_result fum_bpe_from_json(struct fum_bpe **bpe, const struct cJSON *vocab,
                                  const struct cJSON *merges, const char *where,
                                  struct fum_error *err);

#endif
