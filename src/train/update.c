// SPDX-License-Identifier: MIT
// Adds what follows the gradients in a step: their norm, the optimiser and the moving average.
#include "train/training.h"

#include "base/desc.h"
#include "exec/executable.h"
#include "graph/graph.h"

// Adds a second parameter of the same shape and order as a network's, "optimiser.first.NAME".
static fum_tensor *add_companion(struct fum_training *t, const fum_tensor *param,
                                 const char *prefix) {
    static const enum fum_pack packs[] = {FUM_PACK_NONE, FUM_PACK_LINEAR, FUM_PACK_CONV};
    char *name = fum_arena_printf(t->arena, "%s%s", prefix, param->name);
    for (size_t i = 0; name && i < FUM_COUNT(packs); i++)
        if (fum_packing_of(packs[i]) == param->packing)
            return fum_graph_parameter(t->now->graph, name, param->desc.shape, packs[i]);
    fum_graph_fail(t->now->graph, name ? FUM_ERR_ARG : FUM_ERR_NOMEM,
                   "%s: its packing cannot be trained", param->name);
    return NULL;
}

static fum_tensor *add_op(struct fum_training *t, const char *op, fum_tensor *a, fum_tensor *b,
                          const struct fum_attr *attrs) {
    fum_tensor *in[] = {a, b};
    if (!a) return NULL;
    return fum_graph_add(t->now->graph, op, NULL, (struct fum_inputs){in, b ? 2 : 1}, attrs);
}

// Adds the counter of the updates done and the optimiser's row of numbers for the next one.
static void add_row(struct fum_training *t) {
    const struct fum_train_options *o = &t->options;
    const struct fum_attr attrs[] = {{"lr", o->lr},
                                     {"schedule", o->lr_schedule},
                                     {"warmup", (double)o->warmup},
                                     {"steps", (double)o->steps},
                                     {"beta1", o->beta1},
                                     {"beta2", o->beta2},
                                     {0}};
    t->now->updates = fum_graph_state(t->now->graph, "optimiser.updates",
                                      (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP);
    t->now->row = add_op(t, "learning_rate", t->now->updates, NULL, attrs);
}

// Adds the sum of the squares of all gradients.
static fum_tensor *add_squares(struct fum_training *t, fum_tensor *const *grads) {
    fum_tensor *sum = NULL;
    for (int i = 0; i < t->now->num_trained; i++)
        sum = add_op(t, "square_sum", grads[i], sum, NULL);
    return sum;
}

// Adds the norm of all gradients, and the factor by which the updates multiply them. The factor is
// 0 where the norm is no number: the step then changes nothing.
static fum_tensor *add_factor(struct fum_training *t, fum_tensor *const *grads) {
    const struct fum_attr clip[] = {{"clip", t->options.clip}, {0}};
    fum_tensor *squares = add_squares(t, grads);
    t->now->gradient_norm = add_op(t, "sqrt", squares, NULL, NULL);
    if (t->now->loss_scale) {
        fum_tensor *inverse = add_op(t, "reciprocal", t->now->loss_scale, NULL, NULL);
        t->now->gradient_norm = add_op(t, "mul", t->now->gradient_norm, inverse, NULL);
    }
    return add_op(t, "clip_factor", squares, t->now->loss_scale, clip);
}

// Adds what counts the updates and adapts the scale of the loss. They come after the last update.
static void add_counters(struct fum_training *t, fum_tensor *last, fum_tensor *factor) {
    const struct fum_attr draws[] = {{"draws", FUM_TRAIN_MAX_SOURCES}, {0}};
    fum_tensor *count[] = {t->now->updates, last, factor},
               *scale[] = {t->now->loss_scale, t->now->scale_steps, factor};
    fum_graph_add(t->now->graph, "counter_next", NULL, (struct fum_inputs){count, 3}, NULL);
    if (t->now->key) add_op(t, "random_next", t->now->key, NULL, draws);
    if (t->now->loss_scale)
        fum_graph_add(t->now->graph, "loss_scale_update", NULL, (struct fum_inputs){scale, 3},
                      NULL);
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
                        t->now->row,
                        factor};
    return fum_graph_add(t->now->graph, "adam_update", NULL, (struct fum_inputs){in, 6}, attrs);
}

