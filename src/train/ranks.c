// SPDX-License-Identifier: MIT
// Trains with other ranks: each computes its part of every batch, and all make the same update.
//
// A step has two stages then. FUM_STAGE_STEP ends with the gradients and the terms of the loss. The
// host reads these, sums them over the ranks and writes the inputs of FUM_STAGE_SHORT, the update.
#include "train/training.h"

#include <stdio.h>

#include "base/error.h"
#include "base/macros.h"
#include "exec/executable.h"

// The numbers that are exchanged in one call, where single tensors are no larger.
enum { EXCHANGED = 1 << 22 };

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
    now->sums[now->num_sums++] = (struct fum_train_sum){value, sum};
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

// Some tensors whose values lie in one buffer.
struct group {
    const struct fum_train_sum *sums;
    int count;
    size_t values;
};

// Returns the tensors from `first` on that fit into a call.
static struct group find_group(const struct fum_train_recording *now, int first) {
    struct group group = {.sums = now->sums + first};
    while (first + group.count < now->num_sums) {
        size_t more = count_of(now->sums[first + group.count].own);
        if (group.count && group.values + more > EXCHANGED) break;
        group.values += more;
        group.count++;
    }
    return group;
}

// Sums the tensors of a group. The values begin with those that `buffer` has already.
static enum fum_result sum_group(struct fum_training *t, const struct group *group, float *buffer,
                                 struct fum_error *err) {
    fum_executable *exe = t->now->executable;
    enum fum_result result = FUM_OK;
    float *at = buffer;
    for (int i = 0; i < group->count && !result; i++) {
        size_t count = count_of(group->sums[i].own);
        result = fum_executable_read(exe, group->sums[i].own, at, count, err);
        at += count;
    }
    // The last number is above 0 if a rank's caller ends the run.
    *at = t->wants_end ? 1 : 0;
    if (!result) result = add_up(t, buffer, group->values + 1, err);
    if (*at > 0) t->ends = true;
    at = buffer;
    for (int i = 0; i < group->count && !result; i++) {
        size_t count = count_of(group->sums[i].own);
        result = fum_executable_write(exe, group->sums[i].sum, at, count, err);
        at += count;
    }
    return result;
}

enum fum_result fum_train_exchange(struct fum_training *t, struct fum_error *err) {
    size_t most = 0;
    for (int i = 0; i < t->now->num_sums;) {
        struct group group = find_group(t->now, i);
        most = FUM_MAX(most, group.values);
        i += group.count;
    }
    float *buffer = fum_alloc(most + 1, sizeof *buffer);
    enum fum_result result =
        buffer ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory to exchange gradients");
    for (int i = 0; i < t->now->num_sums && !result;) {
        struct group group = find_group(t->now, i);
        result = sum_group(t, &group, buffer, err);
        i += group.count;
    }
    fum_free(buffer);
    return result;
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
