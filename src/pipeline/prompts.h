// SPDX-License-Identifier: MIT
// Declares what the prompts of a run come to: the texts to encode, and which of them each step
// reads.
#ifndef FUM_PIPELINE_PROMPTS_H
#define FUM_PIPELINE_PROMPTS_H

#include "model/model.h"
#include "text/prompt.h"

#include <fumarole/pipeline.h>

struct fum_run;

enum {
    FUM_MAX_COPIES = 1 + FUM_PROMPT_MAX_PARTS, // of a picture in an evaluation
    FUM_MAX_CHUNKS = 256,                      // of a row of the context
    FUM_MAX_CONTEXTS = 1000,                   // of a run
};

// How a text is encoded.
struct fum_text_style {
    int skip;   // layers of the encoders left out at the end
    bool plain; // one chunk, without grammar
    bool zero;  // zeros in place of an encoding
    enum fum_emphasis emphasis;
};

// The embedding of a text by all encoders.
struct fum_embedding {
    char *text;
    struct fum_text_style style;
    int chunks;
    float *hidden; // [chunks · tokens, channels]
    float *pooled; // [pooled channels], of the first chunk; NULL: the model takes none
    uint64_t used; // number of the run that used it last
};

// Embeddings of the last texts.
struct fum_embeddings {
    struct fum_embedding **at;
    size_t count, capacity;
    uint64_t run; // number of the current one
};
// A text of a run.
struct fum_condition {
    char *text;
    struct fum_text_style style;
    struct fum_prompt_chunks chunks[FUM_MODEL_MAX_TEXT]; // of each encoder, as many
    const struct fum_embedding *embedding;               // the pipeline's, once it is encoded
};

void fum_embeddings_clear(struct fum_embeddings *embeddings);
// Returns the embedding of a text that was encoded, or NULL.
struct fum_embedding *fum_embedding_find(const struct fum_embeddings *embeddings,
                                         const struct fum_condition *text);
// Adds an embedding of zeros. Returns NULL when memory is out.
struct fum_embedding *fum_embedding_add(fum_pipeline *pipe, const struct fum_condition *text);
// Drops the embeddings from index `count` on, and those that were used longest ago. The ones of the
// current run stay.
void fum_embeddings_drop(struct fum_embeddings *embeddings, size_t count);

// What the UNet reads in each evaluation. A row has a text for each copy of the pictures: the
// negative prompt, if it counts, and the parts of the prompt. Shorter texts of a row are repeated,
// which attention does not see: every token has the same share as before.
struct fum_conditions {
    struct fum_condition *texts;
    size_t num_texts, texts_capacity;
    int copies, parts;
    float weights[FUM_PROMPT_MAX_PARTS]; // of the parts
    int32_t *rows;                       // [num_rows, copies]: texts
    int num_rows;                        // 0: the model takes no prompt
    int32_t *row_of_eval;                // [evals]
    int chunks;                          // of each text, repeated
};

// Reads the prompts of the request, and sets run->conditions and run->copies.
enum fum_result fum_conditions_make(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);
void fum_conditions_free(struct fum_conditions *conditions);

// Encodes the texts of the run, unless they are kept.
enum fum_result fum_encode(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err);

// Writes the context of the recorded step, and what else depends on texts.
enum fum_result fum_context_write(fum_pipeline *pipe, const struct fum_run *run,
                                  struct fum_error *err);

#endif
