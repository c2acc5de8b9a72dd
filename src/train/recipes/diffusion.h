// SPDX-License-Identifier: MIT
// The forward process of Ho, Jain and Abbeel, "Denoising diffusion probabilistic models" (2020), in
// discrete time, with the terms that its recipes are trained by. The section [scheduler] has the
// settings of diffusers' DDPMScheduler.
//
// Every number that depends on t stands in a table with a row for each timestep. A graph looks up
// the rows of its pictures.
#ifndef FUM_TRAIN_DIFFUSION_H
#define FUM_TRAIN_DIFFUSION_H

#include "sample/sample.h"
#include "train/recipes/unet2d.h"

// Columns of the table, with ᾱ_t the product of 1 - β up to t. Variances β̃ are those of the
// posterior q(x_{t-1} | x_t, x_0); β̃_1 stands for β̃_0, which is 0.
enum fum_diffusion_column {
    FUM_DIFFUSION_SIGNAL = 0,  // √ᾱ
    FUM_DIFFUSION_NOISE,       // √(1 - ᾱ)
    FUM_DIFFUSION_WEIGHT,      // of the simple loss
    FUM_DIFFUSION_FROM_X0,     // factor of x_0 in the posterior's mean
    FUM_DIFFUSION_FROM_XT,     // factor of x_t
    FUM_DIFFUSION_LEAST,       // ln β̃
    FUM_DIFFUSION_RANGE,       // ln β - ln β̃
    FUM_DIFFUSION_INVERSE,     // 1 / √ᾱ
    FUM_DIFFUSION_NOISE_RATIO, // √(1 / ᾱ - 1)
    FUM_DIFFUSION_FIRST,       // 1 at t = 0, else 0
    FUM_DIFFUSION_COLUMNS,
};

struct fum_diffusion {
    struct fum_sample_config config; // num_train_timesteps, betas, prediction_type
    bool min_snr;                    // loss.weighting
    double gamma;
    const float *table;      // [num_train_timesteps, FUM_DIFFUSION_COLUMNS]
    const double *alpha_bar; // [num_train_timesteps]
    const char *json;        // of scheduler_config.json
};

// Reads [scheduler], and fills the table. `variance`: the member variance_type of the JSON; NULL:
// no scheduler is saved.
// Failures are kept in the settings.
void fum_diffusion_configure(struct fum_training *t, struct fum_diffusion *diffusion,
                             const char *variance);
// Fills the table from the configuration. Returns false when memory is out.
bool fum_diffusion_fill(struct fum_diffusion *diffusion, fum_arena *arena);

// The pictures of a micro-batch at their timesteps.
struct fum_diffused {
    fum_tensor *x0, *noise, *xt;           // f32 [batch, height, width, channels]
    fum_tensor *t;                         // i32 [batch]
    fum_tensor *at[FUM_DIFFUSION_COLUMNS]; // numbers of the timesteps, [batch, 1, 1, 1]
};
// Draws timesteps and noise, and adds x_t.
void fum_diffusion_forward(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                           const struct fum_unet2d *unet, struct fum_diffused *d);
// Returns what the network must predict: the noise, x_0 or v.
fum_tensor *fum_diffusion_target(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                                 const struct fum_diffused *d);
// Returns the mean over everything of w(t) · (target - prediction)².
fum_tensor *fum_diffusion_simple(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                                 const struct fum_diffused *d, fum_tensor *prediction);
// Returns T · L_t of Nichol and Dhariwal (2021), the mean over everything in bits. `interpolation`
// is what the network says of the variance, between -1 (β̃) and 1 (β).
fum_tensor *fum_diffusion_bound(struct fum_micro_batch *m, const struct fum_diffusion *diffusion,
                                const struct fum_diffused *d, fum_tensor *prediction,
                                fum_tensor *interpolation);

#endif
