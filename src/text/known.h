// SPDX-License-Identifier: MIT
// Compares a prompt with what a small model can draw: its prompts and further words. Finds the
// words that the model never saw, and what to try instead.
#ifndef FUM_TEXT_KNOWN_H
#define FUM_TEXT_KNOWN_H

#include <fumarole/core.h>

// Never changes, so any number of threads may use it at once.
typedef struct fum_known fum_known;

// Length of the longest list. Nothing is known about a model with more.
enum { FUM_KNOWN_MAX_TEXTS = 1 << 15 };

// The words of the prompts count by themselves. Strings belong to the caller and must live as long
// as the result.
struct fum_known_params {
    const char *const *prompts;
    // [prompt_count]: words that mean much the same as the prompt; may be NULL
    const char *const *keywords;
    size_t prompt_count;
    const char *const *words; // further words; may be NULL
    size_t word_count;
};

enum fum_result fum_known_create(fum_known **known, const struct fum_known_params *params,
                                 struct fum_error *err);
void fum_known_destroy(fum_known **known);

// True if the prompt is a known prompt or holds a known word, in any case, singular or plural.
// Articles and words under three letters do not count. Also true if the prompt has no words, if
// nothing is known, and if memory is out: then there are no suggestions.
bool fum_known_has(const fum_known *known, const char *prompt);

// Counts the prompt's unknown words if they are most of it, and writes the first of them to `list`,
// separated by commas. Returns 0 for other prompts, and for prompts of one or two words without a
// suggestion.
size_t fum_known_unknown(const fum_known *known, const char *prompt, char *list, size_t size);

// Stores up to `capacity` prompts or words to suggest for a prompt without a known word. They share
// a stem with its words or have nearly the same spelling. Returns their number.
size_t fum_known_suggest(const fum_known *known, const char *prompt, const char **suggestions,
                         size_t capacity);

#endif
