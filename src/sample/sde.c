// SPDX-License-Identifier: MIT
// Builds samplers of score models in continuous time (Song et al. 2021): sde, pc, ode. D is the
// score here.
#include "sample/builder.h"

#include <math.h>

// Returns the i-th time of a run, from 1 to the smallest, rounded as torch holds it.
static double time_at(const struct fum_sample_builder *builder, int i) {
    const struct fum_process *p = &builder->program->process;
    return (double)fum_linspace_f32(1, (float)p->eps, builder->steps, i);
}

// Returns the place of the i-th time among the run's discrete levels, found in f32 as diffusers
// does.
static int level_at(const struct fum_sample_builder *builder, int i) {
    return (int)((float)time_at(builder, i) * (float)(builder->steps - 1));
}

// Adds an evaluation of the score at the i-th time.
static struct fum_sample_eval *evaluate_score(struct fum_sample_builder *builder, int i) {
    const struct fum_process_levels l =
        fum_process_at(&builder->program->process, time_at(builder, i));
    struct fum_sample_eval *ev = fum_sample_build_eval(builder, l.time, i);
    ev->b = l.score;
    return ev;
}

// Adds the noise of a step, but for that of the last one, whose mean is the sample.
static void add_noise(struct fum_sample_builder *builder, struct fum_sample_eval *ev,
                      double weight) {
    if (ev->step + 1 < builder->steps) fum_sample_build_noise(builder, ev, 0, weight);
}

// Adds a step of Euler and Maruyama on the reverse equation.
static void add_euler_maruyama(struct fum_sample_builder *builder, int i) {
    const struct fum_process_levels l =
        fum_process_at(&builder->program->process, time_at(builder, i));
    double step = 1.0 / builder->steps;
    struct fum_sample_eval *ev = evaluate_score(builder, i);
    ev->m[0][0] = 1 - l.drift * step;
    ev->m[0][FUM_SAMPLE_D] = l.diffusion * l.diffusion * step;
    add_noise(builder, ev, l.diffusion * sqrt(step));
}

// Returns the deviation of a level of the run's geometric sequence, from the smallest on. Level -1
// is the picture itself.
static double level_deviation(const struct fum_sample_builder *builder, int level) {
    const struct fum_process *p = &builder->program->process;
    float low = (float)log(p->sigma_min), high = (float)log(p->sigma_max);
    if (level < 0) return 0;
    return exp((double)fum_linspace_f32(low, high, builder->steps, level));
}

// Adds a step between two levels of the exploding process (equation 47 of the paper).
static void add_reverse_diffusion(struct fum_sample_builder *builder, int i) {
    int level = level_at(builder, i);
    double from = level_deviation(builder, level), to = level_deviation(builder, level - 1),
           variance = from * from - to * to;
    struct fum_sample_eval *ev = evaluate_score(builder, i);
    ev->m[0][0] = 1;
    ev->m[0][FUM_SAMPLE_D] = variance;
    add_noise(builder, ev, sqrt(variance));
}

// Adds a step of Langevin dynamics at the i-th time (algorithms 4 and 5 of the paper). Its size
// depends on norms, see struct fum_sample_eval.
static void add_correction(struct fum_sample_builder *builder, int i) {
    const struct fum_process *p = &builder->program->process;
    struct fum_sample_eval *ev = evaluate_score(builder, i);
    double ratio = p->snr / ev->b, alpha = 1;
    if (!p->exploding) { // one minus the level's beta
        double share = builder->steps > 1 ? level_at(builder, i) / (builder->steps - 1.0) : 0;
        alpha -= (p->beta_min + share * (p->beta_max - p->beta_min)) / builder->steps;
    }
    bool moves = alpha > 0; // fails where few steps take all signal at once
    ev->m[0][0] = 1;
    ev->m[0][FUM_SAMPLE_D] = moves;
    fum_sample_build_noise(builder, ev, 0, moves);
    if (moves) ev->correction = 2 * alpha * ratio * ratio;
    builder->program->corrects = true;
}

// Builds Euler and Maruyama's method on the reverse equation.
bool fum_build_sde(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps, 1)) return false;
    for (int i = 0; i < builder->steps; i++) add_euler_maruyama(builder, i);
    return true;
}

// Builds predictor and corrector, the correction first: that of diffusers' ScoreSdeVeScheduler for
// the exploding process, of the paper's code for the preserving one.
bool fum_build_pc(struct fum_sample_builder *builder) {
    const struct fum_process *p = &builder->program->process;
    if (!fum_sample_build_reserve(builder, builder->steps * (p->correct_steps + 1), 1))
        return false;
    for (int i = 0; i < builder->steps; i++) {
        for (int k = 0; k < p->correct_steps; k++) add_correction(builder, i);
        if (p->exploding)
            add_reverse_diffusion(builder, i);
        else
            add_euler_maruyama(builder, i);
    }
    return true;
}

// Builds the probability flow. Its steps are chosen while it runs, so the program only evaluates:
// the model's output takes the place of history[0].
bool fum_build_ode(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, 1, 1)) return false;
    struct fum_sample_eval *ev = evaluate_score(builder, 0);
    ev->b = ev->m[0][FUM_SAMPLE_D] = 1;
    builder->program->adaptive = true;
    return true;
}
