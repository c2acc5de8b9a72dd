// SPDX-License-Identifier: MIT
#include "model/embeddings.h"

#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "text/tokenizer.h"

enum { MAX_VECTORS = 1000, NAMED = 3 };

// A file that cannot be read, and why.
struct unreadable {
    const char *word, *why; // in the model's arena
};

// The table of one text encoder, with the new rows.
struct table {
    struct fum_weight_source source; // of the encoder, without new rows
    struct fum_view base;            // the table in its file
    float *rows;                     // [count, channels]
    size_t count, capacity, channels;
    struct fum_computed computed;
};

struct fum_embeddings {
    struct table tables[FUM_MODEL_MAX_TEXT];
    const char **words; // in the model's arena
    size_t count, capacity;
    struct unreadable *unreadable;
    size_t num_unreadable, unreadable_capacity;
    int misfits;
    char misfit_names[160];
};

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for embeddings");
}

// ---- the table ----

static const char table_name[] = "text_model.embeddings.token_embedding.weight";

static enum fum_result write_table(const void *user, float *values, struct fum_error *err) {
    const struct table *t = user;
    size_t count = (size_t)fum_view_count(&t->base);
    if (t->count > 0) memcpy(values + count, t->rows, t->count * t->channels * sizeof *values);
    return fum_view_read_f32(&t->base, values, err);
}

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct table *t = user;
    if (!t->source.find(t->source.user, name, view)) return false;
    if (strcmp(name, table_name)) return true;
    int64_t rows = view->dim[0] + (int64_t)t->count;
    *view = (struct fum_view){
        .dtype = FUM_F32, .rank = 2, .dim = {rows, (int64_t)t->channels}, .computed = &t->computed};
    return true;
}

// Puts the new rows behind those of an encoder's table. A table of another shape is refused when
// the model is checked.
static void extend_table(struct table *t, struct fum_model_text *text) {
    t->source = text->weights;
    t->channels = (size_t)text->config.channels;
    t->computed = (struct fum_computed){write_table, t};
    if (t->source.find(t->source.user, table_name, &t->base) && t->base.rank == 2)
        text->weights = (struct fum_weight_source){find_weight, t};
}

// ---- one file ----

// The vectors that one file has for each text encoder.
struct vectors {
    const struct fum_loader_tensor *tensors[FUM_MODEL_MAX_TEXT];
    int64_t count;
    const char *token; // that the file itself names; NULL: none
};

// Finds the tensors as A1111, kohya's scripts and diffusers save them. Missing ones stay NULL.
static void find_tensors(const fum_loader *loader, int num_text, struct vectors *v) {
    static const char *const single[] = {"emb_params", "string_to_param.*"};
    static const char *const pair[] = {"clip_l", "clip_g"};
    for (int i = 0; i < num_text && num_text == 2; i++)
        v->tensors[i] = fum_loader_find(loader, pair[i]);
    for (size_t i = 0; i < FUM_COUNT(single) && num_text == 1 && !v->tensors[0]; i++)
        v->tensors[0] = fum_loader_find(loader, single[i]);
    if (num_text != 1 || v->tensors[0] || fum_loader_count(loader) != 1) return;
    v->tensors[0] = fum_loader_at(loader, 0);
    v->token = v->tensors[0]->name;
}

// True if every encoder has as many vectors of its width.
static bool fit_model(const struct fum_model_view *view, struct vectors *v) {
    for (int i = 0; i < view->num_text; i++) {
        const struct fum_loader_tensor *t = v->tensors[i];
        if (!t || t->view.rank < 1 || t->view.rank > 2 || t->view.dtype == FUM_DTYPE_UNKNOWN)
            return false;
        int64_t count = t->view.rank == 2 ? t->view.dim[0] : 1;
        if (t->view.dim[t->view.rank - 1] != view->text[i].config.channels) return false;
        if (count < 1 || count > MAX_VECTORS || (i && count != v->count)) return false;
        v->count = count;
    }
    return true;
}

static enum fum_result add_rows(struct table *t, const struct fum_view *view, size_t count,
                                struct fum_error *err) {
    for (size_t i = 0; i < count; i++, t->count++)
        if (!fum_grow((void **)&t->rows, &t->capacity, t->count, t->channels * sizeof *t->rows))
            return no_memory(err);
    return fum_view_read_f32(view, t->rows + (t->count - count) * t->channels, err);
}

static enum fum_result add_word(fum_model *model, const char *word, const struct vectors *v,
                                struct fum_error *err) {
    struct fum_embeddings *e = model->embeddings;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < model->view.num_text && !result; i++) {
        const struct fum_model_text *text = &model->view.text[i];
        result = fum_tokenizer_add_word(text->tokenizer, word,
                                        text->config.vocab - (int32_t)v->count, (int)v->count, err);
    }
    if (result) return result;
    if (!fum_grow((void **)&e->words, &e->capacity, e->count, sizeof *e->words))
        return no_memory(err);
    e->words[e->count] = fum_arena_strdup(model->arena, word);
    return e->words[e->count++] ? FUM_OK : no_memory(err);
}

static enum fum_result add_vectors(fum_model *model, const char *word, const struct vectors *v,
                                   struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < model->view.num_text && !result; i++) {
        struct fum_model_text *text = &model->view.text[i];
        result =
            add_rows(&model->embeddings->tables[i], &v->tensors[i]->view, (size_t)v->count, err);
        text->config.vocab += (int)v->count;
        text->new_rows += (int)v->count;
    }
    if (!result) result = add_word(model, word, v, err);
    if (!result && v->token && strcmp(v->token, word)) result = add_word(model, v->token, v, err);
    return result;
}

