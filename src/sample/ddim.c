// SPDX-License-Identifier: MIT
// Samplers on whole training timesteps with alpha_bar: ddpm, ddim, lcm.
#include "sample/plan.h"

#include "base/error.h"

#include <math.h>

static bool check_times(const struct fum_sample_plan *plan) {
    for (int i = plan->start; i < plan->steps; i++) {
        if (plan->t[i] < 0 || plan->t[i] >= plan->train) {
            fum_error_set(plan->err, FUM_ERR_ARG,
                          "step %d of sampler %s falls on timestep %g, outside the model's %d: "
                          "use fewer steps or a smaller steps_offset",
                          i, plan->sampler->name, plan->t[i], plan->train);
            return false;
        }
    }
    return true;
}

// D = x0 at timestep t, clamped if the settings say so.
static struct fum_sample_eval *denoise_at(struct fum_sample_plan *plan, int i) {
    double alpha_bar = plan->alpha_bar[(int)plan->t[i]];
    struct fum_sample_eval *ev = fum_plan_eval(plan, plan->t[i], i - plan->start);
    fum_plan_denoise_vp(plan, ev, sqrt(alpha_bar), sqrt(1 - alpha_bar));
    ev->clip = plan->c.clip_sample == FUM_SWITCH_ON ? plan->c.clip_sample_range : 0;
    return ev;
}

static void start_at(struct fum_sample_plan *plan) {
    if (!plan->program->image_scale) return;
    double alpha_bar = plan->alpha_bar[(int)plan->t[plan->start]];
    plan->program->image_scale = sqrt(alpha_bar);
    plan->program->init_scale = sqrt(1 - alpha_bar);
}

// Song et al. (2021), equation 12. With clip_sample the noise direction still comes from the x0
// before the clamp, as in diffusers unless use_clipped_model_output is set.
bool fum_build_ddim(struct fum_sample_plan *plan) {
    if (!check_times(plan) || !fum_plan_reserve(plan, plan->steps - plan->start, 1)) return false;
    start_at(plan);
    double final_alpha = plan->c.set_alpha_to_one == FUM_SWITCH_ON ? 1 : plan->alpha_bar[0];
    for (int i = plan->start; i < plan->steps; i++) {
        int prev = (int)plan->t[i] - plan->train / plan->steps;
        double ab = plan->alpha_bar[(int)plan->t[i]],
               ab_prev = prev >= 0 ? plan->alpha_bar[prev] : final_alpha;
        double std = 0;
        if (plan->eta > 0) std = plan->eta * sqrt((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev));
        // times (x - sqrt(ab) D)
        double direction = sqrt(fmax(1 - ab_prev - std * std, 0)) / sqrt(1 - ab);
        struct fum_sample_eval *ev = denoise_at(plan, i);
        ev->m[0][0] = direction;
        ev->m[0][FUM_SAMPLE_D] = sqrt(ab_prev);
        ev->m[0][FUM_SAMPLE_RAW] = -direction * sqrt(ab);
        if (plan->eta > 0) fum_plan_noise(plan, ev, 0, std);
    }
    return true;
}

// The standard deviation of the reverse step's noise for the settings' variance_type.
static double ddpm_std(const struct fum_sample_plan *plan, double ab, double ab_prev) {
    double beta = 1 - ab / ab_prev;
    if (plan->c.variance_type[6] == 'l') // fixed_large
        return sqrt(beta);
    return sqrt(
        // fixed_small, and fixed_small_log: the same value
        fmax((1 - ab_prev) / (1 - ab) * beta, 1e-20));
}

// Ho et al. (2020), equations 6 and 7, between the timesteps that the spacing leaves.
bool fum_build_ddpm(struct fum_sample_plan *plan) {
    if (!check_times(plan) || !fum_plan_reserve(plan, plan->steps - plan->start, 1)) return false;
    start_at(plan);
    for (int i = plan->start; i < plan->steps; i++) {
        double ab = plan->alpha_bar[(int)plan->t[i]];
        double ab_prev = i + 1 < plan->steps ? plan->alpha_bar[(int)plan->t[i + 1]] : 1;
        double alpha = ab / ab_prev;
        struct fum_sample_eval *ev = denoise_at(plan, i);
        ev->m[0][FUM_SAMPLE_D] = sqrt(ab_prev) * (1 - alpha) / (1 - ab);
        ev->m[0][0] = sqrt(alpha) * (1 - ab_prev) / (1 - ab);
        if (plan->t[i] > 0) fum_plan_noise(plan, ev, 0, ddpm_std(plan, ab, ab_prev));
    }
    return true;
}

// The timesteps of a latent consistency model: evenly chosen among the original_inference_steps it
// was distilled on.
static bool lcm_times(struct fum_sample_plan *plan) {
    int original = plan->c.original_inference_steps;
    if (original < 1 || original > plan->train) {
        fum_error_set(plan->err, FUM_ERR_FORMAT,
                      "the scheduler's original_inference_steps is %d, but must be 1 to its "
                      "num_train_timesteps %d",
                      original, plan->train);
        return false;
    }
    if (plan->steps > original) {
        fum_error_set(plan->err, FUM_ERR_ARG,
                      "sampler lcm cannot take %d steps: the model's original_inference_steps "
                      "is %d; use at most that many",
                      plan->steps, original);
        return false;
    }
    int stride = plan->train / original;
    for (int i = 0; i < plan->steps; i++) {
        int index = (int)floor(i * ((double)original / plan->steps)); // from the noisy end
        plan->t[i] = (original - index) * stride - 1;
    }
    return true;
}

// Luo et al. (2023), algorithm 3: predict x0, blend by the boundary condition with sigma_data 0.5,
// add noise again.
bool fum_build_lcm(struct fum_sample_plan *plan) {
    if (!lcm_times(plan) || !fum_plan_reserve(plan, plan->steps - plan->start, 1)) return false;
    start_at(plan);
    for (int i = plan->start; i < plan->steps; i++) {
        double scaled = plan->t[i] * plan->c.timestep_scaling, data2 = 0.25;
        double c_skip = data2 / (scaled * scaled + data2),
               c_out = scaled / sqrt(scaled * scaled + data2);
        struct fum_sample_eval *ev = denoise_at(plan, i);
        bool last = i + 1 == plan->steps;
        double ab_prev = last ? 1 : plan->alpha_bar[(int)plan->t[i + 1]];
        ev->m[0][FUM_SAMPLE_D] = sqrt(ab_prev) * c_out;
        ev->m[0][0] = sqrt(ab_prev) * c_skip;
        if (!last) fum_plan_noise(plan, ev, 0, sqrt(1 - ab_prev));
    }
    return true;
}
