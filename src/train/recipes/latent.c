// SPDX-License-Identifier: MIT
#include "train/recipes/latent.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "graph/graph.h"

// ---- settings ----

static enum fum_result fail_size(const struct fum_training *t, int multiple,
                                 struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_ARG,
                         "the pictures are %d × %d with %d channels; the model needs sides that "
                         "are multiples of %d, and %d channels (data.width, data.height, "
                         "data.bucket_step, data.channels)",
                         t->width, t->height, t->channels, multiple,
                         fum_model_get_view(t->model)->vae.in_channels);
}

enum fum_result fum_latent_open(struct fum_training *t, struct fum_latent *l,
                                struct fum_error *err) {
    if (!t->model)
        return fum_error_set(err, FUM_ERR_ARG, "recipe %s needs a model: -m", t->recipe->name);
    l->view = fum_model_get_view(t->model);
    const struct fum_sample_config *schedule = &l->view->schedule;
    int multiple = fum_vae_factor(&l->view->vae);

    if (t->channels != l->view->vae.in_channels || !fum_train_sides_fit(t, multiple))
        return fail_size(t, multiple, err);
    l->prediction = schedule->prediction_type ? schedule->prediction_type : FUM_PREDICT_EPSILON;
    l->timesteps = fum_sample_config_timesteps(schedule);
    l->alphas = fum_arena_alloc(t->arena, (size_t)l->timesteps, sizeof *l->alphas);
    if (!l->alphas) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a noise schedule");
    return fum_sample_config_alphas(schedule, l->alphas, err);
}

// ---- text ----

// Finds where each text ends, as an index into all tokens of its micro-batch.
static void find_ends(const struct fum_training *t, const int32_t *ids,
                      const struct fum_train_rows *rows, void *out) {
    const struct fum_model_view *v = fum_model_get_view(t->model);
    int32_t *ends = out;
    for (size_t i = 0; i < rows->count; i++) {
        int end = fum_clip_end(&v->text[0].config, ids + i * rows->each, (int)rows->each);
        ends[i] = (int32_t)(i % (size_t)t->rows * rows->each) + end;
    }
}

// Pads the texts for the second encoder, whose tokenizer has the same pieces and another padding.
static void pad_again(const struct fum_training *t, const int32_t *ids,
                      const struct fum_train_rows *rows, void *out) {
    const struct fum_model_view *v = fum_model_get_view(t->model);
    int32_t pad = fum_tokenizer_pad_id(v->text[1].tokenizer), *to = out;
    for (size_t i = 0; i < rows->count; i++) {
        const int32_t *row = ids + i * rows->each;
        size_t end = (size_t)fum_clip_end(&v->text[0].config, row, (int)rows->each);
        for (size_t k = 0; k < rows->each; k++) to[i * rows->each + k] = k > end ? pad : row[k];
    }
}

// Returns the ids that an encoder reads, i32 [batch, tokens].
static fum_tensor *add_ids(struct fum_micro_batch *m, const struct fum_latent *l, int encoder) {
    const struct fum_train_derived second = {.value = {"ids_2", {1, {l->view->text[0].tokens}}, 0},
                                             .dtype = FUM_I32,
                                             .from = "ids",
                                             .derive = pad_again};
    const struct fum_model_text *text = &l->view->text[0];
    fum_tensor *ids = fum_train_tokens(m, text->tokens, text->config.vocab + l->num_new);
    return encoder ? fum_train_derive(m, &second) : ids;
}

// Numbers the new rows from 1 on; 0 stands for a token of the table.
static void number_new(const struct fum_training *t, const int32_t *ids,
                       const struct fum_train_rows *rows, void *out) {
    int32_t vocab = fum_model_get_view(t->model)->text[0].config.vocab, *to = out;
    for (size_t i = 0; i < rows->count * rows->each; i++)
        to[i] = ids[i] < vocab ? 0 : ids[i] - vocab + 1;
}

// Marks the tokens of the table with 1, and new ones with 0.
static void mark_known(const struct fum_training *t, const int32_t *ids,
                       const struct fum_train_rows *rows, void *out) {
    int32_t vocab = fum_model_get_view(t->model)->text[0].config.vocab;
    float *to = out;
    for (size_t i = 0; i < rows->count * rows->each; i++) to[i] = ids[i] < vocab ? 1 : 0;
}

