// SPDX-License-Identifier: MIT
// Builds DDIM from the picture to the noise, as diffusers' DDIMInverseScheduler. It visits the
// timesteps of DDIM from the cleanest on, each for the noise level that the step leads to.
#include "sample/builder.h"

#include "base/error.h"

#include <math.h>

// The noise levels that a step leads between: x = alpha x0 + sigma epsilon.
struct levels {
    double from_alpha, from_sigma, to_alpha, to_sigma;
};

// Sets the update by the model's output itself: x0 and epsilon are linear in it and x. This also
// holds for a picture without noise, from which epsilon cannot be derived.
static void set_linear(const struct fum_sample_builder *builder, struct fum_sample_eval *ev,
                       const struct levels *l) {
    ev->b = 1;
    switch (builder->c.prediction_type) {
    case FUM_PREDICT_V:
        ev->m[0][0] = l->to_alpha * l->from_alpha + l->to_sigma * l->from_sigma;
        ev->m[0][FUM_SAMPLE_D] = l->to_sigma * l->from_alpha - l->to_alpha * l->from_sigma;
        break;
    case FUM_PREDICT_SAMPLE:
        ev->m[0][0] = l->to_sigma / l->from_sigma;
        ev->m[0][FUM_SAMPLE_D] = l->to_alpha - l->to_sigma * l->from_alpha / l->from_sigma;
        break;
    case FUM_PREDICT_EPSILON:
    case FUM_PREDICT_UNSET:
        ev->m[0][0] = l->to_alpha / l->from_alpha;
        ev->m[0][FUM_SAMPLE_D] = l->to_sigma - l->to_alpha * l->from_sigma / l->from_alpha;
        break;
    }
}

// Sets the update by x0, which is clamped, and by epsilon, which follows from it before that.
static void set_clipped(const struct fum_sample_builder *builder, struct fum_sample_eval *ev,
                        const struct levels *l) {
    double direction = l->to_sigma / l->from_sigma; // times (x - alpha x0)
    fum_sample_build_denoise_vp(builder, ev, l->from_alpha, l->from_sigma);
    ev->clip = builder->c.clip_sample_range;
    ev->m[0][0] = direction;
    ev->m[0][FUM_SAMPLE_D] = l->to_alpha;
    ev->m[0][FUM_SAMPLE_RAW] = -direction * l->from_alpha;
}

bool fum_build_ddim_inverse(struct fum_sample_builder *builder) {
    const float *alpha_bar = builder->noise.alpha_bar;
    double initial = builder->c.set_alpha_to_one == FUM_SWITCH_ON ? 1 : alpha_bar[0];
    if (!fum_sample_build_reserve(builder, builder->steps, 1)) return false;
    for (int i = 0; i < builder->steps; i++) {
        int t = (int)builder->t[builder->steps - 1 - i];
        if (t < 0 || t >= builder->noise.count) {
            fum_error_set(builder->err, FUM_ERR_ARG,
                          "step %d of the inversion falls on timestep %d, outside the model's %d: "
                          "use fewer steps",
                          i, t, builder->noise.count);
            return false;
        }
        int from = t - builder->noise.count / builder->steps;
        double before = from >= 0 ? alpha_bar[from] : initial;
        const struct levels levels = {sqrt(before), sqrt(1 - before), sqrt(alpha_bar[t]),
                                      sqrt(1 - alpha_bar[t])};
        struct fum_sample_eval *ev = fum_sample_build_eval(builder, t, i);
        ev->c_in = 1;
        if (builder->c.clip_sample == FUM_SWITCH_ON && before < 1)
            set_clipped(builder, ev, &levels);
        else
            set_linear(builder, ev, &levels);
    }
    return true;
}
