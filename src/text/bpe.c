// SPDX-License-Identifier: MIT
// Encodes by byte pairs (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with
// Subword Units"). The byte alphabet is GPT-2's (Radford et al. 2019).
//
// Easy to get wrong: the end of word belongs to the last byte's symbol before any merge. If ranks
// are equal, the leftmost pair merges first, one at a time.
#include "text/bpe.h"

#include "base/error.h"
#include "base/text.h"
#include "text/unicode.h"

#include <string.h>

enum { MAX_PIECES = 1 << 21, MAX_PIECE_BYTES = 4096, SPARE_IDS = 1 << 16 };

struct fum_bpe_symbol {
    int32_t id; // -1: merged into the previous symbol
    int32_t previous, next;
};

struct fum_bpe_candidate {
    int32_t rank, position, merged;
};

uint32_t fum_bpe_byte_to_char(uint8_t byte) {
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174) return byte;
    if (byte <= 32) return 256u + byte;
    return byte == 173 ? 323u : 289u + (byte - 127u); // 127..160 follow the 33 below them, then 173
}

int fum_bpe_char_to_byte(uint32_t code) {
    if (code < 256) return fum_bpe_byte_to_char((uint8_t)code) == code ? (int)code : -1;
    if (code < 289) return (int)code - 256;
    if (code < 323) return (int)code - 289 + 127;
    return code == 323 ? 173 : -1;
}

bool fum_id_list_add(struct fum_id_list *ids, int32_t id) {
    if (!fum_grow((void **)&ids->at, &ids->capacity, ids->count, sizeof(*ids->at))) return false;
    ids->at[ids->count++] = id;
    return true;
}

static size_t table_size(size_t items) {
    size_t size = 16;
    while (size < items * 2) size *= 2;
    return size;
}

enum fum_result fum_bpe_begin(struct fum_bpe **out, size_t pieces, size_t merges,
                              struct fum_error *err) {
    *out = NULL;
    if (pieces > MAX_PIECES || merges > MAX_PIECES)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "tokenizer: %zu pieces and %zu merges are over the limit of %d each",
                             pieces, merges, MAX_PIECES);
    struct fum_bpe *bpe = fum_calloc(1, sizeof(*bpe));
    if (!bpe) return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory");
    *out = bpe;
    bpe->unknown = -1;
    bpe->id_limit = (int32_t)(2 * pieces + SPARE_IDS);
    bpe->slot_count = table_size(pieces);
    bpe->merge_slots = table_size(merges);
    bpe->arena = fum_arena_create();
    bpe->pieces = fum_calloc((size_t)bpe->id_limit, sizeof(*bpe->pieces));
    bpe->slots = fum_alloc(bpe->slot_count, sizeof(*bpe->slots));
    bpe->merges = fum_alloc(bpe->merge_slots, sizeof(*bpe->merges));
    if (!bpe->arena || !bpe->pieces || !bpe->slots || !bpe->merges)
        return fum_error_set(err, FUM_ERR_NOMEM, "tokenizer: out of memory for %zu pieces", pieces);
    memset(bpe->slots, 0xff, bpe->slot_count * sizeof(*bpe->slots));
    memset(bpe->merges, 0xff, bpe->merge_slots * sizeof(*bpe->merges));
    return FUM_OK;
}

void fum_bpe_destroy(struct fum_bpe **bpe) {
    if (!*bpe) return;
    fum_arena_destroy(&(*bpe)->arena);
    fum_free((*bpe)->pieces);
    fum_free((*bpe)->slots);
    fum_free((*bpe)->merges);
    fum_free(*bpe);
    *bpe = NULL;
}

// Returns the slot that holds the piece, or the free one where it belongs. Hashes by FNV-1a.
static size_t piece_slot(const struct fum_bpe *bpe, const char *piece, size_t bytes) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (uint8_t)piece[i]) * 1099511628211u;
    size_t slot = (hash ^ hash >> 32) & (bpe->slot_count - 1);
    for (;; slot = (slot + 1) & (bpe->slot_count - 1)) {
        int32_t id = bpe->slots[slot];
        if (id < 0) return slot;
        if (strlen(bpe->pieces[id]) == bytes && !memcmp(bpe->pieces[id], piece, bytes)) return slot;
    }
}

