// SPDX-License-Identifier: MIT
// What the samplers share: settings with nothing unset, the training schedule, and the builder of
// evaluations.
#ifndef FUM_SAMPLE_PLAN_H
#define FUM_SAMPLE_PLAN_H

#include "sample/sample.h"

enum fum_sample_space {
    FUM_SPACE_TIME,  // integer timesteps: ddim, ddpm, pndm, lcm
    FUM_SPACE_SIGMA, // k-diffusion's: state = x0 + sigma * noise, fractional timesteps
    // state = alpha * x0 + sigma * noise, integer timesteps chosen among steps + 1: dpm++,
    FUM_SPACE_VP,
    // unipc
};

enum fum_schedule {
    FUM_SCHEDULE_DISCRETE,
    FUM_SCHEDULE_KARRAS,
    FUM_SCHEDULE_EXPONENTIAL,
    FUM_SCHEDULE_SGM_UNIFORM,
    FUM_SCHEDULE_SIMPLE,
    FUM_SCHEDULE_BETA,
    FUM_SCHEDULE_AYS,
    FUM_SCHEDULE_KL_OPTIMAL,
    FUM_SCHEDULE_COUNT,
};

struct fum_sample_plan;

// One sampler: its name, A1111's name for it, the diffusers class whose defaults and conventions it
// follows, and its builder.
struct fum_sampler {
    const char *name;
    const char *label;
    const char *class_name;
    enum fum_sample_space space;
    bool (*build)(struct fum_sample_plan *plan);
    // only what differs from the common defaults; the rest unset (zero)
    struct fum_sample_config defaults;
    bool rescales;      // the class has rescale_betas_zero_snr
    bool flags;         // the class has use_karras_sigmas and its like
    bool sigma_ends;    // the class has sigma_min and sigma_max
    bool final_sigma;   // the class has final_sigmas_type
    bool final_repeats; // its sigma_min is the last sigma of a curve, not of the training schedule
    bool rounds_karras; // karras timesteps are rounded to whole numbers
    bool takes_eta;     // eta changes the result
    double eta;         // the sampler's own
    bool precise_times; // timesteps of the plain spacings are not rounded to f32
    int order;          // dpm++ and unipc; 0 takes config.solver_order
    bool sde;           // dpm++: adds noise unless eta is 0
};

struct fum_sample_plan {
    const struct fum_sampler *sampler;
    enum fum_schedule schedule;
    struct fum_sample_config c; // nothing unset
    int order;
    bool sde;
    // noise levels and preconditioning of Karras et al. (2022) in place of training timesteps
    bool edm;
    int steps; // of the whole schedule
    int start; // first step taken (strength)
    double eta;
    bool sdxl;
    int train; // c.num_train_timesteps
    // train cumulative products of 1 - beta, in f32 as torch holds them
    float *alpha_bar;
    float *train_sigma, *log_sigma; // sqrt((1 - alpha_bar) / alpha_bar) and its logarithm
    double *t;                      // steps timesteps (pndm and lcm make their own)
    double *sigma;                  // steps + 1 sigmas, f32 values
    double *exact;                  // steps sigmas before rounding to f32
    struct fum_sample_program *program;
    struct fum_error *err;
};

// train.c: fills alpha_bar, train_sigma, log_sigma.
bool fum_plan_train(struct fum_sample_plan *plan);

// sigmas.c: fills t, sigma and exact.
bool fum_plan_schedule(struct fum_sample_plan *plan);
// Fills t with `count` evenly spaced timesteps, from the largest to the smallest; `of` is what they
// are spaced as (count, or count + 1 with the last left out). Whole numbers unless `fractional`.
void fum_plan_spacing(const struct fum_sample_plan *plan, double *t, int count, int of,
                      bool fractional);
// The fractional timestep whose sigma this is, by interpolation in log sigma. `single`: in f32
// arithmetic, as diffusers does for values that it holds in f32.
double fum_plan_sigma_to_t(const struct fum_sample_plan *plan, double sigma, bool single);

// special.c: the quantile of the Beta(a, b) distribution.
double fum_beta_quantile(double p, double a, double b);

// table.c: return the record of a name or NULL. The second is for models with EDM's noise levels.
const struct fum_sampler *fum_sampler_find(const char *name);
const struct fum_sampler *fum_sampler_find_edm(const char *name);
// Returns the record that stands for the settings' class; NULL when there is none.
const struct fum_sampler *fum_sampler_of_class(const struct fum_sample_config *config);
bool fum_sampler_runs_on(const struct fum_sampler *sampler, int schedule);
// Returns the schedule of that name, -1 when there is none; and A1111's name for it.
int fum_schedule_find(const char *name);
const char *fum_schedule_label(enum fum_schedule schedule);
// True if the settings' class has EDM's noise levels.
bool fum_sample_config_edm(const struct fum_sample_config *config);
// Returns the solver order of the settings, or its default.
int fum_sample_config_order(const struct fum_sample_config *config);

// plan.c: the builder's side.
// Makes room for `evals` evaluations over `slots` slots; false when memory is out (err is set).
bool fum_plan_reserve(struct fum_sample_plan *plan, int evals, int slots);
// The next evaluation, all zero except noise_row -1; `step` counts from 0.
struct fum_sample_eval *fum_plan_eval(struct fum_sample_plan *plan, double timestep, int step);
// Returns how much of x0 a state of the VP space holds at this sigma / alpha; 1 for EDM models,
// whose state is scaled as in sigma space.
double fum_plan_alpha(const struct fum_sample_plan *plan, double ratio);
// Splits a step between two sigmas into the way down and the noise that leads back up
// (k-diffusion's get_ancestral_step).
void fum_plan_ancestral(const struct fum_sample_plan *plan, double from, double to, double *down,
                        double *up);
// Gives the evaluation the next noise tensor with this weight in slot k.
void fum_plan_noise(struct fum_sample_plan *plan, struct fum_sample_eval *ev, int k, double weight);
// D = x0 for a model evaluated on sigma-space state (c_in too), or on variance-preserving state of
// this alpha_bar. An EDM model's state is of the first kind in every space.
void fum_plan_denoise_sigma(const struct fum_sample_plan *plan, struct fum_sample_eval *ev,
                            double sigma);
void fum_plan_denoise_vp(const struct fum_sample_plan *plan, struct fum_sample_eval *ev,
                         double alpha, double sigma);

// The builders.
bool fum_build_ddim(struct fum_sample_plan *plan);
bool fum_build_ddpm(struct fum_sample_plan *plan);
bool fum_build_lcm(struct fum_sample_plan *plan);
bool fum_build_pndm(struct fum_sample_plan *plan);
bool fum_build_euler(struct fum_sample_plan *plan);
bool fum_build_euler_a(struct fum_sample_plan *plan);
bool fum_build_lms(struct fum_sample_plan *plan);
bool fum_build_heun(struct fum_sample_plan *plan);
bool fum_build_dpm2(struct fum_sample_plan *plan);
bool fum_build_dpm2_a(struct fum_sample_plan *plan);
bool fum_build_dpmpp_2s_a(struct fum_sample_plan *plan);
bool fum_build_dpmpp_sde(struct fum_sample_plan *plan);
bool fum_build_dpmpp_multi(struct fum_sample_plan *plan);
bool fum_build_unipc(struct fum_sample_plan *plan);

#endif
