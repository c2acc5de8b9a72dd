// SPDX-License-Identifier: MIT
// The Markovian hierarchical variational autoencoder of Luo, "Understanding Diffusion Models"
// (2022). The encoder is a chain q(z_1|x), q(z_t|z_{t-1}), the decoder a chain N(0, I),
// p(z_{t-1}|z_t), p(x|z_1). loss = reconstruction + sum of consistency_t + prior, the KL terms in
// closed form.
#include "train/recipes/autoencoder.h"

#include <stdio.h>

#include "base/error.h"
#include "base/file.h"

struct hierarchy {
    struct fum_autoencoder pictures; // size and reconstruction
    int levels;
    int latent[FUM_AUTOENCODER_LEVELS]; // sizes of z_1 to z_levels
    int hidden;                         // width of each conditional's hidden layer
};

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct hierarchy *h = t->config;
    h->levels = (int)fum_settings_int(s, "model.levels", 1, FUM_AUTOENCODER_LEVELS);
    h->hidden = (int)fum_settings_int(s, "model.hidden", 1, 1 << 16);
    int sizes = fum_settings_ints(s, "model.latent", h->latent, FUM_AUTOENCODER_LEVELS);
    if (sizes != h->levels)
        fum_settings_fail(s, "model.latent", "lists %d sizes; model.levels is %d", sizes,
                          h->levels);
    fum_autoencoder_read_loss(s, &h->pictures);
    fum_autoencoder_take_size(t, &h->pictures);
    return fum_settings_check(s, err);
}

// Adds the hidden layer of a conditional, "q.1.hidden", within whose module `nn` is.
static fum_tensor *add_hidden(struct fum_micro_batch *m, const struct hierarchy *h,
                              fum_tensor *given) {
    fum_tensor *x = fum_nn_linear(&m->nn, "hidden", fum_nn_stored(&m->nn, given), h->hidden, true);
    return fum_nn_unary(&m->nn, "relu", NULL, x);
}

// Adds a Gaussian of z_t under a condition. `chain` is "q" or "p", `t` from 1.
static struct fum_posterior add_conditional(struct fum_micro_batch *m, const struct hierarchy *h,
                                            const char *chain, int t, fum_tensor *given) {
    size_t mark = fum_nn_enter(&m->nn, "%s.%d", chain, t);
    fum_tensor *x = add_hidden(m, h, given);
    struct fum_posterior result = fum_autoencoder_heads(m, x, h->latent[t - 1]);
    fum_nn_leave(&m->nn, mark);
    return result;
}

static fum_tensor *add_decoder(struct fum_micro_batch *m, const struct hierarchy *h,
                               fum_tensor *z) {
    size_t mark = fum_nn_enter(&m->nn, "p.0");
    fum_tensor *x = add_hidden(m, h, z);
    x = fum_nn_linear(&m->nn, "output", x, fum_autoencoder_pixels(&h->pictures), true);
    fum_nn_leave(&m->nn, mark);
    return fum_train_f32(m, x);
}

static fum_tensor *add_kl(struct fum_micro_batch *m, const struct fum_posterior *q,
                          const struct fum_posterior *p) {
    fum_tensor *in[] = {q->mean, q->log_variance, p ? p->mean : NULL, p ? p->log_variance : NULL};
    return fum_train_batch_mean(
        m, fum_graph_add(m->graph, "gaussian_kl", NULL, (struct fum_inputs){in, p ? 4 : 2}, NULL));
}

// Returns PREFIX_t in the training's memory.
static const char *numbered(struct fum_micro_batch *m, const char *prefix, int t) {
    return fum_arena_printf(m->training->arena, "%s_%d", prefix, t);
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct hierarchy *h = m->training->config;
    struct fum_posterior q[FUM_AUTOENCODER_LEVELS + 1];
    fum_tensor *z[FUM_AUTOENCODER_LEVELS + 1];
    z[0] = fum_autoencoder_images(m, &h->pictures);
    for (int t = 1; t <= h->levels; t++) {
        q[t] = add_conditional(m, h, "q", t, z[t - 1]);
        z[t] = fum_train_draw_posterior(m, &q[t], numbered(m, "eps", t));
    }
    fum_tensor *loss =
        fum_autoencoder_reconstruction(m, &h->pictures, add_decoder(m, h, z[1]), z[0]);
    fum_train_term(m, "reconstruction", loss);
    for (int t = 1; t < h->levels; t++) {
        struct fum_posterior p = add_conditional(m, h, "p", t, z[t + 1]);
        fum_tensor *kl = add_kl(m, &q[t], &p);
        fum_train_term(m, numbered(m, "consistency", t), kl);
        loss = fum_nn_add(&m->nn, NULL, loss, kl);
    }
    fum_tensor *prior = add_kl(m, &q[h->levels], NULL);
    fum_train_term(m, "prior", prior);
    loss = fum_nn_add(&m->nn, NULL, loss, prior);
    fum_train_term(m, "elbo", fum_nn_scale(&m->nn, NULL, loss, -1, 0));
    return loss;
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct hierarchy *h = t->config;
    cJSON *json = fum_autoencoder_describe(t, &h->pictures);
    cJSON_AddNumberToObject(json, "levels", h->levels);
    cJSON_AddNumberToObject(json, "hidden", h->hidden);
    cJSON_AddItemToObject(json, "latent", cJSON_CreateIntArray(h->latent, h->levels));
    return fum_autoencoder_save_as(t, dir, json, err);
}

const struct fum_recipe fum_recipe_hvae = {
    .name = "hvae",
    .summary = "Markovian hierarchical variational autoencoder (Luo 2022)",
    .config_size = sizeof(struct hierarchy),
    .configure = configure,
    .add_loss = add_loss,
    .save = save,
};
