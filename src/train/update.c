// SPDX-License-Identifier: MIT
// Adds what follows the gradients in a step: their norm, the optimiser and the moving average.
#include "train/training.h"

#include "base/desc.h"
#include "graph/graph.h"

// Adds a second parameter of the same shape and order as a network's, "optimiser.first.NAME".
static fum_tensor *add_companion(struct fum_training *t, const fum_tensor *param,
                                 const char *prefix) {
    static const enum fum_pack packs[] = {FUM_PACK_NONE, FUM_PACK_LINEAR, FUM_PACK_CONV};
    char *name = fum_arena_printf(t->arena, "%s%s", prefix, param->name);
    for (size_t i = 0; name && i < FUM_COUNT(packs); i++)
        if (fum_packing_of(packs[i]) == param->packing)
            return fum_graph_parameter(t->graph, name, param->desc.shape, packs[i]);
    fum_graph_fail(t->graph, name ? FUM_ERR_ARG : FUM_ERR_NOMEM,
                   "%s: its packing cannot be trained", param->name);
    return NULL;
}

static fum_tensor *add_op(struct fum_training *t, const char *op, fum_tensor *a, fum_tensor *b,
                          const struct fum_attr *attrs) {
    fum_tensor *in[] = {a, b};
    if (!a) return NULL;
    return fum_graph_add(t->graph, op, NULL, (struct fum_inputs){in, b ? 2 : 1}, attrs);
}

// Adds the norm of all gradients together.
static fum_tensor *add_norm(struct fum_training *t, fum_tensor *const *grads) {
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    fum_tensor *sum = NULL;
    for (int i = 0; i < t->num_trained; i++) {
        fum_tensor *square =
            add_op(t, "reduce_sum", add_op(t, "square", grads[i], NULL, NULL), NULL, number);
        sum = sum ? add_op(t, "add", sum, square, NULL) : square;
    }
    return add_op(t, "sqrt", sum, NULL, NULL);
}

// Adds min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ has it.
static fum_tensor *add_clip_factor(struct fum_training *t, fum_tensor *norm) {
    const struct fum_attr tiny[] = {{"add", 1e-6}, {0}}, clip[] = {{"mul", t->options.clip}, {0}},
                          one[] = {{"min", 0}, {"max", 1}, {0}};
    if (t->options.clip <= 0) return NULL;
    fum_tensor *inverse = add_op(t, "reciprocal", add_op(t, "scale", norm, NULL, tiny), NULL, NULL);
    return add_op(t, "clamp", add_op(t, "scale", inverse, NULL, clip), NULL, one);
}

static fum_tensor *add_adam(struct fum_training *t, fum_tensor *param, fum_tensor *grad,
                            fum_tensor *factor) {
    const struct fum_train_options *o = &t->options;
    const struct fum_attr attrs[] = {{"beta1", o->beta1},
                                     {"beta2", o->beta2},
                                     {"eps", o->eps},
                                     {"weight_decay", o->weight_decay},
                                     {"decoupled", o->optimiser == FUM_OPTIMISER_ADAMW},
                                     {0}};
    fum_tensor *in[] = {param,
                        add_companion(t, param, "optimiser.first."),
                        add_companion(t, param, "optimiser.second."),
                        grad,
                        t->row,
                        factor};
    return fum_graph_add(t->graph, "adam_update", NULL, (struct fum_inputs){in, factor ? 6 : 5},
                         attrs);
}

static fum_tensor *add_sgd(struct fum_training *t, fum_tensor *param, fum_tensor *grad,
                           fum_tensor *factor) {
    const struct fum_train_options *o = &t->options;
    const struct fum_attr attrs[] = {
        {"momentum", o->momentum}, {"weight_decay", o->weight_decay}, {0}};
    fum_tensor *in[] = {param, add_companion(t, param, "optimiser.first."), grad, t->row, factor};
    return fum_graph_add(t->graph, "sgd_update", NULL, (struct fum_inputs){in, factor ? 5 : 4},
                         attrs);
}

void fum_train_add_updates(struct fum_training *t, fum_tensor *const *grads) {
    const struct fum_attr decay[] = {{"decay", t->options.ema}, {0}};
    t->gradient_norm = add_norm(t, grads);
    fum_tensor *factor = add_clip_factor(t, t->gradient_norm);
    for (int i = 0; i < t->num_trained; i++) {
        fum_tensor *param = t->trained[i];
        fum_tensor *updated = t->options.optimiser == FUM_OPTIMISER_SGD
                                  ? add_sgd(t, param, grads[i], factor)
                                  : add_adam(t, param, grads[i], factor);
        if (t->options.ema > 0)
            add_op(t, "ema_update", add_companion(t, param, "ema."), updated, decay);
    }
}
