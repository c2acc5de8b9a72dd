// SPDX-License-Identifier: MIT
// The variational autoencoder of Su Jianlin, "变分自编码器（一）": the prior of each class is a
// Gaussian around a learnt mean. loss = reconstruction + beta · KL(q(z|x) || N(mean of the class,
// I)).
#include "train/recipes/autoencoder.h"

#include <string.h>

#include "base/error.h"

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct fum_autoencoder_recipe *r = t->config;
    r->network.classes = (int)fum_settings_int(&t->settings, "model.classes", 1, 1 << 20);
    if (t->data && !t->classes)
        return fum_error_set(err, FUM_ERR_ARG, "the data set has no classes, which cvae needs");
    return fum_autoencoder_configure(t, err);
}

static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct fum_autoencoder_recipe *r = m->training->config;
    fum_tensor *labels = fum_train_labels(m, r->network.classes);
    return fum_autoencoder_loss(m, fum_autoencoder_class_means(&m->nn, &r->network, labels));
}

// Puts every class at the origin.
static void initialise(const struct fum_training *t, const char *name,
                       struct fum_initial *initial) {
    (void)t;
    if (!strcmp(name, "class_mean.weight"))
        *initial = (struct fum_initial){.kind = FUM_INITIAL_CONSTANT};
}

const struct fum_recipe fum_recipe_cvae = {
    .name = "cvae",
    .summary = "variational autoencoder with a mean of each class (Su)",
    .config_size = sizeof(struct fum_autoencoder_recipe),
    .configure = configure,
    .add_loss = add_loss,
    .initialise = initialise,
    .save = fum_autoencoder_save,
};
