// SPDX-License-Identifier: MIT
// Reads textual inversions (Gal et al. 2022): words whose embeddings files give. Their rows follow
// those of the text encoder's table.
#ifndef FUM_MODEL_EMBEDDINGS_H
#define FUM_MODEL_EMBEDDINGS_H

#include "model/components.h"

// Reads all embeddings of a folder. The name of each file, without its ending, becomes a word of
// the model's tokenizers. Files of another model are left out and logged, as are unreadable ones,
// whose words are an error in prompts.
enum fum_result fum_model_add_embeddings(fum_model *model, const char *dir, struct fum_error *err);
void fum_embeddings_destroy(struct fum_embeddings **embeddings);
// Stores the words, at most `capacity`, and returns how many. `embeddings` may be NULL.
size_t fum_embeddings_words(const struct fum_embeddings *embeddings, const char **words,
                            size_t capacity);

#endif
