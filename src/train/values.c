// SPDX-License-Identifier: MIT
// Adds the values of a micro-batch to the graph: the data and the draws, or a replay of both.
#include "train/training.h"

#include <stdio.h>
#include <string.h>

#include "base/desc.h"
#include "base/error.h"
#include "graph/graph.h"

// Returns the shape of a value for all micro-batches of so many rows. Single numbers are a row for
// each of them.
static struct fum_shape whole_shape(const struct fum_training *t, int rows,
                                    const struct fum_shape *sample) {
    struct fum_shape shape = {2, {t->options.accumulate, rows}};
    if (!sample->rank) return shape;
    shape = (struct fum_shape){sample->rank + 1, {(int64_t)t->options.accumulate * rows}};
    for (int i = 0; i < sample->rank; i++) shape.dim[i + 1] = sample->dim[i];
    return shape;
}

static struct fum_train_source *find_source(struct fum_training *t, const char *name) {
    for (int i = 0; i < t->now->num_sources; i++)
        if (!strcmp(t->now->sources[i].value.name, name)) return &t->now->sources[i];
    return NULL;
}

bool fum_train_replays(const struct fum_training *t, const char *name) {
    return t->replay && fum_loader_find(t->replay, name);
}

static struct fum_train_source *add_source(struct fum_micro_batch *m,
                                           const struct fum_train_source *like) {
    struct fum_training *t = m->training;
    struct fum_train_source *source = &t->now->sources[t->now->num_sources];
    if (t->now->num_sources == FUM_TRAIN_MAX_SOURCES) {
        fum_graph_fail(m->graph, FUM_ERR_ARG, "a step has too many inputs");
        return NULL;
    }
    *source = *like;
    struct fum_error err;
    bool given = source->origin != FUM_TRAIN_DERIVED &&
                 (source->origin != FUM_TRAIN_SIZES || fum_train_replays(t, like->value.name));
    if (t->replay && given && fum_train_check_replay(t, source, &err)) {
        fum_graph_fail(m->graph, err.code, "%s", err.text);
        return NULL;
    }
    t->now->num_sources++;
    return source;
}

// Returns the samples of this rank's micro-batch from a value that was drawn for all ranks.
static fum_tensor *take_own(struct fum_micro_batch *m, const struct fum_train_source *source) {
    const struct fum_training *t = m->training;
    const struct fum_data_part *part = &t->part;
    struct fum_shape each = source->value.shape, shape = {each.rank + 1, {m->batch}};
    int64_t groups = m->batch / part->count, values = each.rank ? fum_shape_count(&each) : 1;
    for (int i = 0; i < each.rank; i++) shape.dim[i + 1] = each.dim[i];
    struct fum_shape table = {3, {groups * t->options.accumulate, part->of, values}};
    fum_tensor *x = fum_nn_reshape(&m->nn, NULL, source->all, table);
    x = fum_nn_slice(&m->nn, NULL, x, (struct fum_nn_range){0, m->index * groups, groups});
    x = fum_nn_slice(&m->nn, NULL, x, (struct fum_nn_range){1, part->first, part->count});
    return fum_nn_reshape(&m->nn, NULL, x, shape);
}

// Returns the micro-batch's part of a value.
static fum_tensor *take_part(struct fum_micro_batch *m, const struct fum_train_source *source) {
    bool drawn = source->origin == FUM_TRAIN_DRAWN && !source->replay;
    if (drawn && fum_train_is_ranked(m->training)) return take_own(m, source);
    bool single = !source->value.shape.rank;
    fum_tensor *all = source->all;
    if (m->training->options.accumulate > 1)
        all = fum_nn_slice(&m->nn, NULL, all,
                           (struct fum_nn_range){0, single ? m->index : m->index * m->batch,
                                                 single ? 1 : m->batch});
    if (!single) return all;
    return fum_nn_reshape(&m->nn, NULL, all, (struct fum_shape){1, {m->batch}});
}

// Adds an input that the host writes before every step.
static fum_tensor *add_input(struct fum_micro_batch *m, struct fum_train_source *source) {
    struct fum_shape shape = whole_shape(m->training, m->batch, &source->value.shape);
    source->all =
        fum_graph_input(m->graph, source->value.name, shape, source->dtype, FUM_STAGE_STEP);
    return source->all;
}

