// SPDX-License-Identifier: MIT
// Builds the graph of one update and compiles it.
#include "train/training.h"

#include "base/error.h"
#include "exec/executable.h"
#include "graph/gradient.h"

static bool is_trained(const struct fum_training *t, const fum_tensor *param) {
    return !t->recipe->excludes || !t->recipe->excludes(t, param->name);
}

// Lists the parameters that the recipe's networks brought into the graph, first the trained ones.
static bool list_network(struct fum_training *t) {
    int count = fum_graph_list_parameters(t->now->graph, NULL);
    fum_tensor **all = fum_arena_alloc(t->arena, (size_t)count + 1, sizeof *all);
    t->now->network = fum_arena_alloc(t->arena, (size_t)count + 1, sizeof *t->now->network);
    if (!all || !t->now->network) return false;
    fum_graph_list_parameters(t->now->graph, all);
    for (int i = 0; i < count; i++)
        if (is_trained(t, all[i])) t->now->network[t->now->num_trained++] = all[i];
    t->now->num_network = t->now->num_trained;
    for (int i = 0; i < count; i++)
        if (!is_trained(t, all[i])) t->now->network[t->now->num_network++] = all[i];
    return true;
}

// Adds the loss of one micro-batch and adds its gradients to the sums.
static bool add_micro_batch(struct fum_training *t, int index, fum_tensor ***sums) {
    struct fum_micro_batch m = {
        .training = t, .graph = t->now->graph, .index = index, .batch = t->rows};
    fum_nn_init(&m.nn, t->now->graph, NULL);
    if (!index) fum_train_term(&m, "loss", NULL); // comes before the recipe's own terms
    fum_tensor *loss = t->recipe->add_loss(&m);
    if (!fum_train_term(&m, "loss", loss)) return false;
    if (!index && !list_network(t)) return false;
    if (!index)
        *sums = fum_arena_alloc(t->arena, (size_t)t->now->num_trained + 1, sizeof(fum_tensor *));
    if (fum_train_is_ranked(t))
        loss = fum_nn_scale(&m.nn, NULL, loss, fum_train_share_of_batch(t), 0);
    if (t->now->loss_scale) loss = fum_nn_mul(&m.nn, "scaled_loss", loss, t->now->loss_scale);
    return *sums &&
           fum_graph_add_gradient(t->now->graph, loss, t->now->network, t->now->num_trained, *sums);
}

// Adds [loss, terms …, learning rate, gradient norm], the numbers that the host reads after a step.
static void add_report(struct fum_training *t) {
    struct fum_nn nn;
    fum_nn_init(&nn, t->now->graph, NULL);
    double each = 1.0 / t->options.accumulate;
    fum_tensor *all = NULL;
    for (int i = 0; i < t->now->num_terms; i++) {
        const struct fum_train_term *term = &t->now->terms[i];
        fum_tensor *mean = fum_nn_scale(&nn, term->name, term->sum, each, 0);
        if (!term->whole) mean = fum_train_sum(t, mean);
        all = all ? fum_nn_concat(&nn, NULL, all, mean) : mean;
    }
    fum_tensor *rate = fum_nn_slice(&nn, NULL, t->now->row, (struct fum_nn_range){0, 0, 1});
    all = fum_nn_concat(&nn, NULL, all, rate);
    t->now->report = fum_nn_concat(&nn, "report", all, t->now->gradient_norm);
    fum_graph_output(t->now->graph, t->now->report, "report");
}

static bool build_step(struct fum_training *t) {
    fum_tensor **sums = NULL;
    struct fum_nn nn;
    fum_nn_init(&nn, t->now->graph, NULL);
    fum_train_add_loss_scale(t);
    for (int i = 0; i < t->options.accumulate; i++)
        if (!add_micro_batch(t, i, &sums)) return false;
    for (int i = 0; i < t->now->num_trained; i++) sums[i] = fum_train_sum(t, sums[i]);
    for (int i = 0; i < t->now->num_trained && t->options.accumulate > 1; i++)
        sums[i] = fum_nn_scale(&nn, NULL, sums[i], 1.0 / t->options.accumulate, 0);
    fum_train_add_updates(t, sums);
    add_report(t);
    return true;
}

static bool report_compile(void *user, int done, int total) {
    const struct fum_training *t = user;
    return !t->params.on_compile || t->params.on_compile(t->params.user, done, total);
}

// Allocates room for the values of the largest input.
static enum fum_result allocate_buffer(struct fum_training *t, struct fum_error *err) {
    int64_t most = 4;
    for (int i = 0; i < t->now->num_sources; i++) {
        struct fum_shape shape = fum_tensor_shape(t->now->sources[i].all);
        if (fum_shape_count(&shape) > most) most = fum_shape_count(&shape);
    }
    t->now->buffer = fum_alloc(2 * (size_t)most, sizeof(float));
    return t->now->buffer ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a batch");
}

static bool trains_weight(void *user, const char *name) {
    const struct fum_training *t = user;
    return t->recipe->trains(t, name);
}

static fum_tensor *adapt_layer(void *user, fum_graph *graph, const struct fum_graph_layer *layer) {
    struct fum_training *t = user;
    (void)graph; // the training's own
    return t->recipe->adapt(t, layer);
}

// Creates the store of the model's frozen weights.
static enum fum_result create_weights(struct fum_training *t, struct fum_error *err) {
    const struct fum_weights_params params = {
        .device = t->device, .source = fum_train_model_source(t), .label = "frozen"};
    return fum_weights_create(&t->weights, &params, err);
}

// Builds the graph of a step.
static enum fum_result build_graph(struct fum_training *t, struct fum_error *err) {
    enum fum_result result = fum_graph_create(&t->now->graph, t->options.precision, err);
    if (result) return result;
    fum_graph_train(t->now->graph, t->recipe->trains ? trains_weight : NULL, t);
    if (t->options.checkpointing) fum_graph_checkpoint(t->now->graph);
    if (t->recipe->adapt) fum_graph_adapt(t->now->graph, adapt_layer, t);
    bool built = build_step(t);
    result = fum_graph_check(t->now->graph, err);
    if (!result && !built) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the step");
    return result;
}

enum fum_result fum_train_plan(struct fum_training *t, struct fum_training_size *size,
                               struct fum_error *err) {
    struct fum_executable_size step;
    enum fum_result result = build_graph(t, err);
    if (!result) result = fum_executable_measure(t->now->graph, t->device, &step, err);
    if (!result)
        *size = (struct fum_training_size){step.activations, step.weights, step.parameters};
    return result;
}

enum fum_result fum_train_compile(struct fum_training *t, struct fum_error *err) {
    enum fum_result result = build_graph(t, err);
    if (!result) result = allocate_buffer(t, err);
    if (!result && !t->parameters) result = fum_train_create_parameters(t, err);
    if (!result && t->model && !t->weights) result = create_weights(t, err);
    const struct fum_executable_params params = {
        .label = "training", .parameters = t->parameters, .on_compile = report_compile, .user = t};
    const struct fum_executable_job job = {t->now->graph, t->device, t->weights, &params,
                                           fum_train_group_sums(t)};
    if (!result) result = fum_executable_compile(&t->now->executable, &job, err);
    return result ? result : fum_train_write_counters(t, err);
}
