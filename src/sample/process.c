// SPDX-License-Identifier: MIT
#include "sample/process.h"

#include "base/error.h"
#include "sample/builder.h"

#include <math.h>
#include <string.h>

static const double time_scale = 999; // of the preserving process's network

// What diffusers' classes have where a scheduler's settings lack a number. The corrector of the
// preserving process, which diffusers lacks, is that of the paper's code.
static const struct fum_process preserving = {
    .beta_min = 0.1, .beta_max = 20, .eps = 1e-3, .snr = 0.16, .correct_steps = 1};
static const struct fum_process exploding = {.exploding = true,
                                             .sigma_min = 0.01,
                                             .sigma_max = 1348,
                                             .eps = 1e-5,
                                             .snr = 0.15,
                                             .correct_steps = 1};

static bool is_in_range(const struct fum_process *p) {
    bool good = p->eps > 0 && p->eps < 1 && p->snr > 0 && p->snr <= 1e3 && p->correct_steps <= 100;
    if (p->exploding) return good && p->sigma_min > 0 && p->sigma_max > p->sigma_min;
    return good && p->beta_min >= 0 && p->beta_max > 0;
}

static void set_number(double *number, double given) {
    if (!isnan(given)) *number = given;
}

enum fum_result fum_process_read(struct fum_process *p, const struct fum_sample_config *c,
                                 struct fum_error *err) {
    if (!fum_sample_config_continuous(c))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "the model has timesteps: it is no score model, as train score makes");
    *p = strcmp(c->class_name, "ScoreSdeVeScheduler") ? preserving : exploding;
    set_number(&p->beta_min, c->beta_min);
    set_number(&p->beta_max, c->beta_max);
    set_number(&p->sigma_min, c->sigma_min);
    set_number(&p->sigma_max, c->sigma_max);
    set_number(&p->eps, c->sampling_eps);
    set_number(&p->snr, c->snr);
    if (c->correct_steps >= 0) p->correct_steps = c->correct_steps;
    if (is_in_range(p)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "scheduler_config.json: the numbers of %s are out of range",
                         c->class_name);
}

static struct fum_process_levels exploding_at(const struct fum_process *p, double t) {
    double slope = log(p->sigma_max / p->sigma_min), sigma = p->sigma_min * exp(t * slope);
    return (struct fum_process_levels){
        .diffusion = sigma * sqrt(2 * slope), .deviation = sigma, .time = sigma, .score = 1};
}

struct fum_process_levels fum_process_at(const struct fum_process *p, double t) {
    if (p->exploding) return exploding_at(p, t);
    double beta = p->beta_min + t * (p->beta_max - p->beta_min);
    double sum = p->beta_min * t + 0.5 * (p->beta_max - p->beta_min) * t * t;
    double deviation = sqrt(-expm1(-sum));
    return (struct fum_process_levels){.drift = -0.5 * beta,
                                       .diffusion = sqrt(beta),
                                       .deviation = deviation,
                                       .time = time_scale * t,
                                       .score = -1 / deviation};
}

double fum_process_prior_deviation(const struct fum_process *p) {
    return p->exploding ? p->sigma_max : 1;
}
