#include "text/known.h"

#include "base/error.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_LETTERS = 3, MAX_LETTERS = 32, MAX_ENTRIES = 1 << 20, NEAREST = 16, MAX_ASKED = 16, PER_WORD = 2 };

// A stretch of normalised code points; `text` is what the caller gave, where there is such.
struct entry {
    const uint32_t *codes;
    size_t count;
    const char *text;
};

struct fum_known {
    struct fum_code_points codes;  // of all prompts and words; entries point into it
    struct entry *prompts, *words; // words: sorted, without doubles
    size_t prompt_count, word_count, word_capacity;
};

static int compare(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    for (size_t i = 0; i < x->count && i < y->count; i++)
        if (x->codes[i] != y->codes[i]) return x->codes[i] < y->codes[i] ? -1 : 1;
    return x->count != y->count ? (x->count < y->count ? -1 : 1) : 0;
}

// Words that say nothing of what to draw.
static bool is_filler(const struct entry *word) {
    static const char *const fillers[] = {"the", "and", "with", "not", "for", "from"};
    for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
        size_t length = strlen(fillers[i]), same = 0;
        while (same < length && same < word->count && word->codes[same] == (uint8_t)fillers[i][same]) same++;
        if (same == length && word->count == length) return true;
    }
    return false;
}

// The next word (letters only, three or more in alphabetic scripts) of text[*at…]; false after the last.
static bool next_word(const struct entry *text, size_t *at, struct entry *word) {
    while (*at < text->count) {
        size_t begin = *at;
        while (*at < text->count && fum_char_class(text->codes[*at]) == FUM_CHAR_LETTER) ++*at;
        *word = (struct entry){text->codes + begin, *at - begin, NULL};
        if (!word->count) {
            ++*at;
            continue;
        }
        bool is_ideographic = word->codes[0] >= 0x2e80; // one sign may be a word there
        if ((word->count >= MIN_LETTERS || is_ideographic) && !is_filler(word)) return true;
    }
    return false;
}

// Appends the normalised text without outer spaces. The codes may move, so `entry` gets its place later.
static bool add_text(struct fum_code_points *codes, struct entry *entry, const char *text) {
    struct fum_code_points raw = {0};
    size_t begin = codes->count;
    bool is_fine =
        fum_utf8_decode(&raw, text, strlen(text)) && fum_tokenizer_normalize(codes, raw.at, raw.count);
    fum_free(raw.at);
    if (codes->count > begin && codes->at[codes->count - 1] == ' ') codes->count--;
    if (codes->count > begin && codes->at[begin] == ' ') {
        codes->count--;
        memmove(codes->at + begin, codes->at + begin + 1, (codes->count - begin) * sizeof(*codes->at));
    }
    *entry = (struct entry){NULL, codes->count - begin, text};
    return is_fine;
}

static bool add_words(fum_known *known, const struct entry *text) {
    struct entry word;
    for (size_t at = 0; next_word(text, &at, &word);) {
        if (!fum_grow((void **)&known->words, &known->word_capacity, known->word_count, sizeof(word)))
            return false;
        known->words[known->word_count++] = word;
    }
    return true;
}

static void sort_words(fum_known *known) {
    size_t kept = 0;
    if (known->word_count) qsort(known->words, known->word_count, sizeof(*known->words), compare);
    for (size_t i = 0; i < known->word_count; i++)
        if (!kept || compare(&known->words[kept - 1], &known->words[i]))
            known->words[kept++] = known->words[i];
    known->word_count = kept;
}

// Where the caller gave a word by itself, that spelling is what is suggested.
static void name_words(fum_known *known, const struct entry *given, size_t count) {
    for (size_t i = 0; i < count && known->word_count; i++) {
        struct entry *word = bsearch(&given[i], known->words, known->word_count, sizeof(*given), compare);
        if (word) word->text = given[i].text;
    }
}

enum fum_result fum_known_create(fum_known **out, const char *const *prompts, size_t prompt_count,
                                 const char *const *words, size_t word_count, struct fum_error *err) {
    *out = NULL;
    if (prompt_count > MAX_ENTRIES || word_count > MAX_ENTRIES)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "known prompts: %zu prompts and %zu words; at most %d of each", prompt_count,
                             word_count, MAX_ENTRIES);
    size_t count = prompt_count + word_count;
    fum_known *known = fum_calloc(1, sizeof(*known));
    bool is_fine = known && (known->prompts = fum_calloc(count, sizeof(*known->prompts)));
    for (size_t i = 0; i < count && is_fine; i++)
        is_fine = add_text(&known->codes, &known->prompts[i],
                           i < prompt_count ? prompts[i] : words[i - prompt_count]);
    for (size_t i = 0, begin = 0; i < count && is_fine; begin += known->prompts[i++].count) {
        known->prompts[i].codes = known->codes.at ? known->codes.at + begin : NULL;
        is_fine = add_words(known, &known->prompts[i]);
    }
    if (is_fine) {
        known->prompt_count = prompt_count;
        sort_words(known);
        name_words(known, known->prompts + prompt_count, word_count);
        *out = known;
        return FUM_OK;
    }
    fum_known_destroy(&known);
    return fum_error_set(err, FUM_ERR_NOMEM, "known prompts: out of memory");
}

void fum_known_destroy(fum_known **known) {
    if (!*known) return;
    fum_free((*known)->codes.at);
    fum_free((*known)->prompts);
    fum_free((*known)->words);
    fum_free(*known);
    *known = NULL;
}

static bool is_word(const fum_known *known, struct entry word) {
    return known->word_count && bsearch(&word, known->words, known->word_count, sizeof(word), compare);
}

