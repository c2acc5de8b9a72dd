// SPDX-License-Identifier: MIT
// Textual inversion of Gal et al., "An Image is Worth One Word" (2022). Only new rows of the token
// table are trained, one or several vectors that a trigger word stands for.
#include "train/recipes/latent.h"

#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "text/tokenizer.h"

struct inversion {
    const char *token, *start;
    int vectors;
    struct fum_latent latent;
};

// Returns the parameter's name for an encoder, as A1111 and diffusers read it.
static const char *rows_name(const struct fum_model_view *v, const struct fum_model_text *text) {
    if (v->num_text < 2) return "emb_params";
    return text == &v->text[0] ? "clip_l" : "clip_g";
}

static fum_tensor *new_rows(struct fum_micro_batch *m, const struct fum_model_text *text) {
    const struct inversion *v = m->training->config;
    struct fum_shape shape = {2, {v->vectors, text->config.channels}};
    return fum_graph_weight(m->graph, rows_name(v->latent.view, text), shape, FUM_PACK_NONE);
}

// Gives the tokenizer the trigger word, whose ids follow those of the table: "x", "x_1", "x_2".
static enum fum_result add_token(const struct inversion *v, struct fum_error *err) {
    const struct fum_model_text *text = &v->latent.view->text[0];
    char name[128];
    enum fum_result result = FUM_OK;
    for (int i = 0; i < v->vectors && !result; i++) {
        snprintf(name, sizeof name, i ? "%s_%d" : "%s", v->token, i);
        result =
            fum_tokenizer_add_special(text->tokenizer, name, text->config.vocab + i, false, err);
    }
    return result;
}

// Makes sure that the caption of pictures without one holds the trigger word.
static enum fum_result choose_caption(struct fum_training *t, const char *token,
                                      struct fum_error *err) {
    const char *caption = fum_settings_string(&t->settings, "data.caption");
    t->trigger = token;
    if (!*caption) {
        const char *text = fum_arena_printf(t->arena, "data.caption=a photo of %s", token);
        return text ? fum_settings_assign(&t->settings, text, err)
                    : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a caption");
    }
    if (!t->replay && !strstr(caption, token))
        fum_settings_fail(&t->settings, "data.caption", "lacks the trigger word %s",
                          fum_text_show(token).text);
    return fum_settings_check(&t->settings, err);
}

// Refuses an initial word that is several tokens: its first one alone would begin the new rows, and
// stand for another word.
static enum fum_result check_start(struct fum_training *t, const struct inversion *v,
                                   struct fum_error *err) {
    enum fum_result result = FUM_OK;
    if (!*v->start || t->resumed) return FUM_OK;
    for (int i = 0; i < v->latent.view->num_text && !result; i++) {
        struct fum_token_ids ids = {0};
        result = fum_tokenizer_encode(v->latent.view->text[i].tokenizer, v->start, strlen(v->start),
                                      &ids, err);
        if (!result && ids.count != 3) // with start and end
            fum_settings_fail(&t->settings, "inversion.start",
                              "is \"%s\", which is %zu tokens; it must be a word that is one",
                              fum_text_show(v->start).text, ids.count - 2);
        fum_token_ids_free(&ids);
    }
    return result ? result : fum_settings_check(&t->settings, err);
}

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    enum { MAX_VECTORS = 64, MAX_TOKEN = 100 };
    struct inversion *v = t->config;
    struct fum_settings *s = &t->settings;
    v->token = fum_settings_string(s, "inversion.token");
    v->start = fum_settings_string(s, "inversion.start");
    v->vectors = (int)fum_settings_int(s, "inversion.vectors", 1, MAX_VECTORS);
    if (!*v->token || strlen(v->token) > MAX_TOKEN)
        fum_settings_fail(s, "inversion.token", "must be a word of 1 to %d bytes", MAX_TOKEN);
    enum fum_result result = fum_settings_check(s, err);
    if (!result) result = choose_caption(t, v->token, err);
    if (!result) result = fum_latent_open(t, &v->latent, err);
    v->latent.new_rows = new_rows;
    v->latent.num_new = v->vectors;
    if (!result) result = check_start(t, v, err);
    return result ? result : add_token(v, err);
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct inversion *v = m->training->config;
    return fum_train_mean(m, fum_latent_errors(m, &v->latent));
}

static bool trains(const struct fum_training *t, const char *name) {
    (void)t;
    return !strcmp(name, "emb_params") || !strcmp(name, "clip_l") || !strcmp(name, "clip_g");
}

