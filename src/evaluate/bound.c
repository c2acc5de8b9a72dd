// SPDX-License-Identifier: MIT
// The variational bound in bits per dimension, as improved-diffusion evaluates it. The predicted
// x_0 is held in -1..1, and every term is computed in double.
#include "base/alloc.h"
#include "base/error.h"
#include "evaluate/bits.h"
#include "ops/lib/discretised_gaussian.h"

#include <math.h>
#include <string.h>

static const double nats_of_bit = 0.69314718055994530942;

struct bound {
    struct fum_bits_run run;
    int timesteps;
    double *beta, *alpha_bar;    // [timesteps]
    bool learned, direct, large; // kinds of variances; direct: the network gives it itself
    float *xt, *out, *times;
};

// The numbers of one timestep.
struct levels {
    int t;
    double alpha_bar, signal, noise;
    double from_x0, from_xt; // the posterior's mean
    double least, most;      // logarithms of the smallest and the largest variance
};

// Returns the logarithm of the posterior's variance at t. That of the second step stands for the
// first one's, which is 0.
static double posterior_variance(const struct bound *b, int t) {
    if (!t && b->timesteps == 1) return log(b->beta[0]);
    if (!t) t = 1;
    return log(b->beta[t] * (1 - b->alpha_bar[t - 1]) / (1 - b->alpha_bar[t]));
}

static struct levels compute_levels(const struct bound *b, int t) {
    double before = t ? b->alpha_bar[t - 1] : 1, alpha_bar = b->alpha_bar[t], beta = b->beta[t];
    return (struct levels){.t = t,
                           .alpha_bar = alpha_bar,
                           .signal = sqrt(alpha_bar),
                           .noise = sqrt(1 - alpha_bar),
                           .from_x0 = beta * sqrt(before) / (1 - alpha_bar),
                           .from_xt = sqrt(1 - beta) * (1 - before) / (1 - alpha_bar),
                           .least = posterior_variance(b, t),
                           .most = log(beta)};
}

static double predict_start(const struct bound *b, const struct levels *l, double xt, double out) {
    double start = out;
    enum fum_prediction prediction = b->run.view->schedule.prediction_type;
    if (prediction == FUM_PREDICT_V) start = l->signal * xt - l->noise * out;
    if (prediction != FUM_PREDICT_V && prediction != FUM_PREDICT_SAMPLE)
        start = (xt - l->noise * out) / l->signal;
    return fmin(fmax(start, -1), 1);
}

// Returns the logarithm of the model's variance. `share` is what the network says of it.
static double model_variance(const struct bound *b, const struct levels *l, double share) {
    if (b->direct) return log(fmax(share, 1e-20));
    if (b->learned) return l->least + (share + 1) / 2 * (l->most - l->least);
    return b->large && l->t ? l->most : l->least;
}

// Returns the bound's term of one element, in nats.
static double element_term(const struct bound *b, const struct levels *l, const double values[4]) {
    double x0 = values[0], xt = values[1];
    double start = predict_start(b, l, xt, values[2]), v = model_variance(b, l, values[3]);
    double mean = l->from_x0 * start + l->from_xt * xt;
    if (!l->t) {
        double p = fum_discretised_bin_of(x0, mean, v / 2).probability;
        return -log(fmax(p, fum_discretised_least));
    }
    double distance = l->from_x0 * x0 + l->from_xt * xt - mean;
    return 0.5 * (v - l->least - 1 + exp(l->least - v) + distance * distance * exp(-v));
}

// Draws x_t of the batch and runs the network on it.
static enum fum_result evaluate_at(struct bound *b, const struct levels *l, struct fum_error *err) {
    struct fum_bits_run *run = &b->run;
    size_t count = (size_t)run->batch * run->numbers;
    const struct fum_bits_tensor noise = {"noise", b->timesteps};
    enum fum_result result = FUM_OK;
    if (run->replay)
        result = fum_bits_replay(run, noise, l->t, err);
    else
        fum_rng_normal(&run->rng, run->draws, count);
    for (size_t i = 0; i < count; i++)
        b->xt[i] = (float)(l->signal * (double)run->x[i] + l->noise * (double)run->draws[i]);
    for (int i = 0; i < run->batch; i++) b->times[i] = (float)l->t;
    const struct fum_network_point point = {b->xt, b->times, run->labels, NULL};
    return result ? result : fum_network_run(run->network, &point, b->out, err);
}

