// SPDX-License-Identifier: MIT
// The Markovian hierarchical variational autoencoder of Luo, "Understanding Diffusion Models"
// (2022). The encoder is a chain q(z_1|x), q(z_t|z_{t-1}), the decoder a chain N(0, I),
// p(z_{t-1}|z_t), p(x|z_1). loss = reconstruction + sum of consistency_t + prior, the KL terms in
// closed form.
#include "train/recipes/autoencoder.h"

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct fum_autoencoder_recipe *r = t->config;
    struct fum_autoencoder *a = &r->network;
    a->chain = true;
    a->activation = fum_autoencoder_activation(0);
    a->levels = (int)fum_settings_int(s, "model.levels", 1, FUM_AUTOENCODER_LEVELS);
    a->hidden[0] = (int)fum_settings_int(s, "model.hidden", 1, 1 << 16);
    int sizes = fum_settings_ints(s, "model.latent", a->latent, FUM_AUTOENCODER_LEVELS);
    if (sizes != a->levels)
        fum_settings_fail(s, "model.latent", "lists %d sizes; model.levels is %d", sizes,
                          a->levels);
    fum_autoencoder_read_pictures(t, r);
    return fum_settings_check(s, err);
}

// Adds the batch's mean of KL(q || p). `p` NULL: the standard Gaussian.
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
    const struct fum_autoencoder_recipe *r = m->training->config;
    const struct fum_autoencoder *a = &r->network;
    struct fum_posterior q[FUM_AUTOENCODER_LEVELS + 1];
    fum_tensor *z[FUM_AUTOENCODER_LEVELS + 1];
    z[0] = fum_autoencoder_images(m, a);
    for (int t = 1; t <= a->levels; t++) {
        q[t] = fum_autoencoder_link(&m->nn, a, "q", t, z[t - 1]);
        z[t] = fum_train_draw_posterior(m, &q[t], numbered(m, "eps", t));
    }
    fum_tensor *loss =
        fum_autoencoder_reconstruction(m, r, fum_autoencoder_decode(&m->nn, a, z[1]), z[0]);
    fum_train_term(m, "reconstruction", loss);
    for (int t = 1; t < a->levels; t++) {
        struct fum_posterior p = fum_autoencoder_link(&m->nn, a, "p", t, z[t + 1]);
        fum_tensor *kl = fum_train_term(m, numbered(m, "consistency", t), add_kl(m, &q[t], &p));
        loss = fum_nn_add(&m->nn, NULL, loss, kl);
    }
    fum_tensor *prior = fum_train_term(m, "prior", add_kl(m, &q[a->levels], NULL));
    loss = fum_nn_add(&m->nn, NULL, loss, prior);
    fum_train_term(m, "elbo", fum_nn_scale(&m->nn, NULL, loss, -1, 0));
    return loss;
}

const struct fum_recipe fum_recipe_hvae = {
    .name = "hvae",
    .summary = "Markovian hierarchical variational autoencoder (Luo 2022)",
    .config_size = sizeof(struct fum_autoencoder_recipe),
    .configure = configure,
    .add_loss = add_loss,
    .save = fum_autoencoder_save,
};
