// SPDX-License-Identifier: MIT
// Declares what the samplers share: settings with nothing unset, the noise schedule, and the
// functions that add evaluations to a program.
#ifndef FUM_SAMPLE_BUILDER_H
#define FUM_SAMPLE_BUILDER_H

#include "sample/sample.h"

enum fum_sample_space {
    FUM_SPACE_TIME,       // integer timesteps: ddim, ddpm, pndm, lcm
    FUM_SPACE_SIGMA,      // k-diffusion's: state = x0 + sigma * noise, fractional timesteps
    FUM_SPACE_CONTINUOUS, // continuous time between 0 and 1: sde, pc, ode
    FUM_SPACE_VP,         // state = alpha * x0 + sigma * noise, integer timesteps: dpm++, unipc
};

enum fum_schedule {
#define FUM_SCHEDULE(place, name, label) FUM_SCHEDULE_##place,
#include "sample/schedules.def"
#undef FUM_SCHEDULE
    FUM_SCHEDULE_COUNT,
};

struct fum_sample_builder;

// One sampler, a row of samplers.def. `defaults` holds only what differs from the common defaults;
// its other fields are zero.
struct fum_sampler {
    bool (*build)(struct fum_sample_builder *builder); // false on error, with builder->err set
    const char *name;
    const char *label; // A1111's name
    const char
        *class_name; // the diffusers class whose defaults and conventions it follows, or NULL
    enum fum_sample_space space;
    struct fum_sample_config defaults;
    bool rescales;      // the class has rescale_betas_zero_snr
    bool has_schedules; // the class has use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas
    bool sigma_ends;    // the class has sigma_min and sigma_max
    bool final_sigma;   // the class has final_sigmas_type
    bool ends_low;      // the last sigma is never 0, but as with final_sigmas_type sigma_min
    bool final_repeats; // its sigma_min is the last sigma of a curve, not of the noise schedule
    bool rounds_karras; // karras timesteps are rounded to whole numbers …
    bool cosine_unrounded; // … except on squaredcos_cap_v2 betas
    bool unipc_solvers;    // solver_type is bh1 or bh2, not midpoint or heun
    bool takes_eta;        // eta changes the result
    bool thresholds;       // the class has thresholding
    double eta;            // the sampler's default
    bool precise_times;    // timesteps of the plain spacings are not rounded to f32
    int order;             // dpm++ and unipc; 0 takes config.solver_order
    bool plus;             // guides as CFG++
    bool sde;              // dpm++: adds noise unless eta is 0
    bool heun;             // dpm++: solver_type is heun whatever the settings say
};

// The noise levels of the training timesteps, in f32 as torch holds them. EDM models have no
// alpha_bar: their levels are even in log sigma.
struct fum_noise_schedule {
    int count;        // config.num_train_timesteps
    float *alpha_bar; // cumulative products of 1 - beta
    float *sigma;     // sqrt((1 - alpha_bar) / alpha_bar)
    float *log_sigma;
};

struct fum_sample_builder {
    const struct fum_sampler *sampler;
    enum fum_schedule schedule;
    struct fum_sample_config c; // nothing unset
    int order;
    bool sde;
    bool invert; // from the picture to the noise
    bool edm;    // noise levels and preconditioning of Karras et al. (2022), no training timesteps
    int steps;   // of the whole schedule
    int start;   // first step taken (strength)
    double eta;
    const float *ays;    // FUM_AYS_SIGMAS of them
    const double *given; // steps + 1 sigmas in place of the schedule's; NULL: none
    struct fum_noise_schedule noise;
    double *t;     // steps timesteps (pndm and lcm make their own)
    double *sigma; // steps + 1 sigmas, f32 values
    double *exact; // steps + 1 sigmas before rounding to f32
    struct fum_sample_program *program;
    struct fum_error *err;
};

// Returns element i of torch.linspace in f32: from both ends towards the middle, each value rounded
// once (noise_schedule.c).
float fum_linspace_f32(float from, float to, int count, int i);
// Computes builder->noise (noise_schedule.c). Returns false when memory is out, with err set.
bool fum_noise_schedule_fill(struct fum_sample_builder *builder);
void fum_noise_schedule_free(struct fum_noise_schedule *noise);