int32_t fum_bpe_find(const struct fum_bpe *bpe, const char *piece, size_t bytes) {
    return bpe->slots[piece_slot(bpe, piece, bytes)];
}

enum fum_result fum_bpe_add_piece(struct fum_bpe *bpe, struct fum_bpe_text text, double id,
                                  const char *where, struct fum_error *err) {
    const char *piece = text.at;
    size_t bytes = text.bytes;
    if (!bytes || bytes > MAX_PIECE_BYTES || memchr(piece, 0, bytes))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: a piece of %zu bytes; pieces have 1 to %d and no NUL", where,
                             bytes, MAX_PIECE_BYTES);
    if (!(id >= 0 && id < bpe->id_limit) || id != (double)(int32_t)id)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: piece '%s' has id %g, which is not a whole number below %d",
                             where, fum_text_show_bytes(piece, bytes).text, id, bpe->id_limit);
    int32_t number = (int32_t)id;
    if (bpe->pieces[number])
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: id %d is given twice, to '%s' and '%s'",
                             where, number, fum_text_show(bpe->pieces[number]).text,
                             fum_text_show_bytes(piece, bytes).text);
    size_t slot = piece_slot(bpe, piece, bytes);
    if (bpe->slots[slot] >= 0)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: piece '%s' has two ids, %d and %d", where,
                             fum_text_show_bytes(piece, bytes).text, bpe->slots[slot], number);
    char *copy = fum_arena_alloc(bpe->arena, bytes + 1, 1);
    if (!copy) return fum_error_set(err, FUM_ERR_NOMEM, "%s: out of memory for the pieces", where);
    memcpy(copy, piece, bytes);
    bpe->pieces[number] = copy;
    bpe->slots[slot] = number;
    return FUM_OK;
}

void fum_bpe_index_bytes(struct fum_bpe *bpe) {
    for (int byte = 0; byte < 256; byte++) {
        char piece[8 + sizeof(FUM_BPE_WORD_END)];
        size_t bytes = fum_utf8_put(piece, fum_bpe_byte_to_char((uint8_t)byte));
        bpe->byte_id[0][byte] = fum_bpe_find(bpe, piece, bytes);
        memcpy(piece + bytes, FUM_BPE_WORD_END, sizeof(FUM_BPE_WORD_END) - 1);
        bpe->byte_id[1][byte] = fum_bpe_find(bpe, piece, bytes + sizeof(FUM_BPE_WORD_END) - 1);
    }
    while (bpe->id_limit && !bpe->pieces[bpe->id_limit - 1]) bpe->id_limit--;
}

// Returns the slot of a pair of ids, or the free one where it belongs.
static size_t merge_slot(const struct fum_bpe *bpe, int32_t left, int32_t right) {
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t slot = (hash >> 32) & (bpe->merge_slots - 1);
    for (;; slot = (slot + 1) & (bpe->merge_slots - 1)) {
        const struct fum_bpe_merge *merge = &bpe->merges[slot];
        if (merge->left < 0 || (merge->left == left && merge->right == right)) return slot;
    }
}

static bool is_piece_length(size_t bytes) {
    return bytes && bytes <= MAX_PIECE_BYTES;
}

enum fum_result fum_bpe_add_merge(struct fum_bpe *bpe, const struct fum_bpe_pair *pair,
                                  const char *where, struct fum_error *err) {
    struct fum_bpe_text left = pair->left, right = pair->right;
    char both[2 * MAX_PIECE_BYTES];
    int32_t ids[3] = {-1, -1, -1};
    if (is_piece_length(left.bytes) && is_piece_length(right.bytes)) {
        memcpy(both, left.at, left.bytes);
        memcpy(both + left.bytes, right.at, right.bytes);
        ids[0] = fum_bpe_find(bpe, left.at, left.bytes);
        ids[1] = fum_bpe_find(bpe, right.at, right.bytes);
        ids[2] = fum_bpe_find(bpe, both, left.bytes + right.bytes);
    }
    if (ids[0] < 0 || ids[1] < 0 || ids[2] < 0)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: merge %d ('%s' + '%s') uses or makes a piece that the vocabulary "
                             "does not have; do the two files belong together?",
                             where, pair->rank + 1, fum_text_show_bytes(left.at, left.bytes).text,
                             fum_text_show_bytes(right.at, right.bytes).text);
    // A pair that is listed twice keeps its later rank, as in the reference.
    bpe->merges[merge_slot(bpe, ids[0], ids[1])] =
        (struct fum_bpe_merge){ids[0], ids[1], pair->rank, ids[2]};
    return FUM_OK;
}

