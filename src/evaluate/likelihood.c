// SPDX-License-Identifier: MIT
// The likelihood of a score model (Song et al. 2021). Pictures move along the probability flow to
// the noise, whose likelihood is known. The divergence of the flow is added up on the way.
#include "base/alloc.h"
#include "base/error.h"
#include "evaluate/bits.h"
#include "sample/runge_kutta.h"

#include <math.h>

static const double nats_of_bit = 0.69314718055994530942, pi = 3.14159265358979323846;
static const double default_tolerance = 1e-5;

struct flow {
    struct fum_bits_run run;
    struct fum_process process;
    double *state; // [batch · numbers], then the divergence of each picture so far
    float *x, *out, *slope, *times;
};

// Stores the rate of the pictures, drift · x - ½ diffusion² · score, and the divergence of it.
static enum fum_result flow_rate(void *user, double t, const double *state, double *rate,
                                 struct fum_error *err) {
    struct flow *f = user;
    const struct fum_bits_run *run = &f->run;
    size_t batch = (size_t)run->batch, count = batch * run->numbers;
    const struct fum_process_levels l = fum_process_at(&f->process, t);
    double factor = -0.5 * l.diffusion * l.diffusion * l.score;
    for (size_t i = 0; i < count; i++) f->x[i] = (float)state[i];
    for (size_t i = 0; i < batch; i++) f->times[i] = (float)l.time;
    const struct fum_network_point point = {f->x, f->times, run->labels, run->draws};
    enum fum_result result = fum_network_slope(run->network, &point, f->out, f->slope, err);
    for (size_t i = 0; i < batch; i++) rate[count + i] = 0;
    for (size_t i = 0; i < count; i++) {
        double eps = (double)run->draws[i];
        rate[i] = l.drift * state[i] + factor * (double)f->out[i];
        rate[count + i / run->numbers] += l.drift * eps * eps + factor * eps * (double)f->slope[i];
    }
    return result;
}

// Draws the signs of the batch.
static enum fum_result draw_signs(struct fum_bits_run *run, struct fum_error *err) {
    size_t count = (size_t)run->batch * run->numbers;
    if (run->replay) return fum_bits_replay(run, (struct fum_bits_tensor){"eps", 0}, 0, err);
    fum_rng_uniform(&run->rng, run->draws, count);
    for (size_t i = 0; i < count; i++) run->draws[i] = run->draws[i] < 0.5f ? -1 : 1;
    return FUM_OK;
}

// Adds the batch's log-likelihoods in nats, and what the noise alone has.
static void add_likelihoods(const struct flow *f, double *all, double *prior) {
    const struct fum_bits_run *run = &f->run;
    double deviation = fum_process_prior_deviation(&f->process);
    double level = 0.5 * log(2 * pi * deviation * deviation);
    for (size_t i = 0; i < run->used; i++) {
        double log_p = 0;
        for (size_t k = 0; k < run->numbers; k++) {
            double z = f->state[i * run->numbers + k] / deviation;
            log_p -= 0.5 * z * z + level;
        }
        *prior += log_p;
        *all += log_p + f->state[(size_t)run->batch * run->numbers + i];
    }
}

static enum fum_result add_batch(struct flow *f, size_t first, struct fum_bits_result *r,
                                 struct fum_error *err) {
    struct fum_bits_run *run = &f->run;
    size_t batch = (size_t)run->batch, count = batch * run->numbers;
    const double tolerance =
        run->params->tolerance > 0 ? run->params->tolerance : default_tolerance;
    struct fum_ode_cost cost = {0};
    enum fum_result result = fum_bits_read(run, first, err);
    if (!result) result = draw_signs(run, err);
    for (size_t i = 0; i < count; i++) f->state[i] = (double)run->x[i];
    for (size_t i = 0; i < batch; i++) f->state[count + i] = 0;
    const struct fum_ode ode = {.count = count + batch,
                                .rate = flow_rate,
                                .user = f,
                                .from = f->process.eps,
                                .to = 1,
                                .tolerance = tolerance};
    if (!result) result = fum_ode_solve(&ode, f->state, &cost, err);
    if (!result) add_likelihoods(f, &r->log_p, &r->prior_bits);
    r->evaluations += cost.evaluations * (int)run->used;
    return result ? result : fum_bits_report(run, err);
}

static enum fum_result open_flow(struct flow *f, struct fum_error *err) {
    const struct fum_bits_run *run = &f->run;
    size_t batch = (size_t)run->batch, count = batch * run->numbers;
    enum fum_result result = fum_process_read(&f->process, &run->view->schedule, err);
    if (!result) result = fum_bits_check(run, (struct fum_bits_tensor){"eps", 0}, err);
    if (result) return result;
    f->state = fum_calloc(count + batch, sizeof *f->state);
    f->x = fum_calloc(count, sizeof *f->x);
    f->out = fum_calloc(count, sizeof *f->out);
    f->slope = fum_calloc(count, sizeof *f->slope);
    f->times = fum_calloc(batch, sizeof *f->times);
    if (f->state && f->x && f->out && f->slope && f->times) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the likelihood");
}

// Turns sums of nats into the report.
static void finish(const struct flow *f, struct fum_bits_result *r) {
    double count = (double)f->run.total, each = count * (double)f->run.numbers * nats_of_bit;
    // A level is 1/256 wide where pictures are in 0..1, and 2/256 in -1..1.
    double level_bits = f->run.view->traits.unit_pixels ? 8 : 7;
    r->bits = level_bits - r->log_p / each;
    r->prior_bits = -r->prior_bits / each;
    r->log_p /= count;
    r->evaluations = (int)(r->evaluations / count);
    r->count = f->run.total;
}

enum fum_result fum_evaluate_likelihood(const struct fum_bits_params *params,
                                        struct fum_bits_result *r, struct fum_error *err) {
    struct flow f = {0};
    *r = (struct fum_bits_result){0};
    enum fum_result result = fum_bits_open(&f.run, params, true, err);
    if (!result) result = open_flow(&f, err);
    for (size_t first = 0; first < f.run.total && !result; first += (size_t)f.run.batch)
        result = add_batch(&f, first, r, err);
    if (!result) finish(&f, r);
    fum_bits_close(&f.run);
    fum_free(f.state);
    fum_free(f.x);
    fum_free(f.out);
    fum_free(f.slope);
    fum_free(f.times);
    return result;
}
