// SPDX-License-Identifier: MIT
// Reads [a:b:when] and [a|b] as A1111's grammar does, and makes the text of each range of steps.
//
// In that grammar a pair of brackets is a node if all inside it is: texts, other nodes, and the
// separators of its kind. Other brackets and colons are text, but a bar outside an alternation
// makes the whole prompt plain text. So does a backslash at the end or before a line's end.
#include "text/prompt.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"

#include <string.h>

enum { MAX_BYTES = 1 << 26 }; // of all texts of a prompt

enum kind { SCHEDULE, ALTERNATION };

// A schedule or an alternation that was read.
struct node {
    enum kind kind;
    size_t open, close;
    size_t first, count; // its separators; without the one before the step
    int when;            // last step of the first text
};

// A bracket that is open, with the separators directly inside it.
struct bracket {
    size_t open, first; // first: of the separators that are pending
    int colons, bars;
};

struct positions {
    size_t *at, count, capacity;
};

struct reader {
    const char *text;
    size_t length;
    int steps, before; // as in struct fum_prompt_source
    struct bracket *open;
    size_t depth, open_capacity;
    struct positions pending, separators; // of open brackets, of nodes
    struct node *nodes;
    size_t count, capacity;
    int32_t *node_at; // [length]: the node that opens there, or -1
    bool *ends;       // [steps + 1]: a range ends with this step
    bool plain;       // the grammar does not have this prompt
};

static bool add_position(struct positions *list, size_t position) {
    if (!fum_grow((void **)&list->at, &list->capacity, list->count, sizeof *list->at)) return false;
    list->at[list->count++] = position;
    return true;
}

// Makes all open brackets text, since something inside them is no node.
static void drop_open(struct reader *r) {
    for (size_t i = 0; i < r->depth; i++) r->plain |= r->open[i].bars > 0;
    r->depth = r->pending.count = 0;
}

// Returns the end of the digits from `at` on.
static size_t skip_digits(const char *text, size_t at) {
    while (text[at] >= '0' && text[at] <= '9') at++;
    return at;
}

// Returns the end of the number at text[at], or `at`.
static size_t skip_number(const char *text, size_t at) {
    size_t begin = at + (text[at] == '+' || text[at] == '-'), end = skip_digits(text, begin);
    size_t digits = end - begin;
    if (text[end] == '.') {
        size_t after = skip_digits(text, end + 1);
        digits += after - end - 1;
        end = after;
    }
    if (!digits) return at;
    if (text[end] != 'e' && text[end] != 'E') return end;
    size_t exponent = end + 1 + (text[end + 1] == '+' || text[end + 1] == '-');
    size_t last = skip_digits(text, exponent);
    return last > exponent ? last : end;
}

// Returns the step that a number means: one with a dot is a share of all steps.
static int read_step(const struct reader *r, const char *text, size_t bytes) {
    int steps = r->steps;
    char number[64];
    if (bytes >= sizeof number) return steps;
    memcpy(number, text, bytes);
    number[bytes] = 0;
    double value = 0;
    if (!fum_number_parse(number + (*number == '+'), &value)) return *number == '-' ? 0 : steps;
    if (memchr(number, '.', bytes))
        value = (value - (r->before > 0)) * steps;
    else
        value -= r->before;
    if (value >= steps) return steps;
    return value >= 1 ? (int)value : 0;
}

// Reads the step of a schedule after its last separator.
static bool read_when(struct reader *r, size_t at, struct node *node) {
    size_t number = fum_prompt_skip(r->text, at, node->close);
    size_t end = skip_number(r->text, number);
    if (end == number || fum_prompt_skip(r->text, end, node->close) != node->close) return false;
    node->when = read_step(r, r->text + number, end - number);
    return true;
}

// Keeps a node with `count` of its separators from pending ones on.
static bool keep_node(struct reader *r, struct node *node, size_t first) {
    size_t count = node->count;
    node->first = r->separators.count;
    for (size_t i = 0; i < count; i++)
        if (!add_position(&r->separators, r->pending.at[first + i])) return false;
    if (!fum_grow((void **)&r->nodes, &r->capacity, r->count, sizeof *r->nodes)) return false;
    r->node_at[node->open] = (int32_t)r->count;
    r->nodes[r->count++] = *node;
    if (node->kind == ALTERNATION)
        memset(r->ends + 1, true, (size_t)r->steps);
    else
        r->ends[node->when] = true;
    return true;
}

// Closes the bracket on top. Returns false when memory is out.
static bool close_bracket(struct reader *r, size_t at) {
    struct bracket b = r->open[r->depth - 1];
    struct node node = {.open = b.open, .close = at};
    bool round = r->text[at] == ')', kept = true, emphasis = !b.bars && b.colons <= round;
    if (emphasis) {
        kept = true;
    } else if (!round && b.bars && !b.colons) {
        node.kind = ALTERNATION;
        node.count = (size_t)b.bars;
        kept = keep_node(r, &node, b.first);
    } else if (!round && !b.bars && b.colons <= 2 &&
               read_when(r, r->pending.at[r->pending.count - 1] + 1, &node)) {
        // The second text ends at the separator before the step.
        node.count = (size_t)b.colons;
        kept = keep_node(r, &node, b.first);
    } else {
        drop_open(r);
        return true;
    }
    r->depth--;
    r->pending.count = b.first;
    return kept;
}