// Fills t, sigma and exact (sigmas.c). Returns false when memory is out, with err set.
bool fum_sample_build_schedule(struct fum_sample_builder *builder);
// Fills t with `count` evenly spaced timesteps, from the largest to the smallest. `of` is the
// number that they are spaced for: count, or count + 1 with the last left out. Whole numbers unless
// `fractional`.
void fum_sample_build_spacing(const struct fum_sample_builder *builder, double *t, int count,
                              int of, bool fractional);
// Returns the fractional timestep of a sigma by interpolation in log sigma. `single` computes in
// f32, as diffusers does for values that it holds in f32.
double fum_sample_build_sigma_to_t(const struct fum_sample_builder *builder, double sigma,
                                   bool single);

// Returns the quantile of the Beta(a, b) distribution (special.c).
double fum_beta_quantile(double p, double a, double b);

// Returns the record of a name, or NULL (table.c). The second is for models with EDM's noise
// levels.
const struct fum_sampler *fum_sampler_find(const char *name);
const struct fum_sampler *fum_sampler_find_edm(const char *name);
// Returns the record for the settings' class, or NULL.
const struct fum_sampler *fum_sampler_of_class(const struct fum_sample_config *config);
bool fum_sampler_runs_on(const struct fum_sampler *sampler, int schedule);
// Returns the schedule of that name, or -1.
int fum_schedule_find(const char *name);
// True if the settings' class has EDM's noise levels.
bool fum_sample_config_edm(const struct fum_sample_config *config);
// Returns the solver order of the settings, or its default.
int fum_sample_config_order(const struct fum_sample_config *config);

// Allocates `evals` evaluations over `history` tensors. Returns false when memory is out, with err
// set. This and the functions below are what a build function calls (builder.c).
bool fum_sample_build_reserve(struct fum_sample_builder *builder, int evals, int history);
// Adds the next evaluation, all zero except noise_row -1. `step` counts from 0.
struct fum_sample_eval *fum_sample_build_eval(struct fum_sample_builder *builder, double timestep,
                                              int step);
// Returns the factor of x0 in a state of the VP space at this sigma / alpha. It is 1 for EDM
// models, whose state is scaled as in sigma space.
double fum_sample_build_alpha(const struct fum_sample_builder *builder, double ratio);
// Splits a step between two sigmas into the way down and the noise that leads back up, as
// k-diffusion's get_ancestral_step.
void fum_sample_build_ancestral(const struct fum_sample_builder *builder, double from, double to,
                                double *down, double *up);
// Gives the evaluation the next noise tensor with this weight in history[k].
void fum_sample_build_noise(struct fum_sample_builder *builder, struct fum_sample_eval *ev, int k,
                            double weight);
// Sets the factor of a classifier's gradient for a model evaluated at x_t = alpha x0 + sigma
// epsilon. The predicted epsilon gets -sigma times it (Dhariwal and Nichol 2021, algorithm 2).
void fum_sample_build_guide(const struct fum_sample_builder *builder, struct fum_sample_eval *ev,
                            double alpha, double sigma);
// Sets D = x0 for a model evaluated on sigma-space state (c_in too), or on variance-preserving
// state of this alpha_bar. An EDM model's state is of the first kind in every space.
void fum_sample_build_denoise_sigma(const struct fum_sample_builder *builder,
                                    struct fum_sample_eval *ev, double sigma);
void fum_sample_build_denoise_vp(const struct fum_sample_builder *builder,
                                 struct fum_sample_eval *ev, double alpha, double sigma);

// Builds DDIM from the picture to the noise (invert.c).
bool fum_build_ddim_inverse(struct fum_sample_builder *builder);

// Declares the samplers' build functions.
#define FUM_SAMPLER(file, function, ...) \
    bool fum_build_##function(struct fum_sample_builder *builder);
#include "sample/samplers.def"
#undef FUM_SAMPLER

#endif