// Adds a value that the data have. `limit`: of whole numbers; 0: real ones.
static fum_tensor *add_given(struct fum_micro_batch *m, const struct fum_train_value *value,
                             enum fum_train_origin origin, int64_t limit) {
    struct fum_train_source *source = find_source(m->training, value->name);
    const struct fum_train_source like = {
        .value = *value, .origin = origin, .dtype = limit ? FUM_I32 : FUM_F32, .limit = limit};
    if (!source) {
        source = add_source(m, &like);
        if (!source || !add_input(m, source)) return NULL;
    }
    return take_part(m, source);
}

// How a value is drawn.
struct draw {
    const char *op;
    int64_t limit;    // of whole numbers; 0: real ones
    double low, high; // of uniform ones
};

// Returns the state from which all draws of a step take their keys.
static fum_tensor *find_key(struct fum_micro_batch *m) {
    struct fum_training *t = m->training;
    if (!t->now->key)
        t->now->key = fum_graph_state(m->graph, "random", (struct fum_shape){1, {4}}, FUM_I32,
                                      FUM_STAGE_STEP);
    return t->now->key;
}

// Adds the op that draws a value, for the samples of all ranks: the draws are those of a rank
// alone.
static fum_tensor *add_draw(struct fum_micro_batch *m, struct fum_train_source *source,
                            const struct draw *draw) {
    struct fum_shape shape =
        whole_shape(m->training, fum_train_whole_rows(m->training), &source->value.shape);
    double offset = (double)(source - m->training->now->sources);
    const struct fum_attr attrs[] = {
        {"rank", shape.rank},
        {"d0", (double)shape.dim[0]},
        {"d1", (double)shape.dim[1]},
        {"d2", (double)shape.dim[2]},
        {"d3", (double)shape.dim[3]},
        {draw->limit ? "limit" : "dtype", draw->limit ? (double)draw->limit : FUM_F32},
        {"offset", offset},
        {0}};
    source->all =
        fum_graph_add(m->graph, draw->op, source->value.name, FUM_INPUTS(find_key(m)), attrs);
    if (draw->high > draw->low)
        source->all = fum_nn_scale(&m->nn, NULL, source->all, draw->high - draw->low, draw->low);
    return source->all;
}

static fum_tensor *draw_value(struct fum_micro_batch *m, const struct fum_train_value *value,
                              const struct draw *draw) {
    struct fum_train_source *source = find_source(m->training, value->name);
    const struct fum_train_source like = {.value = *value,
                                          .origin = FUM_TRAIN_DRAWN,
                                          .dtype = draw->limit ? FUM_I32 : FUM_F32,
                                          .limit = draw->limit};
    if (!source) {
        source = add_source(m, &like);
        bool added = source && (source->replay ? add_input(m, source) != NULL
                                               : add_draw(m, source, draw) != NULL);
        if (!added) return NULL;
    }
    return take_part(m, source);
}

fum_tensor *fum_train_images(struct fum_micro_batch *m, const struct fum_train_value *value) {
    return add_given(m, value, FUM_TRAIN_IMAGES, 0);
}

fum_tensor *fum_train_labels(struct fum_micro_batch *m, int limit) {
    if (m->training->data && !m->training->classes) {
        fum_graph_fail(m->graph, FUM_ERR_ARG,
                       "the data set has no classes, which %s needs: model.classes is more than 0",
                       m->training->recipe->name);
        return NULL;
    }
    return add_given(m, &(struct fum_train_value){.name = "label"}, FUM_TRAIN_LABELS, limit);
}

fum_tensor *fum_train_tokens(struct fum_micro_batch *m, int tokens, int limit) {
    const struct fum_train_value value = {.name = "ids", .shape = {1, {tokens}}};
    return add_given(m, &value, FUM_TRAIN_TOKENS, limit);
}

fum_tensor *fum_train_sizes(struct fum_micro_batch *m, int count) {
    const struct fum_train_value value = {.name = "time_ids", .shape = {1, {count}}};
    return add_given(m, &value, FUM_TRAIN_SIZES, 0);
}