// Adds the batch's term at a timestep, in bits per dimension, summed over the pictures.
static enum fum_result add_term(struct bound *b, int t, double *sum, struct fum_error *err) {
    struct fum_bits_run *run = &b->run;
    const struct levels l = compute_levels(b, t);
    enum fum_result result = evaluate_at(b, &l, err);
    size_t channels = (size_t)run->channels, wide = channels * (b->learned ? 2 : 1);
    double nats = 0;
    for (size_t i = 0; i < run->used * run->numbers && !result; i++) {
        const float *out = b->out + i / channels * wide + i % channels;
        const double values[4] = {(double)run->x[i], (double)b->xt[i], (double)*out,
                                  b->learned ? (double)out[channels] : 0};
        nats += element_term(b, &l, values);
    }
    *sum += nats / nats_of_bit / (double)run->numbers;
    return result;
}

// Returns KL(q(x_T | x_0) || N(0, I)) of the batch in the same unit.
static double prior_term(const struct bound *b) {
    const struct fum_bits_run *run = &b->run;
    double alpha_bar = b->alpha_bar[b->timesteps - 1], v = log1p(-alpha_bar), nats = 0;
    for (size_t i = 0; i < run->used * run->numbers; i++)
        nats += 0.5 * (exp(v) - v - 1 + alpha_bar * (double)run->x[i] * (double)run->x[i]);
    return nats / nats_of_bit / (double)run->numbers;
}

// ---- all pictures ----

static enum fum_result open_bound(struct bound *b, struct fum_error *err) {
    const struct fum_bits_run *run = &b->run;
    const struct fum_sample_config *schedule = &run->view->schedule;
    size_t count = (size_t)run->batch * run->numbers, outputs = 0;
    if (fum_sample_config_continuous(schedule))
        return fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "%s: is a score model in continuous time, which has no such bound: use "
            "--likelihood",
            run->params->model);
    b->timesteps = fum_sample_config_timesteps(schedule);
    b->learned = run->view->unet.out_channels == 2 * run->channels;
    b->direct = b->learned && !strcmp(schedule->variance_type, "learned");
    b->large = !strcmp(schedule->variance_type, "fixed_large");
    outputs = count * (b->learned ? 2 : 1);
    b->beta = fum_calloc((size_t)b->timesteps, sizeof *b->beta);
    b->alpha_bar = fum_calloc((size_t)b->timesteps, sizeof *b->alpha_bar);
    b->xt = fum_calloc(count, sizeof *b->xt);
    b->out = fum_calloc(outputs, sizeof *b->out);
    b->times = fum_calloc((size_t)run->batch, sizeof *b->times);
    if (!b->beta || !b->alpha_bar || !b->xt || !b->out || !b->times)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the bound");
    enum fum_result result = fum_sample_config_levels(schedule, b->beta, b->alpha_bar, err);
    // In f32, as samplers have it, 1 - ᾱ loses digits where little noise is.
    double product = 1;
    for (int i = 0; i < b->timesteps; i++) b->alpha_bar[i] = product *= 1 - b->beta[i];
    const struct fum_bits_tensor noise = {"noise", b->timesteps};
    return result ? result : fum_bits_check(run, noise, err);
}

static enum fum_result add_batch(struct bound *b, size_t first, struct fum_bits_result *r,
                                 struct fum_error *err) {
    enum fum_result result = fum_bits_read(&b->run, first, err);
    double prior = result ? 0 : prior_term(b), terms = 0, last = 0;
    for (int t = b->timesteps - 1; t >= 0 && !result; t--) {
        last = terms;
        result = add_term(b, t, &terms, err);
    }
    r->bits += prior + terms;
    r->prior_bits += prior;
    r->first_bits += terms - last;
    return result ? result : fum_bits_report(&b->run, err);
}

enum fum_result fum_evaluate_bound(const struct fum_bits_params *params, struct fum_bits_result *r,
                                   struct fum_error *err) {
    struct bound b = {0};
    *r = (struct fum_bits_result){0};
    enum fum_result result = fum_bits_open(&b.run, params, false, err);
    if (!result) result = open_bound(&b, err);
    for (size_t first = 0; first < b.run.total && !result; first += (size_t)b.run.batch)
        result = add_batch(&b, first, r, err);
    double count = (double)b.run.total;
    r->count = b.run.total;
    r->evaluations = b.timesteps;
    if (!result) {
        r->bits /= count;
        r->prior_bits /= count;
        r->first_bits /= count;
    }
    fum_bits_close(&b.run);
    fum_free(b.beta);
    fum_free(b.alpha_bar);
    fum_free(b.xt);
    fum_free(b.out);
    fum_free(b.times);
    return result;
}
