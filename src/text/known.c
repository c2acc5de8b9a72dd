// SPDX-License-Identifier: MIT
#include "text/known.h"

#include "base/error.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum {
    MIN_LETTERS = 3,
    MAX_LETTERS = 32,
    MAX_BYTES = 1 << 22, // of all texts
    NEAREST = 16,
    MAX_TRIED = 16,
    PER_WORD = 2,
    SHORT_PROMPT = 2, // words
    SHORT_WORD = 4,   // letters
    COMPOUND_LETTERS = 5,
    MAX_LISTED = 12,
};

// A stretch of normalised code points. `text` is the caller's own spelling, or NULL.
struct entry {
    const uint32_t *codes;
    size_t count;
    const char *text;
};

struct fum_known {
    struct fum_code_points codes; // of all texts, into which entries point
    // prompts, then as many keywords if there are any, then the caller's words
    struct entry *texts;
    size_t prompt_count, keyword_count;
    struct entry *words; // sorted, without doubles
    size_t word_count, word_capacity;
};

static int by_text(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    for (size_t i = 0; i < x->count && i < y->count; i++)
        if (x->codes[i] != y->codes[i]) return x->codes[i] < y->codes[i] ? -1 : 1;
    return x->count != y->count ? (x->count < y->count ? -1 : 1) : 0;
}

// True for words that do not describe what to draw.
static bool is_filler(const struct entry *word) {
    static const char *const fillers[] = {"the", "and", "with", "not", "for", "from"};
    for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
        size_t length = strlen(fillers[i]), same = 0;
        while (same < length && same < word->count &&
               word->codes[same] == (uint8_t)fillers[i][same])
            same++;
        if (same == length && word->count == length) return true;
    }
    return false;
}

// Finds the next word of text[*at…], at least three letters in alphabetic scripts. Returns false
// after the last one.
static bool next_word(const struct entry *text, size_t *at, struct entry *word) {
    while (*at < text->count) {
        size_t begin = *at;
        while (*at < text->count && fum_char_class(text->codes[*at]) == FUM_CHAR_LETTER) ++*at;
        *word = (struct entry){text->codes + begin, *at - begin, NULL};
        if (!word->count) {
            ++*at;
            continue;
        }
        bool is_ideographic = word->codes[0] >= 0x2e80; // one character may be a word there
        if ((word->count >= MIN_LETTERS || is_ideographic) && !is_filler(word)) return true;
    }
    return false;
}

// Appends the normalised text without outer spaces. The codes may still move, so the caller sets
// `entry->codes` later.
static bool add_text(struct fum_code_points *codes, struct entry *entry, const char *text) {
    struct fum_code_points raw = {0};
    size_t begin = codes->count;
    bool is_fine = fum_utf8_decode(&raw, text, strlen(text)) &&
                   fum_tokenizer_normalize(codes, raw.at, raw.count);
    fum_free(raw.at);
    if (codes->count > begin && codes->at[codes->count - 1] == ' ') codes->count--;
    if (codes->count > begin && codes->at[begin] == ' ') {
        codes->count--;
        memmove(codes->at + begin, codes->at + begin + 1,
                (codes->count - begin) * sizeof(*codes->at));
    }
    *entry = (struct entry){NULL, codes->count - begin, text};
    return is_fine;
}

static bool add_words(fum_known *known, const struct entry *text) {
    struct entry word;
    for (size_t at = 0; next_word(text, &at, &word);) {
        if (!fum_grow((void **)&known->words, &known->word_capacity, known->word_count,
                      sizeof(word)))
            return false;
        known->words[known->word_count++] = word;
    }
    return true;
}

static void sort_words(fum_known *known) {
    size_t kept = 0;
    if (known->word_count) qsort(known->words, known->word_count, sizeof(*known->words), by_text);
    for (size_t i = 0; i < known->word_count; i++)
        if (!kept || by_text(&known->words[kept - 1], &known->words[i]))
            known->words[kept++] = known->words[i];
    known->word_count = kept;
}

// Gives a word that the caller listed by itself that spelling, which is then suggested.
static void name_words(fum_known *known, const struct entry *given, size_t count) {
    for (size_t i = 0; i < count && known->word_count; i++) {
        struct entry *word =
            bsearch(&given[i], known->words, known->word_count, sizeof(*given), by_text);
        if (word) word->text = given[i].text;
    }
}

