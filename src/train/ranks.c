// SPDX-License-Identifier: MIT
// Trains with other ranks: each computes its part of every batch, and all make the same update.
//
// A step has two stages then. FUM_STAGE_STEP computes the gradients and the terms of the loss. The
// host takes these in groups, sums them over the ranks and gives the sums to FUM_STAGE_SHORT, the
// update. The first groups are those of the last layers: they are summed while the device computes
// the gradients of the layers before.
#include "train/training.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "exec/executable.h"
#include "graph/graph.h"

// The groups of a step, where they get the sizes below.
enum { GROUPS = 8 };
// The values of a group: an exchange of fewer takes as long, and more need memory. A single tensor
// may be larger.
enum { FEWEST_VALUES = 1 << 10, MOST_VALUES = 1 << 22 };

bool fum_train_is_first(const struct fum_training *t) {
    return t->ranks.index == 0;
}

bool fum_train_is_ranked(const struct fum_training *t) {
    return t->ranks.count > 1;
}

// ---- parts of a batch ----

enum fum_result fum_train_divide_batch(struct fum_training *t, struct fum_error *err) {
    int64_t batch = t->options.batch, index = t->ranks.index, count = t->ranks.count;
    if (batch < count)
        return fum_error_set(err, FUM_ERR_ARG,
                             "train.batch is %lld, but each of %lld ranks needs a sample of it",
                             (long long)batch, (long long)count);
    t->part.first = (int)(batch * index / count);
    t->part.count = (int)(batch * (index + 1) / count) - t->part.first;
    t->part.of = (int)batch;
    t->rows = t->part.count;
    return FUM_OK;
}

int fum_train_whole_rows(const struct fum_training *t) {
    return t->rows / t->part.count * t->part.of;
}

double fum_train_share_of_batch(const struct fum_training *t) {
    return (double)t->part.count / t->part.of;
}

// ---- sums ----

fum_tensor *fum_train_sum(struct fum_training *t, fum_tensor *value) {
    struct fum_train_recording *now = t->now;
    char name[32];
    if (!value || !fum_train_is_ranked(t)) return value;
    if (!fum_grow((void **)&now->sums, &now->sum_capacity, (size_t)now->num_sums,
                  sizeof *now->sums)) {
        fum_graph_fail(now->graph, FUM_ERR_NOMEM, "no memory for the sums of ranks");
        return NULL;
    }
    snprintf(name, sizeof name, "rank_sum.%d", now->num_sums);
    fum_graph_output(now->graph, value, name);
    fum_tensor *sum = fum_graph_input(now->graph, name, fum_tensor_shape(value),
                                      fum_tensor_dtype(value), FUM_STAGE_SHORT);
    now->sums[now->num_sums++] = (struct fum_handover_item){.out = value, .in = sum};
    return sum;
}

static size_t count_of(const fum_tensor *value) {
    struct fum_shape shape = fum_tensor_shape(value);
    return (size_t)fum_shape_count(&shape);
}

// Adds up values over the ranks.
static enum fum_result add_up(struct fum_training *t, float *values, size_t count,
                              struct fum_error *err) {
    if (t->ranks.sum(t->ranks.user, values, count)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_IO,
                         "step %lld: another rank is gone, or the exchange with it failed",
                         (long long)t->step + 1);
}

static int compare_order(const void *x, const void *y) {
    const struct fum_handover_item *a = x, *b = y;
    return (a->out->id > b->out->id) - (a->out->id < b->out->id);
}

struct fum_handover fum_train_group_sums(struct fum_training *t) {
    struct fum_train_recording *now = t->now;
    size_t all = 0, values = 0, most;
    int group = 0;
    for (int i = 0; i < now->num_sums; i++) all += count_of(now->sums[i].out);
    most = FUM_MAX((size_t)FEWEST_VALUES, FUM_MIN(all / GROUPS, (size_t)MOST_VALUES));
    // The order of the graph is that in which values are computed. All ranks have the same.
    if (now->num_sums) qsort(now->sums, (size_t)now->num_sums, sizeof *now->sums, compare_order);
    for (int i = 0; i < now->num_sums; i++) {
        size_t count = count_of(now->sums[i].out);
        if (values && values + count > most) {
            group++;
            values = 0;
        }
        values += count;
        now->sums[i].group = group;
        now->most_summed = FUM_MAX(now->most_summed, values);
    }
    now->num_groups = now->num_sums ? group + 1 : 0;
    return (struct fum_handover){now->sums, now->num_sums};
}