// Returns the embeddings of tokens, some of which are new rows that are trained.
static fum_tensor *embed_new(struct fum_micro_batch *m, const struct fum_latent *l,
                             const struct fum_model_text *text, fum_tensor *ids) {
    int64_t tokens = l->view->text[0].tokens, channels = text->config.channels;
    const struct fum_train_derived numbers = {
        {"ids.new", {1, {tokens}}, 0}, FUM_I32, "ids", number_new};
    const struct fum_train_derived known = {
        {"ids.known", {2, {tokens, 1}}, 0}, FUM_F32, "ids", mark_known};
    float *zeros = fum_arena_alloc(m->training->arena, (size_t)channels, sizeof *zeros);
    fum_tensor *table = NULL, *rows = l->new_rows(m, text);
    if (!zeros || !rows) return NULL;
    size_t mark = fum_nn_enter(&m->nn, "%s.text_model.embeddings", text->component);
    table = fum_nn_embedding(&m->nn, "token_embedding", ids, text->config.vocab, channels);
    fum_nn_leave(&m->nn, mark);
    fum_tensor *none = fum_nn_stored(
        &m->nn, fum_graph_constant(m->graph, "none", (struct fum_shape){2, {1, channels}}, zeros));
    fum_tensor *in[] = {none, fum_nn_stored(&m->nn, rows)};
    const struct fum_attr first[] = {{"axis", 0}, {0}};
    rows = fum_graph_add(m->graph, "concat", NULL, (struct fum_inputs){in, 2}, first);
    fum_tensor *added = fum_train_op(m, "embedding", fum_train_derive(m, &numbers), rows, NULL);
    table = fum_nn_mul(&m->nn, NULL, table, fum_nn_stored(&m->nn, fum_train_derive(m, &known)));
    return fum_nn_add(&m->nn, NULL, table, added);
}

static void encode_text(struct fum_micro_batch *m, const struct fum_latent *l, int index,
                        struct fum_clip_outputs *out) {
    const struct fum_model_text *text = &l->view->text[index];
    const struct fum_train_derived ends = {{"ends", {0, {0}}, 0}, FUM_I32, "ids", find_ends};
    int clip_skip = fum_model_get_info(m->training->model)->clip_skip;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.", text->component);
    struct fum_clip_params params = {.prefix = prefix,
                                     .ids = add_ids(m, l, index),
                                     .skip = fum_model_skipped_layers(l->view, clip_skip),
                                     .skip_norm = l->view->traits.skip_norm};
    if (l->view->unet.text_time && text->config.projection)
        params.ends = fum_nn_reshape(&m->nn, NULL, fum_train_derive(m, &ends),
                                     (struct fum_shape){2, {1, m->batch}});
    if (l->new_rows) params.embedded = embed_new(m, l, text, params.ids);
    *out = (struct fum_clip_outputs){0};
    if (params.ids && (!l->new_rows || params.embedded))
        fum_clip_build(m->graph, &text->config, &params, out);
}

// Fills the UNet's conditions.
static void add_conditions(struct fum_micro_batch *m, const struct fum_latent *l,
                           struct fum_unet_params *params) {
    int pooled = fum_model_pooled(l->view), sizes = fum_unet_time_ids(&l->view->unet, pooled);
    for (int i = 0; i < l->view->num_text; i++) {
        struct fum_clip_outputs out;
        encode_text(m, l, i, &out);
        params->context = i ? fum_nn_concat(&m->nn, NULL, params->context, out.hidden) : out.hidden;
        if (out.pooled) params->text_embeds = out.pooled;
    }
    if (sizes)
        params->time_ids = fum_nn_reshape(&m->nn, NULL, fum_train_sizes(m, sizes),
                                          (struct fum_shape){1, {(int64_t)m->batch * sizes}});
}

// ---- latents ----

static fum_tensor *encode_images(struct fum_micro_batch *m, const struct fum_latent *l) {
    const struct fum_training *t = m->training;
    const struct fum_vae_config *vae = &l->view->vae;
    int factor = fum_vae_factor(vae);
    const struct fum_train_value
        x = {"x", {3, {t->height, t->width, t->channels}}, FUM_TRAIN_PLANES},
        eps = {"eps",
               {3, {t->height / factor, t->width / factor, vae->latent_channels}},
               FUM_TRAIN_PLANES};
    struct fum_vae_moments q;
    fum_vae_encode(m->graph, vae, "vae.", fum_train_images(m, &x), &q);
    fum_tensor *half = fum_nn_scale(&m->nn, NULL, fum_train_f32(m, q.logvar), 0.5, 0);
    fum_tensor *noise = fum_nn_mul(&m->nn, NULL, fum_nn_unary(&m->nn, "exp", NULL, half),
                                   fum_train_normal(m, &eps));
    fum_tensor *z = fum_nn_add(&m->nn, NULL, fum_train_f32(m, q.mean), noise);
    return fum_vae_scale(m->graph, vae, z);
}

