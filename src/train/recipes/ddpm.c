// SPDX-License-Identifier: MIT
// Denoising diffusion: Ho, Jain and Abbeel (2020), with the learned variances and the hybrid
// objective of Nichol and Dhariwal, "Improved denoising diffusion probabilistic models" (2021).
// A model with classes is trained for guidance without a classifier: some labels become the empty
// class. The network learns the latents of a VQ-VAE if there is a --prior.
#include "train/recipes/diffusion.h"
#include "train/recipes/vq_prior.h"

#include "graph/graph.h"

#include <string.h>

FUM_SETTING_NAMES(objective_name, "simple", "vlb", "hybrid")
FUM_SETTING_NAMES(variance_name, "fixed_small", "fixed_small_log", "fixed_large", "learned_range")
enum { OBJECTIVE_SIMPLE, OBJECTIVE_BOUND, OBJECTIVE_HYBRID };

static const char learned_range[] = "learned_range";
static const double hybrid_weight = 0.001; // of the bound

struct ddpm {
    struct fum_unet2d unet;
    struct fum_diffusion diffusion;
    int objective;
    bool learned; // the network predicts the variance too
    int classes;
    double label_drop;
};

static const char *read_variance(struct fum_settings *s, struct ddpm *r) {
    int choice = fum_settings_choice(s, "scheduler.variance_type", variance_name);
    const char *variance =
        r->objective == OBJECTIVE_SIMPLE ? variance_name((size_t)choice) : learned_range;
    r->learned = !strcmp(variance, learned_range);
    return variance;
}

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct ddpm *r = t->config;
    r->objective = fum_settings_choice(s, "loss.objective", objective_name);
    r->classes = (int)fum_settings_int(s, "model.classes", 0, 1 << 16);
    r->label_drop = fum_settings_real(s, "loss.label_drop", 0, 1);
    fum_diffusion_configure(t, &r->diffusion, read_variance(s, r));
    struct fum_unet2d_choice choice = {.outputs = r->learned ? 2 : 1,
                                       .class_embeds = r->classes ? r->classes + 1 : 0};
    if (t->model) {
        enum fum_result result = fum_vq_prior_open(t, &choice.vqvae, err);
        if (result) return result;
        if (r->objective != OBJECTIVE_SIMPLE)
            fum_settings_fail(s, "loss.objective",
                              "must be simple with --prior, since latents are "
                              "no pixels of 256 levels");
    }
    fum_unet2d_configure(t, &r->unet, &choice);
    return fum_settings_check(s, err);
}

// Returns a row for each picture with 1 at its label.
static fum_tensor *one_hot(struct fum_micro_batch *m, fum_tensor *labels, int count) {
    float *identity =
        fum_arena_alloc(m->training->arena, (size_t)count * (size_t)count, sizeof *identity);
    if (!identity) return NULL;
    for (int i = 0; i < count; i++) identity[(size_t)i * (size_t)count + (size_t)i] = 1;
    fum_tensor *table = fum_graph_exact_constant(m->graph, "one_hot",
                                                 (struct fum_shape){2, {count, count}}, identity);
    return fum_train_op(m, "embedding", labels, table, NULL);
}

// Returns the pictures' classes, a share of them replaced by the empty class. A replayed run has
// them as the network was given them.
static fum_tensor *drop_labels(struct fum_micro_batch *m, const struct ddpm *r) {
    fum_tensor *labels = fum_train_labels(m, r->classes + (m->training->replay ? 1 : 0));
    if (m->training->replay || r->label_drop <= 0) return labels;
    // More than 1 at the empty class outweighs the label.
    float *last = fum_arena_alloc(m->training->arena, (size_t)r->classes + 1, sizeof *last);
    if (!last) return NULL;
    last[r->classes] = 2;
    fum_tensor *empty = fum_graph_exact_constant(m->graph, "empty_class",
                                                 (struct fum_shape){2, {1, r->classes + 1}}, last);
    fum_tensor *draw = fum_train_uniform(m, "drop", 0, 1);
    const struct fum_attr clamp[] = {{"min", 0}, {"max", 1}, {0}};
    // 1 where the draw is below the share, by a step that no draw of 24 bits falls into
    fum_tensor *below = fum_nn_scale(&m->nn, NULL, draw, -0x1p24, 0x1p24 * r->label_drop);
    below = below ? fum_graph_add(m->graph, "clamp", NULL, FUM_INPUTS(below), clamp) : NULL;
    below = fum_nn_reshape(&m->nn, NULL, below, (struct fum_shape){2, {m->batch, 1}});
    fum_tensor *scores = fum_nn_add(&m->nn, NULL, one_hot(m, labels, r->classes + 1),
                                    fum_nn_mul(&m->nn, NULL, below, empty));
    return fum_train_op(m, "top_class", scores, NULL, NULL);
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct ddpm *r = m->training->config;
    struct fum_diffused d;
    fum_diffusion_forward(m, &r->diffusion, &r->unet, &d);
    fum_tensor *labels = r->classes ? drop_labels(m, r) : NULL;
    fum_tensor *out = fum_unet2d_predict(m, &r->unet, d.xt, d.t, labels);
    int channels = r->unet.channels;
    fum_tensor *prediction = out;
    if (r->learned)
        prediction = fum_nn_slice(&m->nn, NULL, out, (struct fum_nn_range){3, 0, channels});
    fum_tensor *simple =
        fum_train_term(m, "simple", fum_diffusion_simple(m, &r->diffusion, &d, prediction));
    if (r->objective == OBJECTIVE_SIMPLE) return simple;
    fum_tensor *interpolation =
        fum_nn_slice(&m->nn, NULL, out, (struct fum_nn_range){3, channels, channels});
    if (r->objective == OBJECTIVE_HYBRID)
        prediction = fum_nn_unary(&m->nn, "stop_gradient", NULL, prediction);
    fum_tensor *bound = fum_train_term(
        m, "vlb", fum_diffusion_bound(m, &r->diffusion, &d, prediction, interpolation));
    if (r->objective == OBJECTIVE_BOUND) return bound;
    return fum_nn_add(&m->nn, NULL, simple, fum_nn_scale(&m->nn, NULL, bound, hybrid_weight, 0));
}

static const double *list_alphas(const struct fum_training *t, int *count) {
    const struct ddpm *r = t->config;
    *count = r->diffusion.config.num_train_timesteps;
    return r->diffusion.alpha_bar;
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct ddpm *r = t->config;
    const struct fum_unet2d_folder folder = {"DDPMPipeline", "DDPMScheduler", r->diffusion.json};
    if (r->unet.vqvae) return fum_vq_prior_save(t, &r->unet, &folder, dir, err);
    return fum_unet2d_save(t, &r->unet, &folder, dir, err);
}

const struct fum_recipe fum_recipe_ddpm = {
    .name = "ddpm",
    .summary = "denoising diffusion (Ho et al. 2020; Nichol and Dhariwal 2021)",
    .config_size = sizeof(struct ddpm),
    .configure = configure,
    .add_loss = add_loss,
    .save = save,
    .alphas = list_alphas,
    .trains = fum_vq_prior_trains,
    .images_signed = true,
    .takes_prior = true,
};
