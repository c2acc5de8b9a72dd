// SPDX-License-Identifier: MIT
// Reads emphasis as A1111's parse_prompt_attention does. (x) multiplies a weight by 1.1, [x]
// divides it by that, and (x:1.3) multiplies it by 1.3. An open bracket counts to the end. BREAK
// stays a break inside brackets, too.
#include "text/prompt.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"

#include <string.h>

static const double round_factor = 1.1, square_factor = 1 / 1.1;

// Brackets of one kind that are open, as the piece that each begins with.
struct brackets {
    size_t at[FUM_PROMPT_MAX_DEPTH];
    size_t depth, text; // text: open ones that are too deep, and so are text
};

struct reader {
    struct fum_prompt_pieces *pieces;
    const char *text;
    size_t length;
    struct brackets round, square;
};

// Adds a piece with a copy of text[begin…end).
static bool add_piece(struct reader *r, size_t begin, size_t end) {
    struct fum_prompt_pieces *p = r->pieces;
    if (!fum_grow((void **)&p->at, &p->capacity, p->count, sizeof *p->at)) return false;
    memcpy(p->text + p->bytes, r->text + begin, end - begin);
    p->at[p->count++] =
        (struct fum_prompt_piece){.start = p->bytes, .bytes = end - begin, .weight = 1};
    p->bytes += end - begin;
    return true;
}

static bool add_break(struct reader *r) {
    if (!add_piece(r, 0, 0)) return false;
    r->pieces->at[r->pieces->count - 1].breaks = true;
    return true;
}

// Adds text without signs, cut at the word BREAK and the white space around it.
static bool add_text(struct reader *r, size_t begin, size_t end) {
    static const char word[] = "BREAK";
    for (size_t at = begin;;) {
        size_t found =
            fum_prompt_find_word(r->text, &(struct fum_prompt_stretch){begin, at, end}, word);
        size_t last = found < end ? fum_prompt_trim(r->text, at, found) : end;
        if (!add_piece(r, at, last)) return false;
        if (found == end) return true;
        if (!add_break(r)) return false;
        at = fum_prompt_skip(r->text, found + strlen(word), end);
    }
}

static void multiply(struct reader *r, size_t first, double factor) {
    for (size_t i = first; i < r->pieces->count; i++)
        if (!r->pieces->at[i].breaks) r->pieces->at[i].weight *= factor;
}

// Opens a bracket. Returns false when memory is out.
static bool open_bracket(struct reader *r, struct brackets *b, size_t at) {
    if (b->depth == FUM_PROMPT_MAX_DEPTH) {
        b->text++;
        return add_text(r, at, at + 1);
    }
    b->at[b->depth++] = r->pieces->count;
    return true;
}

// Closes a bracket with text[at…end). Returns false when memory is out.
static bool close_bracket(struct reader *r, struct brackets *b, double factor,
                          const struct fum_prompt_stretch *sign) {
    bool counts = !b->text && b->depth;
    if (b->text) b->text--;
    if (!counts) return add_text(r, sign->at, sign->end);
    multiply(r, b->at[--b->depth], factor);
    return true;
}

// Reads ":1.3)" at text[at]. Returns its end, or 0 if it is something else.
static size_t read_weight(const struct reader *r, size_t at, double *weight) {
    size_t begin = fum_prompt_skip(r->text, at + 1, r->length), end = begin;
    char number[64];
    if (end < r->length && strchr("+-", r->text[end])) end++;
    size_t digits = end;
    while (end < r->length && strchr(".0123456789", r->text[end])) end++;
    size_t close = fum_prompt_skip(r->text, end, r->length);
    if (end == digits || end - begin >= sizeof number || r->text[close] != ')') return 0;
    memcpy(number, r->text + begin, end - begin);
    number[end - begin] = 0;
    return fum_number_parse(number + (*number == '+'), weight) ? close + 1 : 0;
}

// Reads a backslash: the sign after it is text, and it vanishes in any case.
static bool read_escape(struct reader *r, size_t *at) {
    size_t next = *at + 1;
    bool sign = next < r->length && strchr("()[]\\", r->text[next]);
    *at = next + sign;
    return add_piece(r, next, next + sign);
}

// Reads what begins at text[*at] and moves past it. Returns false when memory is out.
static bool read_next(struct reader *r, size_t *at) {
    size_t begin = *at, end = begin + 1;
    double weight;
    switch (r->text[begin]) {
    case '\\': return read_escape(r, at);
    case '(': *at = end; return open_bracket(r, &r->round, begin);
    case '[': *at = end; return open_bracket(r, &r->square, begin);
    case ')':
        *at = end;
        return close_bracket(r, &r->round, round_factor,
                             &(struct fum_prompt_stretch){0, begin, end});
    case ']':
        *at = end;
        return close_bracket(r, &r->square, square_factor,
                             &(struct fum_prompt_stretch){0, begin, end});
    case ':':
        if (r->round.depth && (end = read_weight(r, begin, &weight))) {
            *at = end;
            return close_bracket(r, &r->round, weight, &(struct fum_prompt_stretch){0, begin, end});
        }
        *at = begin + 1;
        return add_text(r, begin, *at);
    default:
        end = begin + strcspn(r->text + begin, "\\()[]:");
        *at = end;
        return add_text(r, begin, end);
    }
}

// Joins neighbours of equal weight.
static void join_pieces(struct fum_prompt_pieces *p) {
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        struct fum_prompt_piece *last = kept ? &p->at[kept - 1] : NULL;
        const struct fum_prompt_piece *piece = &p->at[i];
        if (last && !last->breaks && !piece->breaks && last->weight == piece->weight)
            last->bytes += piece->bytes;
        else
            p->at[kept++] = *piece;
    }
    p->count = kept;
}

enum fum_result fum_prompt_weigh(struct fum_prompt_pieces *pieces, const char *text,
                                 struct fum_error *err) {
    struct reader r = {.pieces = pieces, .text = text, .length = strlen(text)};
    *pieces = (struct fum_prompt_pieces){.text = fum_alloc(r.length + 1, 1)};
    bool memory = pieces->text != NULL;
    for (size_t at = 0; at < r.length && memory;) memory = read_next(&r, &at);
    if (memory && !pieces->count) memory = add_piece(&r, 0, 0);
    if (!memory) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the weights of a prompt");
    for (size_t i = 0; i < r.round.depth; i++) multiply(&r, r.round.at[i], round_factor);
    for (size_t i = 0; i < r.square.depth; i++) multiply(&r, r.square.at[i], square_factor);
    join_pieces(pieces);
    return FUM_OK;
}

void fum_prompt_pieces_free(struct fum_prompt_pieces *pieces) {
    fum_free(pieces->text);
    fum_free(pieces->at);
    *pieces = (struct fum_prompt_pieces){0};
}
