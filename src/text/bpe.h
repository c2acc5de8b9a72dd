// SPDX-License-Identifier: MIT
// Byte-level byte-pair encoding: a vocabulary of pieces, the ranked merges between them, and the
// merging of one word. A piece is written in GPT-2's alphabet, where each byte is one printable
// character; the last piece of a word ends in "</w>".
#ifndef FUM_TEXT_BPE_H
#define FUM_TEXT_BPE_H

#include "base/alloc.h"

#define FUM_BPE_WORD_END "</w>"

struct fum_bpe_merge {
    int32_t left, right; // ids; left -1 marks a free slot
    int32_t rank, merged;
};

// Immutable once loaded: any number of threads may read it.
struct fum_bpe {
    fum_arena *arena;    // owns the pieces' text
    const char **pieces; // by id; NULL where an id has no piece
    int32_t id_limit;    // ids are below this
    int32_t *slots;      // hash table of ids by piece; -1 is free
    size_t slot_count;   // a power of two, as merge_slots
    struct fum_bpe_merge *merges;
    size_t merge_slots;
    // a byte's piece, [1] with the end of word; -1 when the vocabulary has none
    int32_t byte_id[2][256];
    int32_t unknown; // what a byte without a piece becomes; -1 drops it
};

// Loading, in this order: begin, add every piece, index the bytes, add every merge. `where` names
// the source in errors. After an error call fum_bpe_destroy.
enum fum_result fum_bpe_begin(struct fum_bpe **bpe, size_t pieces, size_t merges,
                              struct fum_error *err);
enum fum_result fum_bpe_add_piece(struct fum_bpe *bpe, const char *piece, size_t bytes, double id,
                                  const char *where, struct fum_error *err);
void fum_bpe_index_bytes(struct fum_bpe *bpe);
enum fum_result fum_bpe_add_merge(struct fum_bpe *bpe, const char *left, size_t left_bytes,
                                  const char *right, size_t right_bytes, int32_t rank,
                                  const char *where, struct fum_error *err);
void fum_bpe_destroy(struct fum_bpe **bpe);

// The id of a piece, or -1.
int32_t fum_bpe_find(const struct fum_bpe *bpe, const char *piece, size_t bytes);

// The character of GPT-2's alphabet that stands for a byte, and the byte of a character (-1 for
// none).
uint32_t fum_bpe_byte_to_char(uint8_t byte);
int fum_bpe_char_to_byte(uint32_t code);

// What merging one word needs; zero is empty, reused from word to word.
struct fum_bpe_scratch {
    struct fum_bpe_symbol *symbols;
    struct fum_bpe_candidate *heap;
    size_t symbol_capacity, heap_capacity;
};
void fum_bpe_scratch_free(struct fum_bpe_scratch *scratch);

// A growing array of ids; zero is empty. Free `at` with fum_free.
struct fum_id_list {
    int32_t *at;
    size_t count, capacity;
};
bool fum_id_list_add(struct fum_id_list *ids, int32_t id);

// Appends the ids of one word of `bytes` bytes. False when memory is out. Time n log n.
bool fum_bpe_encode_word(const struct fum_bpe *bpe, struct fum_bpe_scratch *scratch,
                         const uint8_t *word, size_t bytes, struct fum_id_list *ids);

// Whole vocabularies from text in memory. vocab.json is {"piece": id}; merges.txt a pair a line,
// best first; the CLIP text (bpe_simple_vocab_16e6.txt of open-clip-torch) holds 48,894 merges,
// from which all 49,408 pieces follow.
enum fum_result fum_bpe_parse(struct fum_bpe **bpe, const char *vocab, size_t vocab_bytes,
                              const char *vocab_where, const char *merges, size_t merges_bytes,
                              const char *merges_where, struct fum_error *err);
enum fum_result fum_bpe_parse_clip(struct fum_bpe **bpe, const char *text, size_t bytes,
                                   const char *where, struct fum_error *err);
// From the "model" of a tokenizer.json.
struct cJSON;
enum fum_result fum_bpe_from_json(struct fum_bpe **bpe, const struct cJSON *vocab,
                                  const struct cJSON *merges, const char *where,
                                  struct fum_error *err);

#endif