// Reads a separator. Returns false when memory is out.
static bool read_separator(struct reader *r, size_t at) {
    bool bar = r->text[at] == '|';
    if (!r->depth) {
        r->plain |= bar;
        return true;
    }
    struct bracket *top = &r->open[r->depth - 1];
    top->bars += bar;
    top->colons += !bar;
    return add_position(&r->pending, at);
}

// Reads the sign at text[at]. Returns false when memory is out.
static bool read_sign(struct reader *r, size_t at) {
    char sign = r->text[at];
    switch (sign) {
    case '(':
    case '[':
        if (!fum_grow((void **)&r->open, &r->open_capacity, r->depth, sizeof *r->open))
            return false;
        r->open[r->depth++] = (struct bracket){.open = at, .first = r->pending.count};
        return true;
    case ')':
    case ']':
        if (r->depth && r->text[r->open[r->depth - 1].open] == (sign == ')' ? '(' : '['))
            return close_bracket(r, at);
        drop_open(r);
        return true;
    default: return read_separator(r, at);
    }
}

// Finds all nodes. Returns false when memory is out.
static bool read_nodes(struct reader *r) {
    for (size_t at = 0; at < r->length && !r->plain; at++) {
        char c = r->text[at];
        if (c == '\\') {
            at++;
            r->plain = at == r->length || r->text[at] == '\n';
        } else if (strchr("()[]:|", c) && !read_sign(r, at)) {
            return false;
        }
    }
    drop_open(r);
    return true;
}

// A place in a node's text to go on from.
struct frame {
    size_t resume, limit;
};

// Returns the part of a node's text that a step has, as where it begins and ends.
static struct frame choose_text(const struct reader *r, const struct node *node, int step) {
    const size_t *separators = r->separators.at + node->first;
    size_t index = (size_t)(step - 1) % (node->count + 1);
    if (node->kind == SCHEDULE) {
        index = step > node->when;
        if (node->count == 1 && !index) return (struct frame){node->open, node->open};
        index -= node->count == 1;
    }
    size_t begin = index ? separators[index - 1] : node->open;
    size_t end = index < node->count ? separators[index] : node->close;
    return (struct frame){begin + 1, end};
}

// Writes the text of a step. `frames` has room for all nodes.
static void write_text(const struct reader *r, int step, struct frame *frames, char *out) {
    size_t depth = 0, limit = r->length;
    for (size_t at = 0;;) {
        if (at >= limit) {
            if (!depth) break;
            limit = frames[--depth].limit;
            at = frames[depth].resume;
        } else if (r->node_at[at] < 0) {
            *out++ = r->text[at++];
        } else {
            const struct node *node = &r->nodes[r->node_at[at]];
            struct frame inside = choose_text(r, node, step);
            frames[depth++] = (struct frame){node->close + 1, limit};
            at = inside.resume;
            limit = inside.limit;
        }
    }
    *out = 0;
}

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a prompt's schedules");
}

// Adds a range for each step that ends one.
static enum fum_result add_ranges(const struct reader *r, struct fum_prompt_ranges *ranges,
                                  struct fum_prompt_range part, struct fum_error *err) {
    struct frame *frames = fum_alloc(r->count + 1, sizeof *frames);
    enum fum_result result = frames ? FUM_OK : no_memory(err);
    for (int step = 1; step <= r->steps && !result; step++) {
        if (!r->ends[step]) continue;
        part.until = step;
        part.text = fum_alloc(r->length + 1, 1);
        if (!part.text ||
            !fum_grow((void **)&ranges->at, &ranges->capacity, ranges->count, sizeof *ranges->at)) {
            fum_free(part.text);
            result = no_memory(err);
        } else {
            write_text(r, step, frames, part.text);
            ranges->at[ranges->count++] = part;
        }
    }
    fum_free(frames);
    return result;
}

// Forgets the nodes of a prompt that the grammar does not have.
static void make_plain(struct reader *r) {
    r->count = 0;
    memset(r->node_at, -1, r->length * sizeof *r->node_at);
    memset(r->ends, false, (size_t)r->steps * sizeof *r->ends);
}

static enum fum_result read_ranges(struct reader *r, struct fum_prompt_ranges *ranges,
                                   const struct fum_prompt_range *part, struct fum_error *err) {
    r->node_at = fum_alloc(r->length + 1, sizeof *r->node_at);
    r->ends = fum_calloc((size_t)r->steps + 1, sizeof *r->ends);
    if (!r->node_at || !r->ends) return no_memory(err);
    memset(r->node_at, -1, (r->length + 1) * sizeof *r->node_at);
    r->ends[r->steps] = true;
    if (!read_nodes(r)) return no_memory(err);
    if (r->plain) make_plain(r);
    size_t count = 0;
    for (int step = 1; step <= r->steps; step++) count += r->ends[step];
    if (count * (r->length + 1) > MAX_BYTES)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the prompt is too long to change %zu times; at most %d bytes in all",
                             count, MAX_BYTES);
    return add_ranges(r, ranges, *part, err);
}

enum fum_result fum_prompt_schedule(struct fum_prompt_ranges *ranges,
                                    const struct fum_prompt_source *source,
                                    const struct fum_prompt_range *part, struct fum_error *err) {
    struct reader r = {.text = source->text,
                       .length = strlen(source->text),
                       .steps = source->steps,
                       .before = source->before};
    enum fum_result result = read_ranges(&r, ranges, part, err);
    fum_free(r.open);
    fum_free(r.pending.at);
    fum_free(r.separators.at);
    fum_free(r.nodes);
    fum_free(r.node_at);
    fum_free(r.ends);
    return result;
}
