// SPDX-License-Identifier: MIT
// Keeps the embeddings of the last texts.
#include "pipeline/pipeline.h"

#include <string.h>

enum { KEPT_TEXTS = 32 };

static void free_embedding(struct fum_embedding *embedding) {
    if (!embedding) return;
    fum_free(embedding->text);
    fum_free(embedding->hidden);
    fum_free(embedding->pooled);
    fum_free(embedding);
}

void fum_embeddings_clear(struct fum_embeddings *embeddings) {
    for (size_t i = 0; i < embeddings->count; i++) free_embedding(embeddings->at[i]);
    fum_free(embeddings->at);
    *embeddings = (struct fum_embeddings){.run = embeddings->run};
}

static bool is_of(const struct fum_embedding *embedding, const struct fum_condition *text) {
    const struct fum_text_style *a = &embedding->style, *b = &text->style;
    return a->skip == b->skip && a->plain == b->plain && a->zero == b->zero &&
           a->emphasis == b->emphasis && !strcmp(embedding->text, text->text);
}

struct fum_embedding *fum_embedding_find(const struct fum_embeddings *embeddings,
                                         const struct fum_condition *text) {
    for (size_t i = 0; i < embeddings->count; i++)
        if (is_of(embeddings->at[i], text)) return embeddings->at[i];
    return NULL;
}

struct fum_embedding *fum_embedding_add(fum_pipeline *pipe, const struct fum_condition *text) {
    struct fum_embeddings *all = &pipe->embeddings;
    size_t chunks = text->chunks[0].count, tokens = (size_t)pipe->view->text[0].tokens,
           channels = (size_t)fum_model_text_channels(pipe->view),
           pooled = (size_t)fum_model_pooled(pipe->view);
    struct fum_embedding *e = fum_calloc(1, sizeof *e);
    if (!e) return NULL;
    e->style = text->style;
    e->chunks = (int)chunks;
    e->text = fum_strdup(text->text);
    e->hidden = fum_calloc(chunks * tokens, channels * sizeof *e->hidden);
    if (pooled) e->pooled = fum_calloc(pooled, sizeof *e->pooled);
    if (!e->text || !e->hidden || (pooled && !e->pooled) ||
        !fum_grow((void **)&all->at, &all->capacity, all->count, sizeof *all->at)) {
        free_embedding(e);
        return NULL;
    }
    all->at[all->count++] = e;
    return e;
}

// Drops the embedding that was used longest ago, if the current run does not use it. Returns false
// if there is none.
static bool drop_oldest(struct fum_embeddings *all) {
    size_t oldest = 0;
    for (size_t i = 1; i < all->count; i++)
        if (all->at[i]->used < all->at[oldest]->used) oldest = i;
    if (!all->count || all->at[oldest]->used == all->run) return false;
    free_embedding(all->at[oldest]);
    all->at[oldest] = all->at[--all->count];
    return true;
}

void fum_embeddings_drop(struct fum_embeddings *all, size_t count) {
    while (all->count > count) free_embedding(all->at[--all->count]);
    while (all->count > KEPT_TEXTS && drop_oldest(all)) continue;
}
