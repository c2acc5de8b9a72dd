// SPDX-License-Identifier: MIT
// Score matching in continuous time: Song et al., "Score-based generative modeling through
// stochastic differential equations" (2021), with the variance-preserving or the
// variance-exploding process.
#include "train/recipes/unet2d.h"

#include <math.h>
#include <string.h>

#include "model/family.h"
#include "train/keys.h"

FUM_SETTING_NAMES(kind_name, "vp", "ve")

struct score {
    struct fum_unet2d unet;
    bool exploding;
    double beta_min, beta_max;   // vp
    double sigma_min, sigma_max; // ve
    double eps;                  // smallest time
    const char *json;            // of scheduler_config.json
    double *alphas;              // of thousandths of the time, for the report
};

enum { TIMES = 1000 };

static const double time_scale = 999; // of the vp network's time

static const char *const scheduler_names[] = {"ScoreSdeVpScheduler", "ScoreSdeVeScheduler"};

static const char *describe_scheduler(struct fum_settings *s, const struct score *r) {
    cJSON *json = cJSON_CreateObject();
    const char *class_name = scheduler_names[r->exploding];
    fum_settings_put(s, json, "_class_name", cJSON_CreateString(class_name));
    fum_settings_put(s, json, "num_train_timesteps", cJSON_CreateNumber(2000));
    fum_settings_put(s, json, "sampling_eps", cJSON_CreateNumber(r->eps));
    if (r->exploding) {
        fum_settings_put(s, json, FUM_PIXEL_RANGE_KEY, cJSON_CreateIntArray((int[]){-1, 1}, 2));
        fum_settings_put(s, json, "snr", cJSON_CreateNumber(0.15));
        fum_settings_put(s, json, "correct_steps", cJSON_CreateNumber(1));
        fum_settings_put(s, json, "sigma_min", cJSON_CreateNumber(r->sigma_min));
        fum_settings_put(s, json, "sigma_max", cJSON_CreateNumber(r->sigma_max));
    } else {
        fum_settings_put(s, json, "beta_min", cJSON_CreateNumber(r->beta_min));
        fum_settings_put(s, json, "beta_max", cJSON_CreateNumber(r->beta_max));
    }
    return fum_settings_json(s, json);
}

// Returns B of the preserving process.
static double integrate_beta(const struct score *r, double t) {
    return r->beta_min * t + 0.5 * (r->beta_max - r->beta_min) * t * t;
}

// Fills the share of the picture in the variance, ᾱ = SNR / (1 + SNR).
static bool fill_alphas(struct score *r, fum_arena *arena) {
    r->alphas = fum_arena_alloc(arena, TIMES, sizeof *r->alphas);
    for (int i = 0; i < TIMES && r->alphas; i++) {
        double t = (i + 1.0) / TIMES, sigma = r->sigma_min * pow(r->sigma_max / r->sigma_min, t);
        r->alphas[i] = r->exploding ? 1 / (1 + sigma * sigma) : exp(-integrate_beta(r, t));
    }
    return r->alphas != NULL;
}

static const double *list_alphas(const struct fum_training *t, int *count) {
    const struct score *r = t->config;
    *count = TIMES;
    return r->alphas;
}

static enum fum_result configure(struct fum_training *t, struct fum_error *err) {
    struct fum_settings *s = &t->settings;
    struct score *r = t->config;
    r->exploding = fum_settings_choice(s, "sde.kind", kind_name) == 1;
    r->beta_min = fum_settings_real(s, "sde.beta_min", 0, 1e6);
    r->beta_max = fum_settings_real(s, "sde.beta_max", 1e-9, 1e6);
    r->sigma_min = fum_settings_real(s, "sde.sigma_min", 1e-9, 1e9);
    r->sigma_max = fum_settings_real(s, "sde.sigma_max", 1e-9, 1e9);
    r->eps = fum_settings_real(s, "sde.eps", 1e-9, 0.999);
    if (r->exploding && r->sigma_max <= r->sigma_min)
        fum_settings_fail(s, "sde.sigma_max", "must be more than sde.sigma_min");
    if (!fill_alphas(r, t->arena)) fum_settings_fail(s, "sde.kind", "needs more memory");
    r->json = describe_scheduler(s, r);
    fum_unet2d_configure(t, &r->unet,
                         &(struct fum_unet2d_choice){.outputs = 1, .fourier = r->exploding});
    return fum_settings_check(s, err);
}

