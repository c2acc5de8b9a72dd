// SPDX-License-Identifier: MIT
// Building a program evaluation by evaluation.
#include "sample/plan.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>

bool fum_plan_reserve(struct fum_sample_plan *plan, int evals, int slots) {
    struct fum_sample_program *p = plan->program;
    p->eval = fum_calloc((size_t)evals, sizeof *p->eval);
    if (!p->eval) {
        fum_error_set(plan->err, FUM_ERR_NOMEM, "no memory for %d model evaluations of a sampler",
                      evals);
        return false;
    }
    p->slots = slots;
    return true;
}

struct fum_sample_eval *fum_plan_eval(struct fum_sample_plan *plan, double timestep, int step) {
    struct fum_sample_program *p = plan->program;
    struct fum_sample_eval *ev = &p->eval[p->evals];
    ev->timestep = timestep;
    ev->c_in = 1;
    ev->noise_row = -1;
    ev->step = step;
    ev->step_end = true;
    if (p->evals > 0) p->eval[p->evals - 1].step_end = p->eval[p->evals - 1].step != step;
    p->evals++;
    p->steps = step + 1;
    return ev;
}

double fum_plan_alpha(const struct fum_sample_plan *plan, double ratio) {
    return plan->edm ? 1 : 1 / sqrt(ratio * ratio + 1);
}

void fum_plan_ancestral(const struct fum_sample_plan *plan, double from, double to, double *down,
                        double *up) {
    *up = fmin(to, plan->eta * sqrt(to * to * (from * from - to * to) / (from * from)));
    *down = plan->eta > 0 ? sqrt(fmax(to * to - *up * *up, 0)) : to;
}

void fum_plan_noise(struct fum_sample_plan *plan, struct fum_sample_eval *ev, int k,
                    double weight) {
    ev->noise_row = plan->program->noise_rows++;
    ev->m[k][FUM_SAMPLE_NOISE] = weight;
}

void fum_plan_denoise_sigma(const struct fum_sample_plan *plan, struct fum_sample_eval *ev,
                            double sigma) {
    double data = plan->edm ? plan->c.sigma_data : 1, norm = sigma * sigma + data * data;
    ev->c_in = 1 / sqrt(norm);
    // Karras et al. (2022), table 1
    if (plan->edm && plan->c.prediction_type != FUM_PREDICT_SAMPLE) {
        ev->a = data * data / norm;
        ev->b = (plan->c.prediction_type == FUM_PREDICT_V ? -sigma : sigma) * data / sqrt(norm);
    } else if (plan->c.prediction_type == FUM_PREDICT_EPSILON) {
        ev->a = 1;
        ev->b = -sigma;
    } else if (plan->c.prediction_type == FUM_PREDICT_V) {
        ev->a = 1 / norm;
        ev->b = -sigma / sqrt(norm);
    } else {
        ev->b = 1;
    }
}

void fum_plan_denoise_vp(const struct fum_sample_plan *plan, struct fum_sample_eval *ev,
                         double alpha, double sigma) {
    if (plan->edm) {
        fum_plan_denoise_sigma(plan, ev, sigma);
    } else if (plan->c.prediction_type == FUM_PREDICT_EPSILON) {
        ev->a = 1 / alpha;
        ev->b = -sigma / alpha;
    } else if (plan->c.prediction_type == FUM_PREDICT_V) {
        ev->a = alpha;
        ev->b = -sigma;
    } else {
        ev->b = 1;
    }
}
