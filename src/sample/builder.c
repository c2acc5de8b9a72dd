// SPDX-License-Identifier: MIT
// Builds a program evaluation by evaluation.
#include "sample/builder.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>

bool fum_sample_build_reserve(struct fum_sample_builder *builder, int evals, int history) {
    struct fum_sample_program *p = builder->program;
    p->eval = fum_calloc((size_t)evals, sizeof *p->eval);
    if (!p->eval) {
        fum_error_set(builder->err, FUM_ERR_NOMEM,
                      "no memory for %d model evaluations of a sampler", evals);
        return false;
    }
    p->history = history;
    return true;
}

struct fum_sample_eval *fum_sample_build_eval(struct fum_sample_builder *builder, double timestep,
                                              int step) {
    struct fum_sample_program *p = builder->program;
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

double fum_sample_build_alpha(const struct fum_sample_builder *builder, double ratio) {
    return builder->edm ? 1 : 1 / sqrt(ratio * ratio + 1);
}

void fum_sample_build_ancestral(const struct fum_sample_builder *builder, double from, double to,
                                double *down, double *up) {
    *up = fmin(to, builder->eta * sqrt(to * to * (from * from - to * to) / (from * from)));
    *down = builder->eta > 0 ? sqrt(fmax(to * to - *up * *up, 0)) : to;
}

void fum_sample_build_noise(struct fum_sample_builder *builder, struct fum_sample_eval *ev, int k,
                            double weight) {
    ev->noise_row = builder->program->noise_rows++;
    ev->m[k][FUM_SAMPLE_NOISE] = weight;
}

void fum_sample_build_guide(const struct fum_sample_builder *builder, struct fum_sample_eval *ev,
                            double alpha, double sigma) {
    switch (builder->c.prediction_type) {
    case FUM_PREDICT_V: ev->guide = -sigma / alpha; break;
    case FUM_PREDICT_SAMPLE: ev->guide = sigma * sigma / alpha; break;
    case FUM_PREDICT_EPSILON:
    case FUM_PREDICT_UNSET: ev->guide = -sigma; break;
    }
}

// Sets D for a preconditioned model of state = x0 + ratio * noise, divided by `scale`. The time is
// that of the ratio.
static void precondition(struct fum_sample_eval *ev, double ratio, double scale) {
    double norm = ratio * ratio + 1;
    ev->timestep = 0.25 * log(ratio);
    ev->a = scale / norm;
    ev->b = ratio / sqrt(norm);
}

void fum_sample_build_denoise_sigma(const struct fum_sample_builder *builder,
                                    struct fum_sample_eval *ev, double sigma) {
    double data = builder->edm ? builder->c.sigma_data : 1, norm = sigma * sigma + data * data;
    ev->c_in = 1 / sqrt(norm);
    ev->image_level = 1;
    ev->noise_level = sigma;
    if (!builder->edm) fum_sample_build_guide(builder, ev, 1 / sqrt(norm), sigma / sqrt(norm));
    // Karras et al. (2022), table 1
    if (builder->c.preconditioned) {
        precondition(ev, sigma, 1);
    } else if (builder->edm && builder->c.prediction_type != FUM_PREDICT_SAMPLE) {
        ev->a = data * data / norm;
        ev->b = (builder->c.prediction_type == FUM_PREDICT_V ? -sigma : sigma) * data / sqrt(norm);
    } else if (builder->c.prediction_type == FUM_PREDICT_EPSILON) {
        ev->a = 1;
        ev->b = -sigma;
    } else if (builder->c.prediction_type == FUM_PREDICT_V) {
        ev->a = 1 / norm;
        ev->b = -sigma / sqrt(norm);
    } else {
        ev->b = 1;
    }
}

void fum_sample_build_denoise_vp(const struct fum_sample_builder *builder,
                                 struct fum_sample_eval *ev, double alpha, double sigma) {
    if (!builder->edm) fum_sample_build_guide(builder, ev, alpha, sigma);
    ev->image_level = alpha;
    ev->noise_level = sigma;
    if (builder->edm) {
        fum_sample_build_denoise_sigma(builder, ev, sigma);
    } else if (builder->c.preconditioned) {
        precondition(ev, sigma / alpha, 1 / alpha);
    } else if (builder->c.prediction_type == FUM_PREDICT_EPSILON) {
        ev->a = 1 / alpha;
        ev->b = -sigma / alpha;
    } else if (builder->c.prediction_type == FUM_PREDICT_V) {
        ev->a = alpha;
        ev->b = -sigma;
    } else {
        ev->b = 1;
    }
}
