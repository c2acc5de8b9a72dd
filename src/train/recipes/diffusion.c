// SPDX-License-Identifier: MIT
#include "train/recipes/diffusion.h"

#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "train/keys.h"

FUM_SETTING_NAMES(beta_schedule_name, "linear", "scaled_linear", "squaredcos_cap_v2")
FUM_SETTING_NAMES(weighting_name, "none", "min_snr")

// ---- settings ----

static const struct fum_key keys[] = {
    {"num_train_timesteps", FUM_KEY_INT, 1, FUM_SAMPLE_MAX_TRAIN},
    {"beta_schedule", FUM_KEY_STRING, 0, 0},
    {"beta_start", FUM_KEY_REAL, 0, 1},
    {"beta_end", FUM_KEY_REAL, 0, 1},
    {"prediction_type", FUM_KEY_STRING, 0, 0},
    {"clip_sample", FUM_KEY_BOOL, 0, 0},
    {"clip_sample_range", FUM_KEY_REAL, 0, 1e6},
    {"timestep_spacing", FUM_KEY_STRING, 0, 0},
    {"steps_offset", FUM_KEY_INT, 0, FUM_SAMPLE_MAX_TRAIN},
};

static void read_betas(struct fum_settings *s, struct fum_sample_config *c) {
    static const enum fum_betas betas[] = {FUM_BETAS_LINEAR, FUM_BETAS_SCALED_LINEAR,
                                           FUM_BETAS_SQUAREDCOS};
    c->num_train_timesteps =
        (int)fum_settings_int(s, "scheduler.num_train_timesteps", 1, FUM_SAMPLE_MAX_TRAIN);
    c->beta_schedule = betas[fum_settings_choice(s, "scheduler.beta_schedule", beta_schedule_name)];
    c->beta_start = fum_settings_real(s, "scheduler.beta_start", 1e-12, 0.9999);
    c->beta_end = fum_settings_real(s, "scheduler.beta_end", 1e-12, 0.9999);
}

static void read_prediction(struct fum_settings *s, struct fum_sample_config *c) {
    int choice = fum_settings_choice(s, "scheduler.prediction_type", fum_prediction_name);
    c->prediction_type = (enum fum_prediction)(choice + 1);
}

static const char *describe_scheduler(struct fum_settings *s, const char *variance) {
    cJSON *json = cJSON_CreateObject();
    fum_settings_put(s, json, "_class_name", cJSON_CreateString("DDPMScheduler"));
    fum_settings_describe(s, "scheduler", keys, FUM_COUNT(keys), json);
    fum_settings_put(s, json, "variance_type", cJSON_CreateString(variance));
    return fum_settings_json(s, json);
}

void fum_diffusion_configure(struct fum_training *t, struct fum_diffusion *d,
                             const char *variance) {
    struct fum_settings *s = &t->settings;
    d->config = fum_sample_config_unset();
    read_betas(s, &d->config);
    if (fum_settings_has(s, "scheduler.prediction_type")) read_prediction(s, &d->config);
    if (variance) d->json = describe_scheduler(s, variance);
    if (fum_settings_has(s, "loss.weighting")) {
        d->min_snr = fum_settings_choice(s, "loss.weighting", weighting_name) == 1;
        d->gamma = fum_settings_real(s, "loss.gamma", 1e-6, 1e6);
    }
    if (!s->result && !fum_diffusion_fill(d, t->arena))
        fum_settings_fail(s, "scheduler.num_train_timesteps", "needs more memory than there is");
}

// ---- the table ----

// Returns the weight of "Efficient diffusion training via min-SNR weighting strategy" (Hang et al.
// 2023): min(SNR, γ) on x_0, divided so that it holds for the other predictions.
static double min_snr_weight(const struct fum_diffusion *d, double alpha_bar) {
    double snr = alpha_bar / (1 - alpha_bar), least = fmin(snr, d->gamma);
    switch (d->config.prediction_type) {
    case FUM_PREDICT_SAMPLE: return least;
    case FUM_PREDICT_V: return least / (snr + 1);
    default: return least / snr;
    }
}

// The levels of one timestep, in double.
struct levels {
    double beta, alpha_bar, before; // before: ᾱ of the timestep before
};

static double posterior_variance(const struct levels *l) {
    return l->beta * (1 - l->before) / (1 - l->alpha_bar);
}

