// SPDX-License-Identifier: MIT
// A classifier of noisy pictures, whose gradient guides sampling: Dhariwal and Nichol, "Diffusion
// models beat GANs on image synthesis" (2021). Trained on clean pictures it serves the measures.
#include "train/recipes/diffusion.h"

#include "base/error.h"
#include "base/file.h"
#include "graph/graph.h"
#include "model/classifier.h"

#include <string.h>

struct classifier {
    struct fum_unet2d unet;
    struct fum_diffusion diffusion;
    int classes;
    bool noisy;
};

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct classifier *r = t->config;
    r->classes = (int)fum_settings_int(s, "model.classes", 0, 1 << 16);
    if (!r->classes) r->classes = t->classes;
    if (!r->classes)
        fum_settings_fail(s, "model.classes", "is 0, and the data have no classes either");
    r->noisy = fum_settings_bool(s, "loss.noisy");
    fum_diffusion_configure(t, &r->diffusion, NULL);
    const struct fum_unet2d_choice choice = {.class_name = fum_classifier_class,
                                             .outputs = 1,
                                             .classes = r->classes,
                                             .clean = !r->noisy};
    fum_unet2d_configure(t, &r->unet, &choice);
    return fum_settings_check(s, err);
}

// Adds clean pictures, all at timestep 0.
static void add_clean(struct fum_micro_batch *m, const struct classifier *r,
                      struct fum_diffused *d) {
    float *zeros = fum_arena_alloc(m->training->arena, (size_t)m->batch, sizeof *zeros);
    d->xt = fum_unet2d_images(m, &r->unet);
    if (zeros)
        d->t = fum_graph_exact_constant(m->graph, "t", (struct fum_shape){1, {m->batch}}, zeros);
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct classifier *r = m->training->config;
    struct fum_diffused d = {0};
    struct fum_classifier_outputs out;
    if (r->noisy)
        fum_diffusion_forward(m, &r->diffusion, &r->unet, &d);
    else
        add_clean(m, r, &d);
    fum_tensor *labels = fum_train_labels(m, r->classes);
    const struct fum_unet_params params = {.x = d.xt, .timesteps = d.t};
    if (!d.t || !fum_unet_classifier(m->graph, &r->unet.config, &params, r->classes, &out))
        return NULL;
    fum_tensor *logits = fum_train_f32(m, out.logits);
    fum_tensor *top = fum_train_op(m, "top_class", logits, NULL, NULL);
    fum_tensor *right = fum_train_op(m, "matches", top, labels, NULL);
    fum_train_term(m, "accuracy", fum_train_mean(m, right));
    return fum_train_mean(m, fum_train_op(m, "cross_entropy", logits, labels, NULL));
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct classifier *r = t->config;
    char *config = fum_path_join(t->arena, dir, "config.json"),
         *weights = fum_path_join(t->arena, dir, "model.safetensors");
    if (!config || !weights) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    enum fum_result result = fum_file_save(config, r->unet.json, strlen(r->unet.json), err);
    return result ? result : fum_train_save_weights(t, weights, "", err);
}

static const double *list_alphas(const struct fum_training *t, int *count) {
    const struct classifier *r = t->config;
    *count = r->diffusion.config.num_train_timesteps;
    return r->noisy ? r->diffusion.alpha_bar : NULL;
}

const struct fum_recipe fum_recipe_classifier = {
    .name = "classifier",
    .summary = "classifier of noisy pictures, for guidance (Dhariwal and Nichol 2021)",
    .config_size = sizeof(struct classifier),
    .configure = configure,
    .add_loss = add_loss,
    .save = save,
    .alphas = list_alphas,
    .draws_none = true,
    .images_signed = true,
};
