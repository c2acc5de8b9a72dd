// SPDX-License-Identifier: MIT
// Computes the guidance of every evaluation: only between some steps, and as CFG++ has it.
#include "base/error.h"
#include "base/number.h"
#include "pipeline/pipeline.h"

#include <math.h>

bool fum_guidance_plus(const struct fum_generate_params *params) {
    return params->guidance_method.plus || fum_sampler_is_plus(params->sampler);
}

bool fum_guidance_same(const struct fum_guidance_params *a, const struct fum_guidance_params *b) {
    // Only what the graph is built from; ranges and scales of perturbations are in its inputs.
    return a->rescale == b->rescale && a->projected == b->projected && a->apg_eta == b->apg_eta &&
           a->apg_momentum == b->apg_momentum && a->apg_norm == b->apg_norm &&
           a->mimic_scale == b->mimic_scale && a->mimic_percentile == b->mimic_percentile &&
           (a->pag_scale != 0) == (b->pag_scale != 0) &&
           (a->slg_scale != 0) == (b->slg_scale != 0) && a->pag_layers == b->pag_layers &&
           a->slg_layers == b->slg_layers;
}

enum fum_result fum_guidance_check(const struct fum_run *run, struct fum_error *err) {
    const struct fum_guidance_params *p = &run->params->guidance_method;
    if (!(p->begin >= 0 && p->begin <= p->end && p->end <= 1))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the guided steps, %g to %g, must be shares from 0 to 1, in order",
                             (double)p->begin, (double)p->end);
    for (int e = 0; e < run->program->evals && fum_guidance_plus(run->params); e++)
        if (run->program->eval[e].plus <= 0)
            return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                 "CFG++ is of the samplers euler, euler_a and ddim, not of %s",
                                 run->program->sampler);
    return FUM_OK;
}

float fum_guidance_on(const struct fum_run *run, int eval) {
    const struct fum_guidance_params *p = &run->params->guidance_method;
    int step = run->program->eval[eval].step, steps = run->program->steps;
    if (p->begin == 0 && p->end == 0) return 1;
    return step >= (int)(fum_number_widen(p->begin) * steps) &&
           step < (int)(fum_number_widen(p->end) * steps);
}

float fum_guidance_at(const struct fum_run *run, int eval) {
    if (fum_guidance_on(run, eval) == 0) return 1;
    if (!fum_guidance_plus(run->params)) return run->guidance;
    return (float)((double)run->guidance * run->program->eval[eval].plus);
}