// Returns the index-th of all texts: prompts, keywords, words.
static const char *text_at(const struct fum_known_params *params, size_t index) {
    if (index < params->prompt_count) return params->prompts[index];
    index -= params->prompt_count;
    if (!params->keywords) return params->words[index];
    return index < params->prompt_count ? params->keywords[index]
                                        : params->words[index - params->prompt_count];
}

// True if the lists are short enough for the time that advice may take.
static bool is_small(const struct fum_known_params *params, size_t count) {
    size_t bytes = 0;
    if (params->prompt_count > FUM_KNOWN_MAX_TEXTS || params->word_count > FUM_KNOWN_MAX_TEXTS)
        return false;
    for (size_t i = 0; i < count && bytes <= MAX_BYTES; i++) bytes += strlen(text_at(params, i));
    return bytes <= MAX_BYTES;
}

enum fum_result fum_known_create(fum_known **out, const struct fum_known_params *params,
                                 struct fum_error *err) {
    size_t keyword_count = params->keywords ? params->prompt_count : 0;
    size_t given = params->prompt_count + keyword_count, count = given + params->word_count;
    *out = NULL;
    fum_known *known = fum_calloc(1, sizeof(*known));
    if (known && !is_small(params, count)) {
        *out = known; // empty
        return FUM_OK;
    }
    bool is_fine = known && (known->texts = fum_calloc(count, sizeof(*known->texts)));
    for (size_t i = 0; i < count && is_fine; i++)
        is_fine = add_text(&known->codes, &known->texts[i], text_at(params, i));
    for (size_t i = 0, begin = 0; i < count && is_fine; begin += known->texts[i++].count) {
        known->texts[i].codes = known->codes.at ? known->codes.at + begin : NULL;
        is_fine = add_words(known, &known->texts[i]);
    }
    if (is_fine) {
        known->prompt_count = params->prompt_count;
        known->keyword_count = keyword_count;
        sort_words(known);
        name_words(known, known->texts + given, params->word_count);
        *out = known;
        return FUM_OK;
    }
    fum_known_destroy(&known);
    return fum_error_set(err, FUM_ERR_NOMEM, "known prompts: out of memory");
}

void fum_known_destroy(fum_known **known) {
    if (!*known) return;
    fum_free((*known)->codes.at);
    fum_free((*known)->texts);
    fum_free((*known)->words);
    fum_free(*known);
    *known = NULL;
}

static bool is_word(const fum_known *known, struct entry word) {
    return known->word_count &&
           bsearch(&word, known->words, known->word_count, sizeof(word), by_text);
}

// True if the word is known itself, or as the singular of an English plural.
static bool knows_word(const fum_known *known, struct entry word) {
    if (is_word(known, word)) return true;
    if (word.count <= MIN_LETTERS || word.codes[word.count - 1] != 's') return false;
    word.count--;
    if (is_word(known, word)) return true;
    if (word.count <= MIN_LETTERS || word.codes[word.count - 1] != 'e') return false;
    word.count--;
    return is_word(known, word);
}

// Counts the words of a text that describe what to draw, and those of them that are unknown.
struct tally {
    size_t words, unknown;
};

static struct tally count_words(const fum_known *known, const struct entry *text) {
    struct tally tally = {0};
    struct entry word;
    if (!known->word_count) return tally;
    for (size_t i = 0; i < known->prompt_count; i++)
        if (!by_text(&known->texts[i], text)) return tally;
    for (size_t at = 0; next_word(text, &at, &word); tally.words++)
        if (!knows_word(known, word)) tally.unknown++;
    return tally;
}

static bool mostly_unknown(struct tally tally) {
    return tally.unknown * 2 > tally.words;
}

