// SPDX-License-Identifier: MIT
// Builds samplers on whole training timesteps with alpha_bar: ddpm, ddim, lcm, tcd.
#include "sample/builder.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static bool check_times(const struct fum_sample_builder *builder) {
    for (int i = builder->start; i < builder->steps; i++) {
        if (builder->t[i] < 0 || builder->t[i] >= builder->noise.count) {
            fum_error_set(builder->err, FUM_ERR_ARG,
                          "step %d of sampler %s falls on timestep %g, outside the model's %d: use "
                          "fewer steps or a smaller steps_offset",
                          i, builder->sampler->name, builder->t[i], builder->noise.count);
            return false;
        }
    }
    return true;
}

// Adds the evaluation of step i, with D = x0, clamped if the settings say so.
static struct fum_sample_eval *denoise_at(struct fum_sample_builder *builder, int i) {
    double alpha_bar = builder->noise.alpha_bar[(int)builder->t[i]];
    struct fum_sample_eval *ev = fum_sample_build_eval(builder, builder->t[i], i - builder->start);
    fum_sample_build_denoise_vp(builder, ev, sqrt(alpha_bar), sqrt(1 - alpha_bar));
    ev->clip = builder->c.clip_sample == FUM_SWITCH_ON ? builder->c.clip_sample_range : 0;
    return ev;
}

static void start_at(struct fum_sample_builder *builder) {
    if (!builder->program->image_scale) return;
    double alpha_bar = builder->noise.alpha_bar[(int)builder->t[builder->start]];
    builder->program->image_scale = sqrt(alpha_bar);
    builder->program->init_scale = sqrt(1 - alpha_bar);
}

// Builds equation 12 of Song et al. (2021). The noise direction comes from the x0 before the
// clamp even if clip_sample is set, as in diffusers unless use_clipped_model_output is set.
bool fum_build_ddim(struct fum_sample_builder *builder) {
    if (!check_times(builder) ||
        !fum_sample_build_reserve(builder, builder->steps - builder->start, 1))
        return false;
    start_at(builder);
    double final_alpha =
        builder->c.set_alpha_to_one == FUM_SWITCH_ON ? 1 : builder->noise.alpha_bar[0];
    for (int i = builder->start; i < builder->steps; i++) {
        int prev = (int)builder->t[i] - builder->noise.count / builder->steps;
        double ab = builder->noise.alpha_bar[(int)builder->t[i]],
               ab_prev = prev >= 0 ? builder->noise.alpha_bar[prev] : final_alpha;
        double std = 0;
        if (builder->eta > 0)
            std = builder->eta * sqrt((1 - ab_prev) / (1 - ab) * (1 - ab / ab_prev));
        // times (x - sqrt(ab) D)
        double direction = sqrt(fmax(1 - ab_prev - std * std, 0)) / sqrt(1 - ab);
        struct fum_sample_eval *ev = denoise_at(builder, i);
        ev->m[0][0] = direction;
        ev->m[0][FUM_SAMPLE_D] = sqrt(ab_prev);
        ev->m[0][FUM_SAMPLE_RAW] = -direction * sqrt(ab);
        ev->plus = sqrt(ab_prev) / (sqrt(ab_prev) - direction * sqrt(ab));
        if (builder->eta > 0) fum_sample_build_noise(builder, ev, 0, std);
    }
    return true;
}

// Returns the standard deviation of the reverse step's noise for the settings' variance_type; 1 if
// the model gives the variance itself.
static double ddpm_std(const struct fum_sample_builder *builder, double ab, double ab_prev) {
    double beta = 1 - ab / ab_prev;
    if (!strcmp(builder->c.variance_type, "learned")) return 1;
    if (builder->c.variance_type[6] == 'l') // fixed_large
        return sqrt(beta);
    return sqrt(
        // fixed_small, and fixed_small_log: the same value
        fmax((1 - ab_prev) / (1 - ab) * beta, 1e-20));
}

// Sets the largest variance of a learned one beside the smallest (Nichol and Dhariwal 2021,
// equation 15).
static void set_spread(struct fum_sample_builder *builder, struct fum_sample_eval *ev, double ab,
                       double ab_prev) {
    double smallest = ddpm_std(builder, ab, ab_prev);
    builder->program->variance_direct = !strcmp(builder->c.variance_type, "learned");
    if (builder->program->variance_direct) builder->program->learned_variance = true;
    if (strcmp(builder->c.variance_type, "learned_range")) return;
    builder->program->learned_variance = true;
    ev->spread = 0.5 * log(1 - ab / ab_prev) - log(smallest);
}