// ---- noise ----

// Looks up a number for each sample's timestep, as f32 [batch, 1, 1, 1]. A graph that stores 16
// bits gets the table as a sum of three, so that no digit is lost.
static fum_tensor *look_up(struct fum_micro_batch *m, fum_tensor *t, float *table, int count) {
    bool narrow = m->graph->storage != FUM_F32;
    fum_tensor *sum = NULL;
    float *part = fum_arena_alloc(m->training->arena, (size_t)count, sizeof *part);
    for (int k = 0; k < (narrow ? 3 : 1) && part && t; k++) {
        for (int i = 0; i < count; i++) {
            uint32_t bits;
            memcpy(&bits, &table[i], sizeof bits);
            if (narrow) bits &= 0xffff0000u; // eight digits
            memcpy(&part[i], &bits, sizeof bits);
            table[i] -= part[i];
        }
        fum_tensor *rows =
            fum_graph_constant(m->graph, "levels", (struct fum_shape){2, {count, 1}}, part);
        rows = fum_train_f32(m, fum_train_op(m, "embedding", t, rows, NULL));
        sum = sum ? fum_nn_add(&m->nn, NULL, sum, rows) : rows;
    }
    return fum_nn_reshape(&m->nn, NULL, sum, (struct fum_shape){4, {m->batch, 1, 1, 1}});
}

// The level of each sample's picture and noise.
struct levels {
    fum_tensor *signal, *noise; // f32 [batch, 1, 1, 1]
};

static struct levels find_levels(struct fum_micro_batch *m, const struct fum_latent *l,
                                 fum_tensor *t) {
    size_t count = (size_t)l->timesteps;
    float *table = fum_arena_alloc(m->training->arena, 2 * count, sizeof *table);
    for (size_t i = 0; i < count && table; i++) {
        table[i] = (float)sqrt(l->alphas[i]);
        table[count + i] = (float)sqrt(1 - l->alphas[i]);
    }
    if (!table) return (struct levels){0};
    return (struct levels){look_up(m, t, table, l->timesteps),
                           look_up(m, t, table + count, l->timesteps)};
}

static fum_tensor *find_target(struct fum_micro_batch *m, const struct fum_latent *l,
                               const struct levels *level, fum_tensor *z, fum_tensor *noise) {
    if (l->prediction == FUM_PREDICT_SAMPLE) return z;
    if (l->prediction != FUM_PREDICT_V) return noise;
    return fum_train_op(m, "sub", fum_nn_mul(&m->nn, NULL, noise, level->signal),
                        fum_nn_mul(&m->nn, NULL, z, level->noise), NULL);
}

fum_tensor *fum_latent_errors(struct fum_micro_batch *m, const struct fum_latent *l) {
    fum_tensor *z = encode_images(m, l);
    struct fum_unet_params params = {.prefix = "unet."};
    add_conditions(m, l, &params);
    params.timesteps = fum_train_integer(m, "t", l->timesteps);
    struct fum_shape shape = fum_tensor_shape(z);
    const struct fum_train_value value = {
        "noise", {3, {shape.dim[1], shape.dim[2], shape.dim[3]}}, FUM_TRAIN_PLANES};
    if (!z) return NULL;
    fum_tensor *noise = fum_train_normal(m, &value);
    struct levels level = find_levels(m, l, params.timesteps);
    params.x = fum_nn_add(&m->nn, NULL, fum_nn_mul(&m->nn, NULL, z, level.signal),
                          fum_nn_mul(&m->nn, NULL, noise, level.noise));
    if (!params.x || !params.timesteps) return NULL;
    fum_tensor *net = fum_train_f32(m, fum_unet_build(m->graph, &l->view->unet, &params));
    return fum_train_op(m, "squared_error", net, find_target(m, l, &level, z, noise), NULL);
}