void fum_bpe_scratch_free(struct fum_bpe_scratch *scratch) {
    fum_free(scratch->symbols);
    fum_free(scratch->heap);
    *scratch = (struct fum_bpe_scratch){0};
}

static bool before(struct fum_bpe_candidate a, struct fum_bpe_candidate b) {
    return a.rank != b.rank ? a.rank < b.rank : a.position < b.position;
}

static void heap_push(struct fum_bpe_candidate *heap, size_t *count,
                      struct fum_bpe_candidate item) {
    size_t i = (*count)++;
    for (; i && before(item, heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = item;
}

static struct fum_bpe_candidate heap_pop(struct fum_bpe_candidate *heap, size_t *count) {
    struct fum_bpe_candidate top = heap[0], last = heap[--*count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *count; i = child) {
        if (child + 1 < *count && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], last)) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static const struct fum_bpe_merge *find_merge(const struct fum_bpe *bpe, int32_t left,
                                              int32_t right) {
    const struct fum_bpe_merge *merge = &bpe->merges[merge_slot(bpe, left, right)];
    return merge->left < 0 ? NULL : merge;
}

// Adds the pair that starts at `position` to the candidates, if it merges.
static void add_candidate(const struct fum_bpe *bpe, struct fum_bpe_scratch *scratch, size_t *count,
                          int32_t position) {
    const struct fum_bpe_symbol *left = &scratch->symbols[position];
    if (left->next < 0) return;
    const struct fum_bpe_merge *merge = find_merge(bpe, left->id, scratch->symbols[left->next].id);
    if (merge)
        heap_push(scratch->heap, count,
                  (struct fum_bpe_candidate){merge->rank, position, merge->merged});
}

static void merge_symbols(const struct fum_bpe *bpe, struct fum_bpe_scratch *scratch,
                          int32_t symbols) {
    struct fum_bpe_symbol *symbol = scratch->symbols;
    size_t count = 0;
    for (int32_t i = 0; i < symbols; i++) add_candidate(bpe, scratch, &count, i);
    while (count) {
        struct fum_bpe_candidate best = heap_pop(scratch->heap, &count);
        struct fum_bpe_symbol *left = &symbol[best.position];
        if (left->id < 0 || left->next < 0) continue; // merged since it became a candidate
        struct fum_bpe_symbol *right = &symbol[left->next];
        const struct fum_bpe_merge *merge = find_merge(bpe, left->id, right->id);
        if (!merge || merge->merged != best.merged) continue;
        left->id = merge->merged;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0) symbol[left->next].previous = best.position;
        if (left->previous >= 0) add_candidate(bpe, scratch, &count, left->previous);
        add_candidate(bpe, scratch, &count, best.position);
    }
}

bool fum_bpe_encode_word(const struct fum_bpe *bpe, struct fum_bpe_scratch *scratch,
                         const uint8_t *word, size_t bytes, struct fum_id_list *ids) {
    if (!bytes) return true;
    // Every merge removes one symbol and adds at most two candidates, so 3 n of them suffice.
    if (!fum_grow((void **)&scratch->symbols, &scratch->symbol_capacity, bytes,
                  sizeof(*scratch->symbols)) ||
        !fum_grow((void **)&scratch->heap, &scratch->heap_capacity, 3 * bytes,
                  sizeof(*scratch->heap)))
        return false;
    int32_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        int32_t id = bpe->byte_id[i + 1 == bytes][word[i]];
        if (id < 0) id = bpe->unknown;
        if (id < 0) continue;
        scratch->symbols[count] = (struct fum_bpe_symbol){id, count - 1, count + 1};
        count++;
    }
    if (!count) return true;
    scratch->symbols[count - 1].next = -1;
    merge_symbols(bpe, scratch, count);
    for (int32_t i = 0; i >= 0; i = scratch->symbols[i].next)
        if (!fum_id_list_add(ids, scratch->symbols[i].id)) return false;
    return true;
}