// Returns the first token of the initial word.
static int32_t start_token(const struct inversion *v, const struct fum_model_text *text) {
    int32_t ids[3] = {0, 0, 0};
    const struct fum_padded_text start = {v->start, strlen(v->start), 3};
    if (fum_tokenizer_encode_padded(text->tokenizer, &start, ids, NULL, NULL)) return 0;
    return ids[1];
}

// Fills every new row with the initial word's row of the table.
static bool fill_rows(const struct inversion *v, const struct fum_model_text *text, float *rows) {
    struct fum_view table;
    size_t channels = (size_t)text->config.channels;
    if (!text->weights.find(text->weights.user, "text_model.embeddings.token_embedding.weight",
                            &table))
        return false;
    int32_t id = start_token(v, text);
    if (table.computed || id >= text->config.vocab) return false;
    fum_view_skip(&table, (uint64_t)id * channels * fum_dtype_size(table.dtype));
    table.dim[0] = 1;
    if (fum_view_read_f32(&table, rows, NULL)) return false;
    for (int i = 1; i < v->vectors; i++)
        memcpy(rows + (size_t)i * channels, rows, channels * sizeof *rows);
    return true;
}

static bool find_initial(struct fum_training *t, const char *name, struct fum_view *view) {
    const struct inversion *v = t->config;
    const struct fum_model_view *model = v->latent.view;
    if (!*v->start) return false;
    for (int i = 0; i < model->num_text; i++) {
        const struct fum_model_text *text = &model->text[i];
        if (strcmp(name, rows_name(model, text))) continue;
        int channels = text->config.channels;
        float *rows =
            fum_arena_alloc(t->arena, (size_t)v->vectors * (size_t)channels, sizeof *rows);
        *view = (struct fum_view){
            .dtype = FUM_F32, .rank = 2, .dim = {v->vectors, channels}, .data = rows};
        return rows && fill_rows(v, text, rows);
    }
    return false;
}

// Draws rows as small as those of the table, where no initial word is given.
static void initialise(const struct fum_training *t, const char *name,
                       struct fum_initial *initial) {
    if (trains(t, name)) *initial = (struct fum_initial){FUM_INITIAL_NORMAL, 0.02, NULL};
}

// True if every system takes the token as a file's name.
static bool is_file_name(const char *token) {
    for (const char *at = token; *at; at++)
        if ((unsigned char)*at < ' ' || strchr("/\\:*?\"<>|", *at)) return false;
    return *token && *token != '.' && *token != '-';
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct inversion *v = t->config;
    // generate --embd-dir knows an embedding by its file's name.
    const char *name = is_file_name(v->token) ? v->token : "embedding";
    char *path = fum_arena_printf(t->arena, "%s/%s.safetensors", dir, name);
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an embedding");
    enum fum_result result = fum_path_make_dirs(dir, err);
    return result ? result : fum_train_save_weights(t, path, "", err);
}

// Opens the model that the run began with, and adds the saved embedding. Captions name it by the
// token, even where the file has another name.
static enum fum_result open_drawn(struct fum_training *t, fum_model **model, const char *dir,
                                  struct fum_error *err) {
    const struct inversion *v = t->config;
    const struct fum_model_params params = {.path = fum_model_get_info(t->model)->path,
                                            .embeddings_dir = dir};
    enum fum_result result = fum_model_open(model, &params, err);
    if (result) return result;
    const struct fum_model_view *view = fum_model_get_view(*model);
    for (int i = 0; i < view->num_text && !result; i++) {
        const struct fum_model_text *text = &view->text[i];
        int32_t first = text->config.vocab - v->vectors;
        result = fum_tokenizer_add_word(text->tokenizer, v->token, first, v->vectors, err);
    }
    return result;
}

static const double *alphas(const struct fum_training *t, int *count) {
    const struct inversion *v = t->config;
    *count = v->latent.timesteps;
    return v->latent.alphas;
}

const struct fum_recipe fum_recipe_textual_inversion = {
    .name = "textual-inversion",
    .summary = "a new word for a Stable Diffusion (Gal et al. 2022)",
    .config_size = sizeof(struct inversion),
    .configure = configure,
    .add_loss = add_loss,
    .initialise = initialise,
    .save = save,
    .open_drawn = open_drawn,
    .alphas = alphas,
    .trains = trains,
    .find_initial = find_initial,
    .images_signed = true,
    .takes_model = true,
};