// Returns β̃_1, which stands for β̃_0. A process of one step has β alone.
static double first_variance(const float *beta, int count) {
    double before = 1 - (double)beta[0];
    if (count == 1) return beta[0];
    const struct levels second = {beta[1], before * (1 - (double)beta[1]), before};
    return posterior_variance(&second);
}

static void fill_row(const struct fum_diffusion *d, const struct levels *l, double least,
                     float *row) {
    double noise = 1 - l->alpha_bar;
    row[FUM_DIFFUSION_SIGNAL] = (float)sqrt(l->alpha_bar);
    row[FUM_DIFFUSION_NOISE] = (float)sqrt(noise);
    row[FUM_DIFFUSION_WEIGHT] = d->min_snr ? (float)min_snr_weight(d, l->alpha_bar) : 1;
    row[FUM_DIFFUSION_FROM_X0] = (float)(l->beta * sqrt(l->before) / noise);
    row[FUM_DIFFUSION_FROM_XT] = (float)(sqrt(1 - l->beta) * (1 - l->before) / noise);
    row[FUM_DIFFUSION_LEAST] = (float)log(least);
    row[FUM_DIFFUSION_RANGE] = (float)(log(l->beta) - log(least));
    row[FUM_DIFFUSION_INVERSE] = (float)(1 / sqrt(l->alpha_bar));
    row[FUM_DIFFUSION_NOISE_RATIO] = (float)sqrt(1 / l->alpha_bar - 1);
    row[FUM_DIFFUSION_FIRST] = l->before == 1;
}

bool fum_diffusion_fill(struct fum_diffusion *d, fum_arena *arena) {
    int count = d->config.num_train_timesteps;
    float *beta = fum_arena_alloc(arena, (size_t)count + 1, sizeof *beta);
    float *table = fum_arena_alloc(arena, (size_t)count, FUM_DIFFUSION_COLUMNS * sizeof *table);
    double *alpha_bar = fum_arena_alloc(arena, (size_t)count, sizeof *alpha_bar);
    if (!beta || !table || !alpha_bar) return false;
    fum_noise_schedule_betas(&d->config, beta);
    struct levels l = {0, 1, 1};
    for (int i = 0; i < count; i++) {
        l = (struct levels){beta[i], l.alpha_bar * (1 - (double)beta[i]), l.alpha_bar};
        alpha_bar[i] = l.alpha_bar;
        double least = i ? posterior_variance(&l) : first_variance(beta, count);
        fill_row(d, &l, least, table + (size_t)i * FUM_DIFFUSION_COLUMNS);
    }
    d->table = table;
    d->alpha_bar = alpha_bar;
    return true;
}

// ---- graphs ----

static fum_tensor *mul(struct fum_micro_batch *m, fum_tensor *a, fum_tensor *b) {
    return fum_nn_mul(&m->nn, NULL, a, b);
}

static fum_tensor *add(struct fum_micro_batch *m, fum_tensor *a, fum_tensor *b) {
    return fum_nn_add(&m->nn, NULL, a, b);
}

static fum_tensor *sub(struct fum_micro_batch *m, fum_tensor *a, fum_tensor *b) {
    return fum_train_op(m, "sub", a, b, NULL);
}

// Returns a · x + b · y, where a and b depend on the timestep.
static fum_tensor *combine(struct fum_micro_batch *m, fum_tensor *a, fum_tensor *x, fum_tensor *b,
                           fum_tensor *y) {
    return add(m, mul(m, a, x), mul(m, b, y));
}

// Adds the rows of the pictures' timesteps.
static void look_up(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                    struct fum_diffused *d) {
    const struct fum_shape shape = {2,
                                    {diffusion->config.num_train_timesteps, FUM_DIFFUSION_COLUMNS}};
    fum_tensor *table = fum_graph_exact_constant(m->graph, "schedule", shape, diffusion->table);
    fum_tensor *rows = fum_train_op(m, "embedding", d->t, table, NULL);
    for (int i = 0; i < FUM_DIFFUSION_COLUMNS; i++)
        d->at[i] =
            fum_unet2d_each(m, fum_nn_slice(&m->nn, NULL, rows, (struct fum_nn_range){1, i, 1}));
}

void fum_diffusion_forward(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                           const struct fum_unet2d *unet, struct fum_diffused *d) {
    d->x0 = fum_unet2d_images(m, unet);
    d->t = fum_train_integer(m, "t", diffusion->config.num_train_timesteps);
    d->noise = fum_unet2d_noise(m, unet);
    look_up(m, diffusion, d);
    d->xt = combine(m, d->at[FUM_DIFFUSION_SIGNAL], d->x0, d->at[FUM_DIFFUSION_NOISE], d->noise);
}

