// SPDX-License-Identifier: MIT
// The noise schedule that a model was trained with. It is computed in f32, rounding where torch
// rounds: 1 - alpha_bar at the clean end loses four digits in f32, and diffusers' sigmas carry that
// loss.
#include "sample/plan.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>

// torch.linspace in f32: from both ends towards the middle, each value rounded once.
static float linspace_f32(float from, float to, int count, int i) {
    if (count == 1) return from;
    float step = (to - from) / (float)(count - 1);
    return i < count / 2 ? (float)(from + (double)step * i)
                         : (float)(to - (double)step * (count - 1 - i));
}

// The cosine schedule of Nichol and Dhariwal (2021), alpha_bar(t) = cos²((t + 0.008) / 1.008 ·
// π/2).
static double cosine_alpha_bar(double t) {
    double c = cos((t + 0.008) / 1.008 * 3.14159265358979323846 / 2);
    return c * c;
}

static float beta_of(const struct fum_sample_config *c, int i) {
    int n = c->num_train_timesteps;
    if (c->beta_schedule == FUM_BETAS_LINEAR)
        return linspace_f32((float)c->beta_start, (float)c->beta_end, n, i);
    if (c->beta_schedule == FUM_BETAS_SCALED_LINEAR) {
        float root = linspace_f32((float)sqrt(c->beta_start), (float)sqrt(c->beta_end), n, i);
        return root * root;
    }
    double beta = 1 - cosine_alpha_bar((i + 1.0) / n) / cosine_alpha_bar((double)i / n);
    return (float)fmin(beta, 0.999);
}

// torch.cumprod multiplies in double and stores f32.
static void cumulate(float *alpha_bar, const float *beta, int n) {
    double product = 1;
    for (int i = 0; i < n; i++) {
        product *= 1.0f - beta[i];
        alpha_bar[i] = (float)product;
    }
}

// Lin et al. (2023), algorithm 1: shift sqrt(alpha_bar) so that the last is 0, scale so that the
// first stays.
static void rescale_zero_snr(float *beta, float *alpha_bar, int n) {
    cumulate(alpha_bar, beta, n);
    float first = sqrtf(alpha_bar[0]), last = sqrtf(alpha_bar[n - 1]);
    float scale = first / (first - last);
    for (int i = 0; i < n; i++) {
        float root = (sqrtf(alpha_bar[i]) - last) * scale;
        alpha_bar[i] = root * root;
    }
    for (int i = n - 1; i > 0; i--) beta[i] = 1.0f - alpha_bar[i] / alpha_bar[i - 1];
    beta[0] = 1.0f - alpha_bar[0];
}

// Fills the table that schedules pick from: noise levels even in log sigma, from sigma_min to
// sigma_max.
static void fill_edm(struct fum_sample_plan *plan) {
    double low = log(plan->c.sigma_min), high = log(plan->c.sigma_max);
    for (int i = 0; i < plan->train; i++) {
        double at = plan->train > 1 ? i / (plan->train - 1.0) : 1;
        plan->train_sigma[i] = (float)exp(low + at * (high - low));
        plan->log_sigma[i] = (float)log((double)plan->train_sigma[i]);
    }
}

bool fum_plan_train(struct fum_sample_plan *plan) {
    int n = plan->train;
    float *beta = fum_calloc((size_t)n, sizeof *beta);
    plan->alpha_bar = fum_calloc((size_t)n, sizeof(float));
    plan->train_sigma = fum_calloc((size_t)n, sizeof(float));
    plan->log_sigma = fum_calloc((size_t)n, sizeof(float));
    bool ok = beta && plan->alpha_bar && plan->train_sigma && plan->log_sigma;
    if (!ok) {
        fum_error_set(plan->err, FUM_ERR_NOMEM, "no memory for a training schedule of %d timesteps",
                      n);
        goto out;
    }
    if (plan->edm) {
        fill_edm(plan);
        goto out;
    }
    for (int i = 0; i < n; i++) beta[i] = beta_of(&plan->c, i);
    bool rescale = plan->sampler->rescales && plan->c.rescale_betas_zero_snr == FUM_SWITCH_ON;
    if (rescale) rescale_zero_snr(beta, plan->alpha_bar, n);
    cumulate(plan->alpha_bar, beta, n);
    if (rescale && plan->sampler->space != FUM_SPACE_TIME)
        plan->alpha_bar[n - 1] = 0x1p-24f; // sigma 4096 instead of infinity, as diffusers has it
    for (int i = 0; i < n; i++) {
        float s = sqrtf((1.0f - plan->alpha_bar[i]) / plan->alpha_bar[i]);
        plan->train_sigma[i] = s;
        plan->log_sigma[i] = (float)log((double)s);
    }
out:
    fum_free(beta);
    return ok;
}