bool fum_known_has(const fum_known *known, const char *prompt) {
    struct fum_code_points codes = {0};
    struct entry text;
    bool is_known = !add_text(&codes, &text, prompt);
    text.codes = codes.at;
    struct tally tally = is_known ? (struct tally){0} : count_words(known, &text);
    fum_free(codes.at);
    return tally.unknown == 0 || tally.unknown < tally.words;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

// Counts letters to change, insert, leave out or swap with a neighbour (optimal string alignment).
// Both words are within MAX_LETTERS.
static size_t edit_distance(const struct entry *a, const struct entry *b) {
    size_t rows[3][MAX_LETTERS + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b->count; j++) last[j] = j, before[j] = 0;
    for (size_t i = 1; i <= a->count; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b->count; j++) {
            row[j] = smaller(smaller(last[j], row[j - 1]) + 1,
                             last[j - 1] + (a->codes[i - 1] != b->codes[j - 1]));
            if (i > 1 && j > 1 && a->codes[i - 1] == b->codes[j - 2] &&
                a->codes[i - 2] == b->codes[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last, last = row, row = oldest;
    }
    return last[b->count];
}

// Returns the largest number of edits that leave a word of this length a spelling of itself.
static size_t most_edits(size_t letters) {
    if (letters <= MIN_LETTERS) return 0;
    return letters <= 6 ? 1 : 2;
}

// True if a word may end like this after its stem: "", "s", "ing", … `before` is the stem's last
// letter, which may be doubled.
static bool is_ending(const uint32_t *rest, size_t count, uint32_t before) {
    static const char *const endings[] = {"s",   "es",   "e",    "y",   "ie",   "ies",
                                          "ed",  "er",   "ers",  "or",  "ing",  "ish",
                                          "let", "ling", "like", "ful", "less", "ly"};
    if (!count) return true;
    if (count > 1 && rest[0] == before) rest++, count--;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t same = 0;
        while (same < count && endings[i][same] && rest[same] == (uint8_t)endings[i][same]) same++;
        if (same == count && !endings[i][same]) return true;
    }
    return false;
}

// Returns 0 unless the words share a stem with usual endings, or `b` begins the compound `a` as in
// spaceship. The result is at most 1.
static double stem_similarity(const struct entry *a, const struct entry *b) {
    size_t longer = a->count > b->count ? a->count : b->count,
           shorter = smaller(a->count, b->count), stem = 0;
    while (stem < shorter && a->codes[stem] == b->codes[stem]) stem++;
    bool is_whole = stem == shorter && stem >= MIN_LETTERS;
    if (!is_whole && stem <= MIN_LETTERS) return 0;
    uint32_t last = a->codes[stem - 1];
    bool is_compound = stem == b->count && stem >= COMPOUND_LETTERS;
    bool has_endings = is_ending(a->codes + stem, a->count - stem, last) &&
                       is_ending(b->codes + stem, b->count - stem, last);
    if (!is_compound && !has_endings) return 0;
    return 0.5 + 0.45 * (double)stem / (double)longer;
}

// True if two words of one length have the same letters in another order, judged by their sum.
static bool is_swapped(const struct entry *a, const struct entry *b) {
    uint32_t sum = 0;
    for (size_t i = 0; i < a->count; i++) sum += a->codes[i] - b->codes[i];
    return sum == 0;
}

// Returns the similarity of two words, at most 1. 0: their spelling differs too much.
static double spelling_similarity(const struct entry *a, const struct entry *b) {
    size_t longer = a->count > b->count ? a->count : b->count,
           shorter = smaller(a->count, b->count);
    size_t most = most_edits(longer);
    if (longer - shorter > most) return 0;
    // A short word with one letter replaced is another word: hund, hand.
    if (longer <= SHORT_WORD && a->count == b->count && !is_swapped(a, b)) return 0;
    size_t edits = edit_distance(a, b);
    return edits <= most ? 1 - (double)edits / (double)longer : 0;
}

static double similarity(const struct entry *a, const struct entry *b) {
    if (a->count > MAX_LETTERS || b->count > MAX_LETTERS) return 0;
    double stem = stem_similarity(a, b), spelling = spelling_similarity(a, b);
    return stem > spelling ? stem : spelling;
}

struct near {
    const struct entry *word;
    double similarity;
};

// Inserts a word in order of similarity, unless it is there already or too far down. Returns the
// new count.
static size_t insert_near(struct near *list, size_t count, struct near found) {
    size_t place = count;
    for (size_t i = 0; i < count; i++)
        if (list[i].word == found.word) return count;
    while (place && list[place - 1].similarity < found.similarity) place--;
    if (place == NEAREST) return count;
    if (count < NEAREST) count++;
    for (size_t i = count - 1; i > place; i--) list[i] = list[i - 1];
    list[place] = found;
    return count;
}

// Finds the known words most similar to any of the text's first unknown words, best first and at
// most NEAREST.
static size_t find_near(const fum_known *known, const struct entry *text, struct near *near) {
    const double margin = 0.1; // below a word's best match; a larger one would be another word
    struct entry word;
    size_t count = 0, at = 0;
    for (int tried = 0; tried < MAX_TRIED && next_word(text, &at, &word);) {
        struct near own[NEAREST];
        size_t own_count = 0;
        if (knows_word(known, word)) continue;
        tried++;
        for (size_t i = 0; i < known->word_count; i++) {
            struct near found = {&known->words[i], similarity(&word, &known->words[i])};
            if (found.similarity > 0) own_count = insert_near(own, own_count, found);
        }
        for (size_t i = 0; i < own_count && own[i].similarity >= own[0].similarity - margin; i++)
            count = insert_near(near, count, own[i]);
    }
    return count;
}

struct suggestions {
    const char **at;
    size_t count, capacity;
};

static void suggest(struct suggestions *list, const char *text) {
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->at[i], text)) return;
    if (list->count < list->capacity) list->at[list->count++] = text;
}