static void note_misfit(struct fum_embeddings *e, const char *name) {
    size_t used = strlen(e->misfit_names);
    if (e->misfits++ < NAMED)
        snprintf(e->misfit_names + used, sizeof e->misfit_names - used, "%s%.40s", used ? ", " : "",
                 name);
}

// Keeps a file that cannot be read, so that only a prompt with that word fails.
static enum fum_result note_unreadable(fum_model *model, const char *word,
                                       const struct fum_error *why, struct fum_error *err) {
    struct fum_embeddings *e = model->embeddings;
    const struct unreadable file = {word, fum_arena_strdup(model->arena, why->text)};
    if (!file.why ||
        !fum_grow((void **)&e->unreadable, &e->unreadable_capacity, e->num_unreadable, sizeof file))
        return no_memory(err);
    e->unreadable[e->num_unreadable++] = file;
    return FUM_OK;
}

// Makes the words of unreadable files an error of prompts, unless another file has the word.
static enum fum_result refuse_words(fum_model *model, struct fum_error *err) {
    const struct fum_embeddings *e = model->embeddings;
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < e->num_unreadable && !result; i++) {
        const struct unreadable *file = &e->unreadable[i];
        if (i < NAMED)
            fum_log(&model->log, FUM_LOG_WARN, "%s; prompts cannot have that word", file->why);
        result =
            fum_tokenizer_refuse_word(model->view.text[0].tokenizer, file->word, file->why, err);
    }
    if (e->num_unreadable > NAMED)
        fum_log(&model->log, FUM_LOG_WARN, "%zu more embeddings cannot be read",
                e->num_unreadable - NAMED);
    return result;
}

// Returns the length of a file's name without its ending; 0 if it is no file of tensors.
static size_t stem_length(const char *name) {
    static const char *const endings[] = {".safetensors", ".pt", ".pth", ".bin", ".ckpt"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; i < FUM_COUNT(endings) && dot; i++)
        if (!strcmp(dot, endings[i])) return (size_t)(dot - name);
    return 0;
}

static enum fum_result add_file(fum_model *model, const char *dir, const char *name,
                                struct fum_error *err) {
    struct vectors v = {0};
    fum_loader *loader = NULL;
    char *path = fum_path_join(model->arena, dir, name);
    char *word = fum_arena_printf(model->arena, "%.*s", (int)stem_length(name), name);
    if (!path || !word) return no_memory(err);
    struct fum_error why = {0};
    enum fum_result result = fum_loader_open(&loader, path, &why);
    if (result == FUM_ERR_IO || result == FUM_ERR_FORMAT)
        return note_unreadable(model, word, &why, err);
    if (result) return fum_error_set(err, result, "%s", why.text); // code in a pickle, no memory
    find_tensors(loader, model->view.num_text, &v);
    if (fit_model(&model->view, &v))
        result = add_vectors(model, word, &v, err);
    else
        note_misfit(model->embeddings, name);
    fum_loader_close(&loader);
    return result;
}

// ---- the folder ----

enum { MAX_DEPTH = 8 }; // of folders below

// Adds the files of a folder, then those of the folders below. Such a one that cannot be read is
// left out.
static enum fum_result add_folder(fum_model *model, const char *dir, int depth,
                                  struct fum_error *err) {
    struct fum_path_names names = {0};
    enum fum_result result = fum_path_list(model->arena, dir, &names, depth ? NULL : err);
    if (result == FUM_ERR_IO && depth) return FUM_OK;
    for (int below = 0; below < 2; below++) {
        for (size_t i = 0; i < names.count && !result; i++) {
            const char *name = names.names[i], *path = fum_path_join(model->arena, dir, name);
            if (!path) return no_memory(err);
            bool folder = fum_path_is_dir(path);
            if (!below && !folder && stem_length(name)) result = add_file(model, dir, name, err);
            if (below && folder && name[0] != '.' && depth < MAX_DEPTH)
                result = add_folder(model, path, depth + 1, err);
        }
    }
    return result;
}

enum fum_result fum_model_add_embeddings(fum_model *model, const char *dir, struct fum_error *err) {
    if (!model->view.num_text)
        return fum_error_set(err, FUM_ERR_ARG, "%s: takes no prompt, so it has no embeddings",
                             model->info.path);
    struct fum_embeddings *e = model->embeddings = fum_calloc(1, sizeof *e);
    if (!e) return no_memory(err);
    for (int i = 0; i < model->view.num_text; i++)
        extend_table(&e->tables[i], &model->view.text[i]);
    enum fum_result result = add_folder(model, dir, 0, err);
    if (!result) result = refuse_words(model, err);
    if (!result && e->misfits)
        fum_log(&model->log, FUM_LOG_WARN, "%s: %d file%s not embedding%s of this model: %s%s", dir,
                e->misfits, e->misfits == 1 ? " is" : "s are", e->misfits == 1 ? "" : "s",
                e->misfit_names, e->misfits > NAMED ? ", …" : "");
    return result;
}

void fum_embeddings_destroy(struct fum_embeddings **embeddings) {
    if (!embeddings || !*embeddings) return;
    for (int i = 0; i < FUM_MODEL_MAX_TEXT; i++) fum_free((*embeddings)->tables[i].rows);
    fum_free((*embeddings)->words);
    fum_free((*embeddings)->unreadable);
    fum_free(*embeddings);
    *embeddings = NULL;
}

size_t fum_embeddings_words(const struct fum_embeddings *e, const char **words, size_t capacity) {
    size_t count = e ? FUM_MIN(e->count, capacity) : 0;
    for (size_t i = 0; i < count; i++) words[i] = e->words[i];
    return count;
}