// Builds equations 6 and 7 of Ho et al. (2020) between the timesteps of the spacing. A classifier
// moves the mean by the variance times its gradient (Dhariwal and Nichol 2021, algorithm 1).
bool fum_build_ddpm(struct fum_sample_builder *builder) {
    if (!check_times(builder) ||
        !fum_sample_build_reserve(builder, builder->steps - builder->start, 1))
        return false;
    start_at(builder);
    builder->program->guides_mean = true;
    for (int i = builder->start; i < builder->steps; i++) {
        double ab = builder->noise.alpha_bar[(int)builder->t[i]];
        double ab_prev =
            i + 1 < builder->steps ? builder->noise.alpha_bar[(int)builder->t[i + 1]] : 1;
        double alpha = ab / ab_prev;
        struct fum_sample_eval *ev = denoise_at(builder, i);
        ev->m[0][FUM_SAMPLE_D] = sqrt(ab_prev) * (1 - alpha) / (1 - ab);
        ev->m[0][0] = sqrt(alpha) * (1 - ab_prev) / (1 - ab);
        ev->guide = 0; // without noise the variance is 0
        if (builder->t[i] <= 0) continue;
        ev->guide = ddpm_std(builder, ab, ab_prev);
        fum_sample_build_noise(builder, ev, 0, ev->guide);
        set_spread(builder, ev, ab, ab_prev);
    }
    return true;
}

// Fills t with the timesteps of a consistency model, evenly chosen among the
// original_inference_steps of its distillation. Returns false on error.
static bool consistency_times(struct fum_sample_builder *builder) {
    int original = builder->c.original_inference_steps;
    if (original < 1 || original > builder->noise.count) {
        fum_error_set(builder->err, FUM_ERR_FORMAT,
                      "the scheduler's original_inference_steps is %d, but must be 1 to its "
                      "num_train_timesteps %d",
                      original, builder->noise.count);
        return false;
    }
    if (builder->steps > original) {
        fum_error_set(builder->err, FUM_ERR_ARG,
                      "sampler %s cannot take %d steps: the model's original_inference_steps is "
                      "%d; use at most that many",
                      builder->sampler->name, builder->steps, original);
        return false;
    }
    int stride = builder->noise.count / original;
    for (int i = 0; i < builder->steps; i++) {
        int index = (int)floor(i * ((double)original / builder->steps)); // from the noisy end
        builder->t[i] = (original - index) * stride - 1;
    }
    return true;
}

// Builds algorithm 3 of Luo et al. (2023): predicts x0, blends by the boundary condition with
// sigma_data 0.5, and adds noise again.
bool fum_build_lcm(struct fum_sample_builder *builder) {
    if (!consistency_times(builder) ||
        !fum_sample_build_reserve(builder, builder->steps - builder->start, 1))
        return false;
    start_at(builder);
    for (int i = builder->start; i < builder->steps; i++) {
        double scaled = builder->t[i] * builder->c.timestep_scaling, data2 = 0.25;
        double c_skip = data2 / (scaled * scaled + data2),
               c_out = scaled / sqrt(scaled * scaled + data2);
        struct fum_sample_eval *ev = denoise_at(builder, i);
        bool last = i + 1 == builder->steps;
        double ab_prev = last ? 1 : builder->noise.alpha_bar[(int)builder->t[i + 1]];
        ev->m[0][FUM_SAMPLE_D] = sqrt(ab_prev) * c_out;
        ev->m[0][0] = sqrt(ab_prev) * c_skip;
        if (!last) fum_sample_build_noise(builder, ev, 0, sqrt(1 - ab_prev));
    }
    return true;
}

// Adds a step of trajectory consistency distillation: down to timestep s, below the next one, and
// back up to that by fresh noise.
static void add_trajectory(struct fum_sample_builder *builder, int i) {
    const float *alpha_bar = builder->noise.alpha_bar;
    bool last = i + 1 == builder->steps;
    int next = last ? 0 : (int)builder->t[i + 1], s = (int)floor((1 - builder->eta) * next);
    double ab = alpha_bar[(int)builder->t[i]], ab_s = alpha_bar[s], ab_next = alpha_bar[next];
    double direction = sqrt((1 - ab_s) / (1 - ab)); // times x - sqrt(ab) D
    bool noisy = builder->eta > 0 && !last;
    double back = noisy ? sqrt(ab_next / ab_s) : 1;
    struct fum_sample_eval *ev = denoise_at(builder, i);
    ev->clip = 0;
    ev->m[0][0] = back * direction;
    ev->m[0][FUM_SAMPLE_D] = back * (sqrt(ab_s) - direction * sqrt(ab));
    if (noisy) fum_sample_build_noise(builder, ev, 0, sqrt(1 - ab_next / ab_s));
}

// Builds algorithm 4 of Zheng et al., "Trajectory consistency distillation" (2024). eta is the
// paper's gamma.
bool fum_build_tcd(struct fum_sample_builder *builder) {
    if (!consistency_times(builder) ||
        !fum_sample_build_reserve(builder, builder->steps - builder->start, 1))
        return false;
    start_at(builder);
    for (int i = builder->start; i < builder->steps; i++) add_trajectory(builder, i);
    return true;
}
