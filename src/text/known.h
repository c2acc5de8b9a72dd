// What a small model knows how to draw: its prompts and further words. Says whether a prompt holds any word
// of them, and what to try instead when it does not.
#ifndef FUM_TEXT_KNOWN_H
#define FUM_TEXT_KNOWN_H

#include <fumarole/core.h>

// Immutable: any number of threads may ask at once.
typedef struct fum_known fum_known;

// `words` may be NULL with count 0; the words of the prompts count by themselves. The strings belong to the
// caller and must live as long as the result.
enum fum_result fum_known_create(fum_known **known, const char *const *prompts, size_t prompt_count,
                                 const char *const *words, size_t word_count, struct fum_error *err);
void fum_known_destroy(fum_known **known);

// Whether the prompt is one of the prompts or holds one of the words, in any case, singular or plural.
// Articles and words under three letters do not count. True for a blank prompt, when nothing is known, and
// when memory is out: there is nothing to suggest then.
bool fum_known_has(const fum_known *known, const char *prompt);

// For a prompt of which no word is known: up to `capacity` prompts or words to try, those with similar words
// first; without any such, some of the prompts. Returns how many; 0 when fum_known_has is true.
size_t fum_known_suggest(const fum_known *known, const char *prompt, const char **suggestions,
                         size_t capacity);

#endif
