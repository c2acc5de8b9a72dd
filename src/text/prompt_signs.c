// SPDX-License-Identifier: MIT
#include "text/prompt_signs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum sign {
    EMPHASIS,
    WEIGHT,
    WEAKER,
    SCHEDULE,
    ALTERNATE,
    BREAK,
    AND,
    LORA,
    TAG,
    EMBEDDING,
    SIGN_COUNT
};

static const char *const names[SIGN_COUNT] = {
    [EMPHASIS] = "(x)",    [WEIGHT] = "(x:1.1)",
    [WEAKER] = "[x]",      [SCHEDULE] = "[a:b:when]",
    [ALTERNATE] = "[a|b]", [BREAK] = "BREAK",
    [AND] = "AND",         [LORA] = "<lora:name:1>",
    [TAG] = "<type:name>", [EMBEDDING] = "embedding:name",
};

enum { MAX_DEPTH = 32 };

// Open brackets, outermost first. Deeper ones are counted but not remembered.
struct brackets {
    int depth;
    struct bracket {
        char open;
        bool has_bar; // "|" directly within
    } at[MAX_DEPTH];
};

// True for a character that a regular expression's \b counts as part of a word, bytes of UTF-8
// sequences included.
static bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

static bool starts_word(const char *prompt, size_t at) {
    return at == 0 || !is_word_byte(prompt[at - 1]);
}

// True if the whole word stands at prompt[at].
static bool is_word(const char *prompt, size_t at, const char *word) {
    size_t length = strlen(word);
    return starts_word(prompt, at) && strncmp(prompt + at, word, length) == 0 &&
           !is_word_byte(prompt[at + length]);
}

// True if prompt[..end) ends in a colon and a number, like a weight or a step.
static bool ends_in_number(const char *prompt, size_t end) {
    size_t at = end;
    bool has_digit = false;
    while (at > 0 && prompt[at - 1] == ' ') at--;
    for (; at > 0 && strchr("0123456789.", prompt[at - 1]); at--)
        has_digit |= prompt[at - 1] != '.';
    if (at > 0 && strchr("+-", prompt[at - 1])) at--;
    while (at > 0 && prompt[at - 1] == ' ') at--;
    return has_digit && at > 0 && prompt[at - 1] == ':';
}

static void open_bracket(struct brackets *brackets, char open) {
    if (brackets->depth < MAX_DEPTH) brackets->at[brackets->depth] = (struct bracket){.open = open};
    brackets->depth++;
}

// Returns the sign that a closing bracket completes, or SIGN_COUNT if it closes nothing.
static enum sign close_bracket(struct brackets *brackets, const char *prompt, size_t at) {
    char open = prompt[at] == ')' ? '(' : '[';
    if (brackets->depth == 0) return SIGN_COUNT;
    if (brackets->depth > MAX_DEPTH) {
        brackets->depth--;
        return open == '(' ? EMPHASIS : WEAKER;
    }
    struct bracket bracket = brackets->at[brackets->depth - 1];
    if (bracket.open != open) return SIGN_COUNT;
    brackets->depth--;
    if (open == '(') return ends_in_number(prompt, at) ? WEIGHT : EMPHASIS;
    if (bracket.has_bar) return ALTERNATE;
    return ends_in_number(prompt, at) ? SCHEDULE : WEAKER;
}

// Returns the kind of "<type:name>" at prompt[at], or SIGN_COUNT. `last` is the prompt's last ">"
// or NULL.
static enum sign find_tag(const char *prompt, size_t at, const char *last) {
    const char *type = prompt + at + 1, *end = type;
    while (is_word_byte(*end)) end++;
    if (end == type || *end != ':' || end[1] == '>' || !last || last < end) return SIGN_COUNT;
    return end - type == 4 && strncmp(type, "lora", 4) == 0 ? LORA : TAG;
}

// Returns the sign at prompt[at] if it is no bracket, or SIGN_COUNT.
static enum sign find_word(const char *prompt, size_t at, const char *last) {
    static const char embedding[] = "embedding:";
    size_t length = sizeof embedding - 1;
    switch (prompt[at]) {
    case 'B': return is_word(prompt, at, "BREAK") ? BREAK : SIGN_COUNT;
    case 'A': return is_word(prompt, at, "AND") ? AND : SIGN_COUNT;
    case '<': return find_tag(prompt, at, last);
    case 'e':
        if (!starts_word(prompt, at) || strncmp(prompt + at, embedding, length) != 0)
            return SIGN_COUNT;
        return is_word_byte(prompt[at + length]) ? EMBEDDING : SIGN_COUNT;
    default: return SIGN_COUNT;
    }
}

// Notes the byte at prompt[at] outside escapes. Returns the sign that it completes, or SIGN_COUNT.
static enum sign read_byte(struct brackets *brackets, const char *prompt, size_t at,
                           const char *last) {
    switch (prompt[at]) {
    case '(':
    case '[': open_bracket(brackets, prompt[at]); return SIGN_COUNT;
    case ')':
    case ']': return close_bracket(brackets, prompt, at);
    case '|':
        if (brackets->depth > 0 && brackets->depth <= MAX_DEPTH)
            brackets->at[brackets->depth - 1].has_bar = true;
        return SIGN_COUNT;
    default: return find_word(prompt, at, last);
    }
}

unsigned fum_prompt_signs(const char *prompt) {
    struct brackets brackets = {0};
    const char *last = strrchr(prompt, '>');
    unsigned signs = 0;
    for (size_t at = 0; prompt[at]; at++) {
        if (prompt[at] == '\\') {
            at += prompt[at + 1] != 0; // the next byte is literal
            continue;
        }
        enum sign sign = read_byte(&brackets, prompt, at, last);
        if (sign != SIGN_COUNT) signs |= 1u << sign;
    }
    // A bracket that is never closed counts to the end of the prompt.
    for (int i = 0; i < brackets.depth && i < MAX_DEPTH; i++)
        signs |= 1u << (brackets.at[i].open == '(' ? EMPHASIS : WEAKER);
    return signs;
}

void fum_prompt_signs_list(unsigned signs, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < SIGN_COUNT && used < size; i++) {
        if (!(signs >> i & 1)) continue;
        int length = snprintf(text + used, size - used, "%s%s", used ? ", " : "", names[i]);
        used += length > 0 ? (size_t)length : 0;
    }
}