// Itself, or the singular of an English plural.
static bool knows_word(const fum_known *known, struct entry word) {
    if (is_word(known, word)) return true;
    if (word.count <= MIN_LETTERS || word.codes[word.count - 1] != 's') return false;
    word.count--;
    if (is_word(known, word)) return true;
    if (word.count <= MIN_LETTERS || word.codes[word.count - 1] != 'e') return false;
    word.count--;
    return is_word(known, word);
}

static bool knows_text(const fum_known *known, const struct entry *text) {
    struct entry word;
    if (!text->count || !(known->prompt_count || known->word_count)) return true;
    for (size_t i = 0; i < known->prompt_count; i++)
        if (!compare(&known->prompts[i], text)) return true;
    for (size_t at = 0; next_word(text, &at, &word);)
        if (knows_word(known, word)) return true;
    return false;
}

bool fum_known_has(const fum_known *known, const char *prompt) {
    struct fum_code_points codes = {0};
    struct entry text;
    bool is_known = !add_text(&codes, &text, prompt);
    text.codes = codes.at;
    is_known = is_known || knows_text(known, &text);
    fum_free(codes.at);
    return is_known;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

// Letters to change, put in, leave out or swap with a neighbour (optimal string alignment). Both within
// MAX_LETTERS.
static size_t edit_distance(const struct entry *a, const struct entry *b) {
    size_t rows[3][MAX_LETTERS + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b->count; j++) last[j] = j, before[j] = 0;
    for (size_t i = 1; i <= a->count; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b->count; j++) {
            row[j] =
                smaller(smaller(last[j], row[j - 1]) + 1, last[j - 1] + (a->codes[i - 1] != b->codes[j - 1]));
            if (i > 1 && j > 1 && a->codes[i - 1] == b->codes[j - 2] && a->codes[i - 2] == b->codes[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last, last = row, row = oldest;
    }
    return last[b->count];
}

// From 0 to 1: by edit distance, or by a shared beginning of at least three letters.
static double similarity(const struct entry *a, const struct entry *b) {
    if (a->count > MAX_LETTERS || b->count > MAX_LETTERS) return 0;
    size_t longer = a->count > b->count ? a->count : b->count, shorter = smaller(a->count, b->count),
           prefix = 0;
    while (prefix < shorter && a->codes[prefix] == b->codes[prefix]) prefix++;
    bool has_prefix = prefix > MIN_LETTERS || (prefix == MIN_LETTERS && prefix == shorter);
    double by_prefix = has_prefix ? 0.5 + 0.45 * (double)prefix / (double)longer : 0;
    if (longer - shorter > longer / 2) return by_prefix;
    double by_edits = 1 - (double)edit_distance(a, b) / (double)longer;
    return by_edits > by_prefix ? by_edits : by_prefix;
}

struct near {
    const struct entry *word;
    double similarity;
};

// The known words most like any of the text's first words, best first; at most NEAREST.
static size_t find_near(const fum_known *known, const struct entry *text, struct near *near) {
    const double least = 0.6;
    struct entry word;
    size_t count = 0, at = 0;
    for (int asked = 0; asked < MAX_ASKED && next_word(text, &at, &word); asked++) {
        for (size_t i = 0; i < known->word_count; i++) {
            struct near found = {&known->words[i], similarity(&word, &known->words[i])};
            size_t place = count;
            while (place && near[place - 1].similarity < found.similarity) place--;
            bool is_double = false;
            for (size_t j = 0; j < place; j++) is_double |= near[j].word == found.word;
            if (found.similarity < least || place == NEAREST || is_double) continue;
            if (count < NEAREST) count++;
            for (size_t j = count - 1; j > place; j--) near[j] = near[j - 1];
            near[place] = found;
        }
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
        if (!compare(&word, wanted)) return true;
    return false;
}

// The shortest prompts that hold a word, or the word itself where it is in none.
static void suggest_for(const fum_known *known, const struct entry *word, struct suggestions *list) {
    const struct entry *best[PER_WORD] = {0};
    for (size_t i = 0; i < known->prompt_count; i++) {
        const struct entry *prompt = &known->prompts[i];
        if (!holds_word(prompt, word)) continue;
        for (size_t j = 0; j < PER_WORD; j++) {
            if (best[j] && best[j]->count <= prompt->count) continue;
            const struct entry *pushed = best[j];
            best[j] = prompt;
            if (!(prompt = pushed)) break;
        }
    }
    for (size_t j = 0; j < PER_WORD && best[j]; j++) suggest(list, best[j]->text);
    if (!best[0] && word->text) suggest(list, word->text);
}

// When nothing is similar: prompts from all over the list, others for another text.
static void suggest_any(const fum_known *known, const struct entry *text, struct suggestions *list) {
    size_t start = 0;
    for (size_t i = 0; i < text->count; i++) start = (start * 31 + text->codes[i]) & 0xffff;
    for (size_t i = 0; i < list->capacity && known->prompt_count; i++)
        suggest(
            list,
            known->prompts[(start + i * known->prompt_count / list->capacity) % known->prompt_count].text);
}

size_t fum_known_suggest(const fum_known *known, const char *prompt, const char **suggestions,
                         size_t capacity) {
    struct fum_code_points codes = {0};
    struct entry text;
    struct suggestions list = {suggestions, 0, capacity};
    if (add_text(&codes, &text, prompt)) {
        text.codes = codes.at;
        if (!knows_text(known, &text)) {
            struct near near[NEAREST];
            size_t count = find_near(known, &text, near);
            for (size_t i = 0; i < count && list.count < capacity; i++)
                suggest_for(known, near[i].word, &list);
            if (!list.count) suggest_any(known, &text, &list);
        }
    }
    fum_free(codes.at);
    return list.count;
}