// The process at the pictures' times, each [batch].
struct levels {
    fum_tensor *signal; // factor of x; NULL: 1
    fum_tensor *noise;  // the deviation
    fum_tensor *times;  // as the network takes them
};

// Adds e^{-B/2} and √(1 - e^{-B}), with B = β_min t + ½ (β_max - β_min) t².
static struct levels preserving_levels(struct fum_micro_batch *m, const struct score *r,
                                       fum_tensor *t) {
    struct fum_nn *nn = &m->nn;
    fum_tensor *slope = fum_nn_scale(nn, NULL, t, 0.5 * (r->beta_max - r->beta_min), r->beta_min);
    fum_tensor *minus_b = fum_nn_scale(nn, NULL, fum_nn_mul(nn, NULL, slope, t), -1, 0);
    fum_tensor *variance = fum_nn_scale(nn, NULL, fum_nn_unary(nn, "expm1", NULL, minus_b), -1, 0);
    return (struct levels){
        .signal = fum_nn_unary(nn, "exp", NULL, fum_nn_scale(nn, NULL, minus_b, 0.5, 0)),
        .noise = fum_nn_unary(nn, "sqrt", NULL, variance),
        .times = fum_nn_scale(nn, NULL, t, time_scale, 0)};
}

// Adds σ_min (σ_max / σ_min)^t.
static struct levels exploding_levels(struct fum_micro_batch *m, const struct score *r,
                                      fum_tensor *t) {
    struct fum_nn *nn = &m->nn;
    fum_tensor *exponent =
        fum_nn_scale(nn, NULL, t, log(r->sigma_max / r->sigma_min), log(r->sigma_min));
    fum_tensor *sigma = fum_nn_unary(nn, "exp", NULL, exponent);
    return (struct levels){.noise = sigma, .times = sigma};
}

// Returns the mean over everything of (deviation · score + noise)². The network of the preserving
// process predicts the noise itself, that of the exploding process the score.
static fum_tensor *add_loss(struct fum_micro_batch *m) {
    const struct score *r = m->training->config;
    struct fum_nn *nn = &m->nn;
    fum_tensor *x = fum_unet2d_images(m, &r->unet);
    fum_tensor *t = fum_train_uniform(m, "t", r->eps, 1);
    fum_tensor *noise = fum_unet2d_noise(m, &r->unet);
    struct levels l = r->exploding ? exploding_levels(m, r, t) : preserving_levels(m, r, t);
    fum_tensor *deviation = fum_unet2d_each(m, l.noise);
    if (l.signal) x = fum_nn_mul(nn, NULL, x, fum_unet2d_each(m, l.signal));
    fum_tensor *xt = fum_nn_add(nn, NULL, x, fum_nn_mul(nn, NULL, noise, deviation));
    fum_tensor *out = fum_unet2d_predict(m, &r->unet, xt, l.times, NULL);
    if (r->exploding) out = fum_nn_scale(nn, NULL, fum_nn_mul(nn, NULL, out, deviation), -1, 0);
    return fum_train_mean(m, fum_train_op(m, "squared_error", out, noise, NULL));
}

static const char frequencies[] = "time_proj.weight"; // of the Fourier features, which stay

static bool excludes(const struct fum_training *t, const char *name) {
    (void)t;
    return !strcmp(name, frequencies);
}

// Draws the frequencies as GaussianFourierProjection does.
static void initialise(const struct fum_training *t, const char *name,
                       struct fum_initial *initial) {
    (void)t;
    if (!strcmp(name, frequencies))
        *initial = (struct fum_initial){.kind = FUM_INITIAL_NORMAL, .value = 16};
}

static enum fum_result save(struct fum_training *t, const char *dir, struct fum_error *err) {
    const struct score *r = t->config;
    const struct fum_unet2d_folder folder = {r->exploding ? "ScoreSdeVePipeline" : "DDPMPipeline",
                                             scheduler_names[r->exploding], r->json};
    return fum_unet2d_save(t, &r->unet, &folder, dir, err);
}

const struct fum_recipe fum_recipe_score = {
    .name = "score",
    .summary = "score matching through stochastic differential equations (Song et al. 2021)",
    .config_size = sizeof(struct score),
    .configure = configure,
    .add_loss = add_loss,
    .initialise = initialise,
    .excludes = excludes,
    .save = save,
    .alphas = list_alphas,
    .images_signed = true,
};