static bool holds_word(const struct entry *text, const struct entry *wanted) {
    struct entry word;
    for (size_t at = 0; next_word(text, &at, &word);)
        if (!by_text(&word, wanted)) return true;
    return false;
}

// Suggests the shortest prompts for which texts[i] holds a word. `texts` are the prompts or their
// keywords.
static bool suggest_prompts(const fum_known *known, const struct entry *texts,
                            const struct entry *word, struct suggestions *list) {
    const struct entry *best[PER_WORD] = {0};
    for (size_t i = 0; i < known->prompt_count; i++) {
        const struct entry *prompt = &known->texts[i];
        if (!holds_word(&texts[i], word)) continue;
        for (size_t j = 0; j < PER_WORD; j++) {
            if (best[j] && best[j]->count <= prompt->count) continue;
            const struct entry *pushed = best[j];
            best[j] = prompt;
            if (!(prompt = pushed)) break;
        }
    }
    for (size_t j = 0; j < PER_WORD && best[j]; j++) suggest(list, best[j]->text);
    return best[0] != NULL;
}

// Suggests prompts that hold a word, else prompts with that keyword, else the word itself.
static void suggest_for(const fum_known *known, const struct entry *word,
                        struct suggestions *list) {
    if (suggest_prompts(known, known->texts, word, list)) return;
    if (known->keyword_count &&
        suggest_prompts(known, known->texts + known->prompt_count, word, list))
        return;
    if (word->text) suggest(list, word->text);
}

size_t fum_known_suggest(const fum_known *known, const char *prompt, const char **suggestions,
                         size_t capacity) {
    struct fum_code_points codes = {0};
    struct entry text;
    struct suggestions list = {suggestions, 0, capacity};
    if (add_text(&codes, &text, prompt)) {
        text.codes = codes.at;
        struct tally tally = count_words(known, &text);
        if (tally.words && tally.unknown == tally.words) {
            struct near near[NEAREST];
            size_t count = find_near(known, &text, near);
            for (size_t i = 0; i < count && list.count < capacity; i++)
                suggest_for(known, near[i].word, &list);
        }
    }
    fum_free(codes.at);
    return list.count;
}

// Appends a word as UTF-8 unless it is too long or listed already. Returns false when the list is
// full.
static bool list_word(char *list, size_t size, const struct entry *word) {
    char text[MAX_LETTERS * 4 + 3] = ", ", *end = text + 2;
    size_t used = strlen(list);
    if (word->count > MAX_LETTERS) return true;
    for (size_t i = 0; i < word->count; i++) end += fum_utf8_put(end, word->codes[i]);
    *end = 0;
    size_t length = (size_t)(end - text);
    for (const char *at = list; used && (at = strstr(at, text + 2)); at++) {
        bool is_whole = (at == list || at[-1] == ' ') && (at[length - 2] == ',' || !at[length - 2]);
        if (is_whole) return true;
    }
    const char *added = used ? text : text + 2;
    if (used + strlen(added) >= size) return false;
    memcpy(list + used, added, strlen(added) + 1);
    return true;
}

static void list_unknown(const fum_known *known, const struct entry *text, char *list,
                         size_t size) {
    static const char more[] = ", …";
    size_t at = 0;
    struct entry word;
    for (int listed = 0; next_word(text, &at, &word);) {
        if (knows_word(known, word)) continue;
        if (listed++ < MAX_LISTED && list_word(list, size - sizeof(more), &word)) continue;
        memcpy(list + strlen(list), more, sizeof(more));
        return;
    }
}

size_t fum_known_unknown(const fum_known *known, const char *prompt, char *list, size_t size) {
    struct fum_code_points codes = {0};
    struct entry text;
    size_t unknown = 0;
    list[0] = 0;
    if (add_text(&codes, &text, prompt)) {
        text.codes = codes.at;
        struct tally tally = count_words(known, &text);
        struct near near[NEAREST];
        if (mostly_unknown(tally) && (tally.words > SHORT_PROMPT || find_near(known, &text, near)))
            unknown = tally.unknown;
        if (unknown) list_unknown(known, &text, list, size);
    }
    fum_free(codes.at);
    return unknown;
}