static fum_tensor *add_sgd(struct fum_training *t, fum_tensor *param, fum_tensor *grad,
                           fum_tensor *factor) {
    const struct fum_train_options *o = &t->options;
    const struct fum_attr attrs[] = {
        {"momentum", o->momentum}, {"weight_decay", o->weight_decay}, {0}};
    fum_tensor *in[] = {param, add_companion(t, param, "optimiser.first."), grad, t->now->row,
                        factor};
    return fum_graph_add(t->now->graph, "sgd_update", NULL, (struct fum_inputs){in, 5}, attrs);
}

// Adds the updates of the network's i-th parameter and of its average. Returns the last one.
static fum_tensor *add_update(struct fum_training *t, int i, fum_tensor *const *grads,
                              fum_tensor *factor) {
    const struct fum_attr decay[] = {{"decay", t->options.ema}, {0}};
    bool sgd = t->options.optimiser == FUM_OPTIMISER_SGD;
    fum_tensor *param = t->now->network[i], *updated = param;
    if (i < t->now->num_trained)
        updated = sgd ? add_sgd(t, param, grads[i], factor) : add_adam(t, param, grads[i], factor);
    if (t->recipe->update) updated = t->recipe->update(t, param, updated, factor);
    if (t->options.ema <= 0) return updated;
    fum_tensor *in[] = {add_companion(t, param, "ema."), updated, factor};
    return fum_graph_add(t->now->graph, "ema_update", NULL, (struct fum_inputs){in, 3}, decay);
}

void fum_train_add_loss_scale(struct fum_training *t) {
    const struct fum_shape one = {1, {1}};
    if (t->options.precision != FUM_F16) return;
    t->now->loss_scale = fum_graph_state(t->now->graph, "loss_scale", one, FUM_F32, FUM_STAGE_STEP);
    t->now->scale_steps =
        fum_graph_state(t->now->graph, "loss_scale.steps", one, FUM_I32, FUM_STAGE_STEP);
}

void fum_train_add_updates(struct fum_training *t, fum_tensor *const *grads) {
    fum_tensor *last = NULL, *factor = add_factor(t, grads);
    add_row(t);
    for (int i = 0; i < t->now->num_network; i++) last = add_update(t, i, grads, factor);
    add_counters(t, last, factor);
}

// ---- the numbers that steps carry on ----

enum fum_result fum_train_write_counters(struct fum_training *t, struct fum_error *err) {
    const struct fum_train_counters *c = &t->counters;
    enum fum_result result =
        fum_executable_write_i32(t->now->executable, t->now->updates, &c->updates, 1, err);
    // No two draws of a run have the same number.
    uint64_t seed = t->options.seed, draw = (uint64_t)t->step * FUM_TRAIN_MAX_SOURCES;
    const int32_t key[4] = {(int32_t)(uint32_t)seed, (int32_t)(uint32_t)(seed >> 32),
                            (int32_t)(uint32_t)draw, 0};
    if (!result && t->now->key)
        result = fum_executable_write_i32(t->now->executable, t->now->key, key, 4, err);
    if (!result && t->now->loss_scale)
        result =
            fum_executable_write(t->now->executable, t->now->loss_scale, &c->loss_scale, 1, err);
    if (!result && t->now->loss_scale)
        result = fum_executable_write_i32(t->now->executable, t->now->scale_steps, &c->scale_steps,
                                          1, err);
    return result;
}

enum fum_result fum_train_read_counters(struct fum_training *t, struct fum_error *err) {
    struct fum_train_counters *c = &t->counters;
    const struct fum_tensor_part updates = {t->now->updates, 0, sizeof c->updates},
                                 scale = {t->now->loss_scale, 0, sizeof c->loss_scale},
                                 steps = {t->now->scale_steps, 0, sizeof c->scale_steps};
    enum fum_result result = fum_executable_read_raw(t->now->executable, updates, &c->updates, err);
    if (!result && t->now->loss_scale)
        result = fum_executable_read_raw(t->now->executable, scale, &c->loss_scale, err);
    if (!result && t->now->loss_scale)
        result = fum_executable_read_raw(t->now->executable, steps, &c->scale_steps, err);
    return result;
}
