// SPDX-License-Identifier: MIT
// Computes the noise schedule that a model was trained with. All arithmetic is in f32 and rounds
// where torch rounds. 1 - alpha_bar at the clean end loses four digits in f32, and the sigmas of
// diffusers carry that loss.
#include "sample/builder.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>

float fum_linspace_f32(float from, float to, int count, int i) {
    if (count == 1) return from;
    float step = (to - from) / (float)(count - 1);
    return i < count / 2 ? (float)(from + (double)step * i)
                         : (float)(to - (double)step * (count - 1 - i));
}

// Returns alpha_bar(t) = cos²((t + 0.008) / 1.008 · π/2), the cosine schedule of Nichol and
// Dhariwal (2021).
static double cosine_alpha_bar(double t) {
    double c = cos((t + 0.008) / 1.008 * 3.14159265358979323846 / 2);
    return c * c;
}

static float beta_of(const struct fum_sample_config *c, int i) {
    int n = c->num_train_timesteps;
    if (c->beta_schedule == FUM_BETAS_LINEAR)
        return fum_linspace_f32((float)c->beta_start, (float)c->beta_end, n, i);
    if (c->beta_schedule == FUM_BETAS_SCALED_LINEAR) {
        float root = fum_linspace_f32((float)sqrt(c->beta_start), (float)sqrt(c->beta_end), n, i);
        return root * root;
    }
    double beta = 1 - cosine_alpha_bar((i + 1.0) / n) / cosine_alpha_bar((double)i / n);
    return (float)fmin(beta, 0.999);
}

void fum_noise_schedule_betas(const struct fum_sample_config *config, float *beta) {
    for (int i = 0; i < config->num_train_timesteps; i++) beta[i] = beta_of(config, i);
}

// Multiplies in double and stores f32, as torch.cumprod does.
static void cumulate(float *alpha_bar, const float *beta, int n) {
    double product = 1;
    for (int i = 0; i < n; i++) {
        product *= 1.0f - beta[i];
        alpha_bar[i] = (float)product;
    }
}

// Shifts sqrt(alpha_bar) so that the last is 0, and scales it so that the first stays (Lin et al.
// 2023, algorithm 1).
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

// Fills the table that the schedules read: noise levels even in log sigma, from sigma_min to
// sigma_max.
static void fill_edm(struct fum_sample_builder *builder) {
    double low = log(builder->c.sigma_min), high = log(builder->c.sigma_max);
    for (int i = 0; i < builder->noise.count; i++) {
        double at = builder->noise.count > 1 ? i / (builder->noise.count - 1.0) : 1;
        builder->noise.sigma[i] = (float)exp(low + at * (high - low));
        builder->noise.log_sigma[i] = (float)log((double)builder->noise.sigma[i]);
    }
}

void fum_noise_schedule_free(struct fum_noise_schedule *noise) {
    fum_free(noise->alpha_bar);
    fum_free(noise->sigma);
    fum_free(noise->log_sigma);
}

int fum_sample_config_timesteps(const struct fum_sample_config *config) {
    return config->num_train_timesteps ? config->num_train_timesteps : 1000;
}

enum fum_result fum_sample_config_alphas(const struct fum_sample_config *config, double *alphas,
                                         struct fum_error *err) {
    return fum_sample_config_levels(config, NULL, alphas, err);
}

enum fum_result fum_sample_config_levels(const struct fum_sample_config *config, double *betas,
                                         double *alphas, struct fum_error *err) {
    struct fum_sample_config c = *config;
    if (fum_sample_config_edm(&c))
        return fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "the model has continuous noise levels (EDM), which cannot be trained");
    int n = c.num_train_timesteps = fum_sample_config_timesteps(config);
    if (!c.beta_schedule) c.beta_schedule = FUM_BETAS_LINEAR;
    if (isnan(c.beta_start)) c.beta_start = 0.0001;
    if (isnan(c.beta_end)) c.beta_end = 0.02;
    float *beta = fum_calloc(2 * (size_t)n, sizeof *beta), *alpha_bar = beta ? beta + n : NULL;
    if (!beta)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a noise schedule of %d timesteps",
                             n);
    fum_noise_schedule_betas(&c, beta);
    if (c.rescale_betas_zero_snr == FUM_SWITCH_ON) rescale_zero_snr(beta, alpha_bar, n);
    cumulate(alpha_bar, beta, n);
    for (int i = 0; i < n; i++) alphas[i] = (double)alpha_bar[i];
    for (int i = 0; i < n && betas; i++) betas[i] = (double)beta[i];
    fum_free(beta);
    return FUM_OK;
}

bool fum_noise_schedule_fill(struct fum_sample_builder *builder) {
    int n = builder->noise.count;
    float *beta = fum_calloc((size_t)n, sizeof *beta);
    builder->noise.alpha_bar = fum_calloc((size_t)n, sizeof(float));
    builder->noise.sigma = fum_calloc((size_t)n, sizeof(float));
    builder->noise.log_sigma = fum_calloc((size_t)n, sizeof(float));
    bool ok = beta && builder->noise.alpha_bar && builder->noise.sigma && builder->noise.log_sigma;
    if (!ok) {
        fum_error_set(builder->err, FUM_ERR_NOMEM, "no memory for a noise schedule of %d timesteps",
                      n);
        goto done;
    }
    if (builder->edm) {
        fill_edm(builder);
        goto done;
    }
    fum_noise_schedule_betas(&builder->c, beta);
    bool rescale = builder->sampler->rescales && builder->c.rescale_betas_zero_snr == FUM_SWITCH_ON;
    if (rescale) rescale_zero_snr(beta, builder->noise.alpha_bar, n);
    cumulate(builder->noise.alpha_bar, beta, n);
    if (rescale && builder->sampler->space != FUM_SPACE_TIME)
        builder->noise.alpha_bar[n - 1] =
            0x1p-24f; // sigma 4096 instead of infinity, as diffusers has it
    for (int i = 0; i < n; i++) {
        float s = sqrtf((1.0f - builder->noise.alpha_bar[i]) / builder->noise.alpha_bar[i]);
        builder->noise.sigma[i] = s;
        builder->noise.log_sigma[i] = (float)log((double)s);
    }
done:
    fum_free(beta);
    return ok;
}