fum_tensor *fum_diffusion_target(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                                 const struct fum_diffused *d) {
    switch (diffusion->config.prediction_type) {
    case FUM_PREDICT_SAMPLE: return d->x0;
    case FUM_PREDICT_V:
        return sub(m, mul(m, d->at[FUM_DIFFUSION_SIGNAL], d->noise),
                   mul(m, d->at[FUM_DIFFUSION_NOISE], d->x0));
    default: return d->noise;
    }
}

fum_tensor *fum_diffusion_simple(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                                 const struct fum_diffused *d, fum_tensor *prediction) {
    fum_tensor *target = fum_diffusion_target(m, diffusion, d);
    fum_tensor *error = fum_train_op(m, "squared_error", prediction, target, NULL);
    if (diffusion->min_snr) error = mul(m, error, d->at[FUM_DIFFUSION_WEIGHT]);
    return fum_train_mean(m, error);
}

// Adds the x_0 that a prediction means.
static fum_tensor *predicted_start(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                                   const struct fum_diffused *d, fum_tensor *prediction) {
    switch (diffusion->config.prediction_type) {
    case FUM_PREDICT_SAMPLE: return prediction;
    case FUM_PREDICT_V:
        return sub(m, mul(m, d->at[FUM_DIFFUSION_SIGNAL], d->xt),
                   mul(m, d->at[FUM_DIFFUSION_NOISE], prediction));
    default:
        return sub(m, mul(m, d->at[FUM_DIFFUSION_INVERSE], d->xt),
                   mul(m, d->at[FUM_DIFFUSION_NOISE_RATIO], prediction));
    }
}

static fum_tensor *posterior_mean(struct fum_micro_batch *m, const struct fum_diffused *d,
                                  fum_tensor *start) {
    return combine(m, d->at[FUM_DIFFUSION_FROM_X0], start, d->at[FUM_DIFFUSION_FROM_XT], d->xt);
}

// Adds KL(q(x_{t-1} | x_t, x_0) || N(mean, e^{log_variance})) of every element, in nats.
static fum_tensor *posterior_kl(struct fum_micro_batch *m, const struct fum_diffused *d,
                                fum_tensor *mean, fum_tensor *log_variance) {
    struct fum_nn *nn = &m->nn;
    fum_tensor *least = d->at[FUM_DIFFUSION_LEAST];
    fum_tensor *inverse =
        fum_nn_unary(nn, "exp", NULL, fum_nn_scale(nn, NULL, log_variance, -1, 0));
    fum_tensor *ratio = sub(m, log_variance, least);
    fum_tensor *spread = fum_nn_unary(nn, "exp", NULL, fum_nn_scale(nn, NULL, ratio, -1, 0));
    fum_tensor *distance =
        mul(m, fum_train_op(m, "squared_error", posterior_mean(m, d, d->x0), mean, NULL), inverse);
    fum_tensor *sum = add(m, add(m, ratio, spread), distance);
    return fum_nn_scale(nn, NULL, sum, 0.5, -0.5);
}

fum_tensor *fum_diffusion_bound(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                                const struct fum_diffused *d, fum_tensor *prediction,
                                fum_tensor *interpolation) {
    struct fum_nn *nn = &m->nn;
    fum_tensor *log_variance =
        add(m, d->at[FUM_DIFFUSION_LEAST],
            mul(m, fum_nn_scale(nn, NULL, interpolation, 0.5, 0.5), d->at[FUM_DIFFUSION_RANGE]));
    fum_tensor *mean = posterior_mean(m, d, predicted_start(m, diffusion, d, prediction));
    fum_tensor *kl = posterior_kl(m, d, mean, log_variance);
    fum_tensor *nll = fum_train_op(m, "discretised_gaussian", d->x0, mean,
                                   fum_nn_scale(nn, NULL, log_variance, 0.5, 0));
    fum_tensor *first = d->at[FUM_DIFFUSION_FIRST];
    fum_tensor *later = fum_nn_scale(nn, NULL, first, -1, 1);
    fum_tensor *bound = fum_train_mean(m, add(m, mul(m, nll, first), mul(m, kl, later)));
    double bits = diffusion->config.num_train_timesteps / log(2.0);
    return fum_nn_scale(nn, NULL, bound, bits, 0);
}