fum_tensor *fum_train_derive(struct fum_micro_batch *m, const struct fum_train_derived *d) {
    struct fum_training *t = m->training;
    struct fum_train_source *source = find_source(t, d->value.name),
                            *from = find_source(t, d->from);
    if (source) return take_part(m, source);
    if (!from) {
        fum_graph_fail(m->graph, FUM_ERR_ARG, "%s: a step has no %s", d->value.name, d->from);
        return NULL;
    }
    source = add_source(m, &(struct fum_train_source){.value = d->value,
                                                      .origin = FUM_TRAIN_DERIVED,
                                                      .dtype = d->dtype,
                                                      .from = (int)(from - t->now->sources),
                                                      .derive = d->derive});
    return source && add_input(m, source) ? take_part(m, source) : NULL;
}

fum_tensor *fum_train_normal(struct fum_micro_batch *m, const struct fum_train_value *value) {
    return draw_value(m, value, &(struct draw){.op = "random_normal"});
}

fum_tensor *fum_train_uniform(struct fum_micro_batch *m, const char *name, double low,
                              double high) {
    return draw_value(m, &(struct fum_train_value){.name = name},
                      &(struct draw){.op = "random_uniform", .low = low, .high = high});
}

fum_tensor *fum_train_integer(struct fum_micro_batch *m, const char *name, int64_t limit) {
    return draw_value(m, &(struct fum_train_value){.name = name},
                      &(struct draw){.op = "random_integer", .limit = limit});
}

fum_tensor *fum_train_f32(struct fum_micro_batch *m, fum_tensor *value) {
    const struct fum_attr attrs[] = {{"dtype", FUM_F32}, {0}};
    if (!value || fum_tensor_dtype(value) == FUM_F32) return value;
    return fum_graph_add(m->graph, "cast", NULL, FUM_INPUTS(value), attrs);
}

fum_tensor *fum_train_op(struct fum_micro_batch *m, const char *op, fum_tensor *a, fum_tensor *b,
                         fum_tensor *c) {
    fum_tensor *in[] = {a, b, c};
    int count = c ? 3 : 2;
    return fum_graph_add(m->graph, op, NULL, (struct fum_inputs){in, b ? count : 1}, NULL);
}

// Adds the sum of all elements times a factor.
static fum_tensor *sum_all(struct fum_micro_batch *m, fum_tensor *value, double factor) {
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    if (!value) return NULL;
    fum_tensor *sum = fum_graph_add(m->graph, "reduce_sum", NULL, FUM_INPUTS(value), number);
    return fum_nn_scale(&m->nn, NULL, sum, factor, 0);
}

fum_tensor *fum_train_batch_mean(struct fum_micro_batch *m, fum_tensor *value) {
    return sum_all(m, value, 1.0 / m->batch);
}

fum_tensor *fum_train_mean(struct fum_micro_batch *m, fum_tensor *value) {
    struct fum_shape shape = fum_tensor_shape(value);
    return sum_all(m, value, value ? 1.0 / (double)fum_shape_count(&shape) : 1);
}

// Returns the term of that name, which is new for the first micro-batch. NULL after an error.
static struct fum_train_term *find_term(struct fum_micro_batch *m, const char *name) {
    struct fum_training *t = m->training;
    int i = 0;
    while (i < t->now->num_terms && strcmp(t->now->terms[i].name, name)) i++;
    if (i == FUM_TRAIN_MAX_TERMS) {
        fum_graph_fail(m->graph, FUM_ERR_ARG, "a loss has more than %d terms", FUM_TRAIN_MAX_TERMS);
        return NULL;
    }
    if (i == t->now->num_terms)
        t->now->terms[t->now->num_terms++] =
            (struct fum_train_term){.name = fum_arena_strdup(t->arena, name)};
    return &t->now->terms[i];
}

fum_tensor *fum_train_whole_term(struct fum_micro_batch *m, const char *name, fum_tensor *value) {
    struct fum_train_term *term = find_term(m, name);
    if (!term) return NULL;
    term->whole = true;
    term->sum = m->index ? fum_nn_add(&m->nn, NULL, term->sum, value) : value;
    return value;
}

fum_tensor *fum_train_term(struct fum_micro_batch *m, const char *name, fum_tensor *value) {
    fum_tensor *own = value;
    if (value && fum_train_is_ranked(m->training))
        own = fum_nn_scale(&m->nn, NULL, value, fum_train_share_of_batch(m->training), 0);
    if (!fum_train_whole_term(m, name, own)) return NULL;
    find_term(m, name)->whole = false;
    return value;
}
