// SPDX-License-Identifier: MIT
// Computes the requested measures of two sets, or all that they allow.
#include <fumarole/evaluate.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/why.h"
#include "evaluate/measures.h"
#include "evaluate/set.h"
#include "io/npy.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_SPLITS = 10, DEFAULT_SUBSETS = 100, DEFAULT_SUBSET = 1000 };

struct evaluation {
    const struct fum_evaluate_params *params;
    struct fum_set sets[2]; // REAL, FAKE
    struct fum_set_context context;
    struct fum_evaluate_result *result;
};

// ---- what each measure needs ----

// Checks that both sets have features of at least `least` samples, unless statistics suffice.
static bool has_samples(const struct evaluation *e, const char *measure, size_t least,
                        bool statistics_suffice, struct fum_why *why) {
    for (int i = 0; i < 2; i++) {
        const struct fum_set *set = &e->sets[i];
        if (!set->features && !statistics_suffice)
            return fum_refuse(why, "%s needs features of %s, but %s holds only mu and sigma",
                              measure, set->role, set->path);
        if (set->features && set->rows.count < least)
            return fum_refuse(why, "%s needs at least %zu samples; %s has %zu", measure, least,
                              set->role, set->rows.count);
    }
    return true;
}

static bool allows_fid(const struct evaluation *e, struct fum_why *why) {
    return has_samples(e, "FID", 2, true, why);
}

static bool allows_score(const struct evaluation *e, struct fum_why *why) {
    const struct fum_set *fake = &e->sets[1];
    if (!fake->logits)
        return fum_refuse(why, "the inception score needs logits of FAKE, which %s does not hold",
                          fake->path);
    if ((size_t)e->params->splits > fake->scores.count)
        return fum_refuse(why,
                          "%d splits of the inception score need as many samples; FAKE has %zu",
                          e->params->splits, fake->scores.count);
    return true;
}

static bool allows_kid(const struct evaluation *e, struct fum_why *why) {
    if (!has_samples(e, "KID", 2, false, why)) return false;
    size_t smaller = FUM_MIN(e->sets[0].rows.count, e->sets[1].rows.count);
    if (e->params->subset_size > 0 && (size_t)e->params->subset_size > smaller)
        return fum_refuse(why, "subsets of %d need as many samples; the smaller set has %zu",
                          e->params->subset_size, smaller);
    return true;
}

static bool allows_precision(const struct evaluation *e, struct fum_why *why) {
    return has_samples(e, "precision and recall", FUM_NEIGHBOUR + 1, false, why);
}

static bool allows_accuracy(const struct evaluation *e, struct fum_why *why) {
    const struct fum_set *fake = &e->sets[1];
    if (!fake->labels)
        return fum_refuse(why, "the accuracy needs a class of each picture; %s has none",
                          fake->path);
    size_t classes = (size_t)fake->classes, known = fake->logits ? fake->scores.width : 0;
    if (known != classes && !(fake->numbered && classes < known))
        return fum_refuse(why,
                          "the accuracy needs a classifier of the %d classes of %s; this one "
                          "knows %zu",
                          fake->classes, fake->path, known);
    return true;
}

// ---- the measures ----

static enum fum_result measure_fid(struct evaluation *e, struct fum_error *err) {
    struct fum_distribution distributions[2];
    for (int i = 0; i < 2; i++)
        distributions[i] = (struct fum_distribution){&e->sets[i].statistics, e->sets[i].rows};
    return fum_frechet_distance(distributions, &e->result->fid, err);
}

static enum fum_result measure_score(struct evaluation *e, struct fum_error *err) {
    const struct fum_rows *scores = &e->sets[1].scores;
    int splits = (int)FUM_MIN((size_t)DEFAULT_SPLITS, scores->count);
    if (e->params->splits) splits = e->params->splits;
    e->result->splits = splits;
    return fum_inception_score(scores, splits, &e->result->is_mean, &e->result->is_std, err);
}

static enum fum_result measure_kid(struct evaluation *e, struct fum_error *err) {
    const struct fum_rows rows[2] = {e->sets[0].rows, e->sets[1].rows};
    size_t smaller = FUM_MIN(rows[0].count, rows[1].count);
    size_t size = FUM_MIN(smaller, (size_t)DEFAULT_SUBSET);
    if (e->params->subset_size == FUM_EVALUATE_WHOLE) size = 0;
    if (e->params->subset_size > 0) size = (size_t)e->params->subset_size;
    const struct fum_kid_params params = {.subsets = e->params->subsets ? e->params->subsets
                                                                        : DEFAULT_SUBSETS,
                                          .size = size,
                                          .seed = e->params->seed};
    e->result->subset_size = (int)size;
    return fum_kernel_distance(rows, &params, &e->result->kid, err);
}

static enum fum_result measure_precision(struct evaluation *e, struct fum_error *err) {
    const struct fum_rows rows[2] = {e->sets[0].rows, e->sets[1].rows};
    return fum_precision_recall(rows, &e->result->precision, &e->result->recall, err);
}

static enum fum_result measure_accuracy(struct evaluation *e, struct fum_error *err) {
    const struct fum_set *fake = &e->sets[1];
    (void)err;
    e->result->accuracy = fum_accuracy(&fake->scores, fake->labels);
    return FUM_OK;
}