static size_t values_of(const struct fum_train_recording *now, int group) {
    size_t values = 0;
    for (int i = 0; i < now->num_sums; i++)
        if (now->sums[i].group == group) values += count_of(now->sums[i].out);
    return values;
}

// Sums the values of a group, which the device has computed. `buffer` has room for them.
static enum fum_result sum_group(struct fum_training *t, int group, float *buffer,
                                 struct fum_error *err) {
    fum_executable *exe = t->now->executable;
    size_t values = values_of(t->now, group);
    enum fum_result result = fum_executable_take_group(exe, group, buffer, err);
    // The last number is above 0 if a rank's caller ends the run.
    buffer[values] = t->wants_end ? 1 : 0;
    if (!result) result = add_up(t, buffer, values + 1, err);
    if (!result && buffer[values] > 0) t->ends = true;
    return result ? result : fum_executable_give_group(exe, group, buffer, err);
}

// Sums all groups. The time of a sum counts as hidden if the device was still busy after it.
static enum fum_result sum_groups(struct fum_training *t, float *buffer, struct fum_error *err) {
    static const double instant = 1e-4;
    double before = 0; // seconds of sums since the last wait
    enum fum_result result = FUM_OK;
    for (int g = 0; g < t->now->num_groups && !result; g++) {
        double begin = fum_time_now();
        result = fum_executable_wait_group(t->now->executable, g, err);
        double ready = fum_time_now();
        if (ready - begin > instant) {
            t->hidden_seconds += before;
            before = 0;
        }
        if (!result) result = sum_group(t, g, buffer, err);
        before += fum_time_now() - ready;
        t->sum_seconds += fum_time_now() - ready;
    }
    return result;
}

enum fum_result fum_train_run_gradients(struct fum_training *t, struct fum_error *err) {
    uint64_t ticket = 0;
    float *buffer = fum_alloc(t->now->most_summed + 1, sizeof *buffer);
    if (!buffer) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to exchange gradients");
    enum fum_result result =
        fum_executable_submit(t->now->executable, FUM_STAGE_STEP, &ticket, err);
    if (!result) result = sum_groups(t, buffer, err);
    fum_free(buffer);
    if (!ticket) return result;
    if (!result) return fum_device_wait(t->device, ticket, err);
    fum_device_wait(t->device, ticket, NULL); // the first failure is the one to report
    return result;
}

void fum_train_log_exchange(const struct fum_training *t) {
    if (t->sum_seconds <= 0) return;
    fum_log(t->params.log, FUM_LOG_INFO,
            "rank %d: %d exchanges in each step, %.2f s in all, of which at least %.0f %% beside "
            "the backward pass",
            t->ranks.index, t->now->num_groups, t->sum_seconds,
            100 * t->hidden_seconds / t->sum_seconds);
}

// ---- meetings ----

enum fum_result fum_train_meet(struct fum_training *t, struct fum_error *err) {
    float one = 1;
    return fum_train_is_ranked(t) ? add_up(t, &one, 1, err) : FUM_OK;
}

// Adds to a checksum that stays a whole number of f32.
static void hash_number(float *sum, uint64_t number) {
    uint64_t mixed = ((uint64_t)*sum * 31 + number % 65521) % 65521;
    *sum = (float)mixed;
}

enum fum_result fum_train_compare_ranks(struct fum_training *t, struct fum_error *err) {
    if (!fum_train_is_ranked(t)) return FUM_OK;
    float own = 0;
    hash_number(&own, (uint64_t)t->step);
    hash_number(&own, (uint64_t)t->now->num_sums);
    for (size_t i = 0; i < t->settings.count; i++)
        for (const char *at = t->settings.items[i].value; *at; at++)
            hash_number(&own, (unsigned char)*at);
    float sum = own;
    enum fum_result result = add_up(t, &sum, 1, err);
    if (!result && sum != own * (float)t->ranks.count)
        result = fum_error_set(err, FUM_ERR_ARG,
                               "the ranks have different settings, or checkpoints of different "
                               "steps: all must see the same files");
    return result;
}