static const struct {
    unsigned bit;
    bool (*allows)(const struct evaluation *e, struct fum_why *why);
    enum fum_result (*measure)(struct evaluation *e, struct fum_error *err);
} measures[] = {
    {FUM_EVALUATE_FID, allows_fid, measure_fid},
    {FUM_EVALUATE_IS, allows_score, measure_score},
    {FUM_EVALUATE_KID, allows_kid, measure_kid},
    {FUM_EVALUATE_PR, allows_precision, measure_precision},
    {FUM_EVALUATE_ACCURACY, allows_accuracy, measure_accuracy},
};

// Checks that the requested measures can be computed; without a request, chooses those that can.
static enum fum_result choose_measures(struct evaluation *e, struct fum_error *err) {
    unsigned requested = e->params->measures;
    unsigned wanted = requested ? requested : FUM_EVALUATE_ALL, chosen = 0;
    struct fum_why why, first = {""};
    for (size_t i = 0; i < FUM_COUNT(measures); i++) {
        if (!(wanted & measures[i].bit)) continue;
        if (measures[i].allows(e, &why))
            chosen |= measures[i].bit;
        else if (!first.text[0])
            first = why;
    }
    e->result->measures = chosen;
    bool refused = requested ? chosen != requested : !chosen;
    return refused ? fum_error_set(err, FUM_ERR_ARG, "%s", first.text) : FUM_OK;
}

// ---- both sets ----

static enum fum_result check_widths(const struct evaluation *e, struct fum_error *err) {
    size_t real = e->sets[0].statistics.width, fake = e->sets[1].statistics.width;
    if (real == fake) return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "features of different networks? %s has %zu numbers each, %s has %zu",
                         e->sets[0].path, real, e->sets[1].path, fake);
}

static enum fum_result open_set(struct evaluation *e, int index, struct fum_error *err) {
    struct fum_set *set = &e->sets[index];
    set->role = index ? "FAKE" : "REAL";
    set->path = index ? e->params->fake : e->params->real;
    enum fum_result result = fum_set_open(set, &e->context, err);
    if (!result && set->features) result = fum_statistics_mean(&set->statistics, &set->rows, err);
    return result;
}

static enum fum_result save_statistics(struct evaluation *e, struct fum_error *err) {
    struct fum_set *real = &e->sets[0];
    struct fum_statistics *s = &real->statistics;
    if (real->features && real->rows.count < 2)
        return fum_error_set(err, FUM_ERR_ARG, "a covariance needs at least 2 samples; %s has 1",
                             real->path);
    enum fum_result result = fum_statistics_covariance(s, &real->rows, err);
    if (result) return result;
    const struct fum_npz_array arrays[] = {
        {"mu", s->mean, 1, {s->width}},
        {"sigma", s->covariance, 2, {s->width, s->width}},
    };
    return fum_npz_write(e->params->save_stats, arrays, FUM_COUNT(arrays), err);
}

static enum fum_result compare_sets(struct evaluation *e, struct fum_error *err) {
    enum fum_result result = check_widths(e, err);
    if (!result) result = choose_measures(e, err);
    for (size_t i = 0; i < FUM_COUNT(measures) && !result; i++)
        if (e->result->measures & measures[i].bit) result = measures[i].measure(e, err);
    return result;
}

// Chooses the more telling name where one set was given as statistics.
static void describe(const struct evaluation *e) {
    const struct fum_set *real = &e->sets[0], *fake = &e->sets[1];
    bool given = !strcmp(real->origin, "given") && fake->path;
    snprintf(e->result->features, sizeof e->result->features, "%s",
             given ? fake->origin : real->origin);
    e->result->real_count = real->rows.count;
    e->result->fake_count = fake->rows.count;
    e->result->width = real->statistics.width;
}

static enum fum_result check_params(const struct fum_evaluate_params *p, struct fum_error *err) {
    if (!p->real || (!p->fake && !p->save_stats))
        return fum_error_set(err, FUM_ERR_ARG, "two sets are needed, REAL and FAKE");
    if (p->splits < 0 || p->subsets < 0 || p->subset_size < FUM_EVALUATE_WHOLE ||
        p->subset_size == 1)
        return fum_error_set(err, FUM_ERR_ARG,
                             "splits and subsets must be positive, and subsets hold at least 2");
    return FUM_OK;
}

enum fum_result fum_evaluate(const struct fum_evaluate_params *params,
                             struct fum_evaluate_result *result, struct fum_error *err) {
    struct evaluation e = {.params = params, .result = result, .context = {.params = params}};
    *result = (struct fum_evaluate_result){0};
    enum fum_result done = check_params(params, err);
    if (!done) done = open_set(&e, 0, err);
    if (!done && params->fake) done = open_set(&e, 1, err);
    if (!done && params->save_stats) done = save_statistics(&e, err);
    if (!done && params->fake) done = compare_sets(&e, err);
    if (!done) describe(&e);
    for (int i = 0; i < 2; i++) fum_set_free(&e.sets[i]);
    fum_features_close(&e.context.network);
    return done;
}
