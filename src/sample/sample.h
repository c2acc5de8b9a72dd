// SPDX-License-Identifier: MIT
// Declares samplers as data.
//
// Everything a sampler does between two model evaluations is linear in the state it keeps, the
// denoised prediction and fresh noise. So a sampler here is a function from a schedule to one row
// of coefficients per model evaluation, computed once on the host in double. The device runs the
// same kernel for all of them:
//
//     model input = c_in * history[0]
//     raw         = a * history[0] + b * (model output at `timestep`, guided)
//     D           = raw, clamped to ±clip if clip > 0
//     history'[k] = sum_j m[k][j] * history[j] + m[k][FUM_SAMPLE_D] * D
//                   + m[k][FUM_SAMPLE_NOISE] * noise[noise_row] + m[k][FUM_SAMPLE_RAW] * raw
//
// Exceptions are a correction, whose weights are found from norms on the device, and an adaptive
// program.
//
// history[0] is the point at which the model is evaluated; after the last evaluation it is the
// finished sample. The reference is diffusers 0.42, whose classes samplers.def names. It
// is k-diffusion for dpm++2s_a, and for eta where diffusers has none.
#ifndef FUM_SAMPLE_SAMPLE_H
#define FUM_SAMPLE_SAMPLE_H

#include "base/sampler_row.h"
#include "sample/process.h"

#include <fumarole/core.h>
#include <fumarole/sampler.h>

#include <cjson/cJSON.h>

enum {
    // columns of m: for D, for noise, and for D before it was clamped
    FUM_SAMPLE_D = FUM_SAMPLER_MAX_HISTORY + FUM_COLUMN_PREDICTION,
    FUM_SAMPLE_NOISE = FUM_SAMPLER_MAX_HISTORY + FUM_COLUMN_NOISE,
    FUM_SAMPLE_RAW = FUM_SAMPLER_MAX_HISTORY + FUM_COLUMN_UNCLAMPED,
    FUM_SAMPLE_INPUTS = FUM_SAMPLER_MAX_HISTORY + FUM_COLUMNS_MORE,
    FUM_SAMPLE_MAX_TRAIN = 100000, // most training timesteps accepted
};

enum fum_prediction {
    FUM_PREDICT_UNSET = 0,
    FUM_PREDICT_EPSILON,
    FUM_PREDICT_V,
    FUM_PREDICT_SAMPLE,
};

enum fum_spacing {
    FUM_SPACING_UNSET = 0,
    FUM_SPACING_LEADING,
    FUM_SPACING_LINSPACE,
    FUM_SPACING_TRAILING,
};

enum fum_betas {
    FUM_BETAS_UNSET = 0,
    FUM_BETAS_LINEAR,
    FUM_BETAS_SCALED_LINEAR,
    FUM_BETAS_SQUAREDCOS, // squaredcos_cap_v2
};

// Three-valued switches of a scheduler's settings. An unset switch takes the sampler's default.
enum fum_switch {
    FUM_SWITCH_UNSET = 0,
    FUM_SWITCH_OFF,
    FUM_SWITCH_ON,
};

// The settings of scheduler_config.json, with their diffusers names. An unset key (0, NAN for
// reals, -1 for steps_offset) takes the default of the diffusers class that the sampler implements.
// A key that this class does not know is skipped, as `Class.from_config(other.config)` does. Start
// from fum_sample_config_unset().
struct fum_sample_config {
    char class_name[64]; // "_class_name"; "" when there is none
    int num_train_timesteps;
    enum fum_betas beta_schedule;
    double beta_start, beta_end;
    enum fum_switch rescale_betas_zero_snr;
    enum fum_prediction prediction_type;
    enum fum_spacing timestep_spacing;
    int steps_offset;
    enum fum_switch set_alpha_to_one;
    enum fum_switch clip_sample;
    double clip_sample_range;
    // Clamps the denoised prediction to -1..1 in the classes that know it. If sample_max_value is
    // above 1, the bound is a quantile of its magnitudes, and the result is divided by the bound.
    enum fum_switch thresholding;
    double sample_max_value, dynamic_thresholding_ratio;
    // ddpm: fixed_small (default), fixed_small_log, fixed_large, learned, learned_range
    char variance_type[24];
    enum fum_switch skip_prk_steps;
    int solver_order;        // dpm++ and unipc when no sampler name is given
    char algorithm_type[24]; // dpmsolver++ or sde-dpmsolver++, when no sampler name is given
    char solver_type[16];    // midpoint or heun; bh1 or bh2
    enum fum_switch lower_order_final, euler_at_final;
    enum fum_switch use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas;
    // ends of the karras, exponential and beta schedules (euler, unipc, EDM)
    double sigma_min, sigma_max;
    // The pipeline of the model scales its output by Karras et al. (2022), table 1, for data of
    // unit deviation, and its time embedding reads ln(sigma) / 4. Not a setting of the file.
    bool preconditioned;
    double sigma_data, rho;     // EDM classes: deviation of the data, bend of the karras schedule
    char sigma_schedule[16];    // EDM classes: karras or exponential
    char final_sigmas_type[16]; // zero or sigma_min
    int original_inference_steps;
    double timestep_scaling;
    // ScoreSde classes: noise per time at 0 and at 1, smallest time, the corrector's ratio of
    // signal to noise and its steps (-1: unset)
    double beta_min, beta_max, sampling_eps, snr;
    int correct_steps;
    char ignored[128]; // settings of the file that no sampler here follows, separated by ", "; ""
                       // if none
};

struct fum_sample_config fum_sample_config_unset(void);
// Returns diffusers' name of the value. NULL: the value is unset.
const char *fum_spacing_word(enum fum_spacing spacing);
const char *fum_prediction_word(enum fum_prediction prediction);
// Reads such a name. An unknown one is FUM_ERR_ARG, and the error lists the known ones.
enum fum_result fum_spacing_parse(enum fum_spacing *spacing, const char *word,
                                  struct fum_error *err);
enum fum_result fum_betas_parse(enum fum_betas *betas, const char *word, struct fum_error *err);
enum fum_result fum_prediction_parse(enum fum_prediction *prediction, const char *word,
                                     struct fum_error *err);
// Returns the settings that Stable Diffusion 1, 2 and XL were trained with, for single files. They
// are 1000 steps, scaled_linear from 0.00085 to 0.012, leading, steps_offset 1, and epsilon.
// set_alpha_to_one and clip_sample are false, skip_prk_steps is true.
struct fum_sample_config fum_sample_config_sd(void);
// Reads scheduler_config.json. Keys listed in its "_use_default_values" stay unset. Settings of the
// training (betas, prediction) must be supported, else FUM_ERR_UNSUPPORTED. Settings of the solver
// that no sampler here implements (Lu's lambdas, flow sigmas, …) are noted in
// `ignored`, so that the caller can warn.
enum fum_result fum_sample_config_read(struct fum_sample_config *config, const cJSON *object,
                                       struct fum_error *err);
// Fills the betas of the training timesteps, num_train_timesteps of them, rounded to f32 as torch
// holds them. They are as trained: rescale_betas_zero_snr is a matter of sampling.
void fum_noise_schedule_betas(const struct fum_sample_config *config, float *beta);
// Returns the name of the sampler for the settings' class: "euler" if they name none, NULL if the
// class has no counterpart here.
const char *fum_sample_config_sampler(const struct fum_sample_config *config);
// True if a run with these settings clips the denoised prediction. The class's default applies if
// they do not set it.
bool fum_sample_config_clips(const struct fum_sample_config *config);

// True if the model was trained in continuous time, and not on timesteps.
bool fum_sample_config_continuous(const struct fum_sample_config *config);

// Sigmas of "Align Your Steps" (Sabour et al. 2024), published for ten steps of a model.
enum { FUM_AYS_SIGMAS = 11 };
extern const float fum_ays_sd15[FUM_AYS_SIGMAS], fum_ays_sdxl[FUM_AYS_SIGMAS];

// Returns the timesteps of the training.
int fum_sample_config_timesteps(const struct fum_sample_config *config);
// Fills the cumulative product of 1 - beta for each of them, as a training adds its noise. EDM
// models, which have none, are FUM_ERR_UNSUPPORTED.
enum fum_result fum_sample_config_alphas(const struct fum_sample_config *config, double *alphas,
                                         struct fum_error *err);
// Does the same with the betas, unless `betas` is NULL.
enum fum_result fum_sample_config_levels(const struct fum_sample_config *config, double *betas,
                                         double *alphas, struct fum_error *err);

struct fum_sample_params {
    const char *sampler; // NULL: `own`, or euler if that cannot visit the levels that are requested
    const char *own;     // NULL: the one that config.class_name names, euler when it names none
    const char *schedule; // NULL: what the config's use_*_sigmas say, else "discrete"
    int steps;            // 1 … num_train_timesteps; not read with sigmas
    // Noise levels to visit in place of a schedule's, falling; the last one may be 0. A step leads
    // from each to the next. NULL: those of the schedule.
    const double *sigmas;
    int num_sigmas;
    // share of the noise that is added back, at most FUM_MAX_ETA; 0: the default; below 0: none
    double eta;
    // share of the steps that is redone from a start image, in (0, 1]; 0: from pure noise
    double strength;
    const float *ays; // the model's table for the schedule "ays"; NULL: fum_ays_sd15
    // DDIM in reverse, from a picture to the noise that it comes from; `sampler` is "ddim"
    bool invert;
    struct fum_sample_config config;
};

struct fum_sample_eval {
    double timestep; // for the model's time embedding; may be fractional
    double c_in, a, b;
    double clip; // 0: D is not clamped
    // Half the logarithm of the largest variance over the smallest, between which the model chooses
    // (learned_range); 0: it is fixed. The noise has the weight of the smallest.
    double spread;
    // CFG++ as a guidance: the factor of the scale by which the step moves along the prediction
    // without the prompt. 0: the sampler has no CFG++.
    double plus;
    // Factor of a classifier's gradient of log p(y | x_t), added to the model's output; 0: none.
    // If guides_mean is set, it is added to the noise, so that the mean moves by the variance.
    double guide;
    // A step whose size is found from norms: the factor in s = factor · (‖noise‖ / ‖output‖)².
    // The weight of D is then times s, that of the noise times √(2 s). Norms are means over the
    // batch. 0: no such step.
    double correction;
    // A start image that is noised as much as history[0] before this evaluation:
    // image_level * latents + noise_level * unit noise. Both 0: unknown, in continuous time.
    double image_level, noise_level;
    int noise_row; // which of the noise_rows tensors this evaluation uses; -1: none
    double m[FUM_SAMPLER_MAX_HISTORY][FUM_SAMPLE_INPUTS];
    int step;      // the user-visible step this evaluation belongs to, from 0
    bool step_end; // the last evaluation of that step
};

struct fum_sample_program {
    const char *sampler, *schedule;             // the names in force
    const char *sampler_label, *schedule_label; // the same as A1111 spells them
    // in use; unset for EDM models, which have no training timesteps
    enum fum_spacing spacing;
    enum fum_prediction prediction; // in force
    bool takes_eta;                 // the sampler uses eta
    double eta, default_eta;        // the one in force, and the sampler's own
    int evals;                      // model evaluations
    int history; // tensors kept, 1 … FUM_SAMPLER_MAX_HISTORY; all but history[0] start as zero
    int steps;   // user-visible steps (after `strength` cut the first ones off)
    // noise tensors after the initial one, drawn in this order from the same generator
    int noise_rows;
    bool learned_variance; // evaluations have a spread, or the variance is direct
    bool variance_direct;  // the model gives the variance itself; the noise has a weight of 1
    // Dynamic thresholding: the bound of a picture's prediction is this quantile of its magnitudes,
    // 1 to threshold_max. 0: none.
    double threshold_ratio, threshold_max;
    bool guides_mean; // a classifier moves the mean of each step, not the model's output
    bool corrects;    // some evaluations have a correction
    // Steps are chosen while it runs. The only evaluation replaces history[0] by the model's
    // output.
    bool adaptive;
    struct fum_process process; // of a sampler in continuous time
    // history[0] starts as init_scale * unit noise + image_scale * latents of the start image
    double init_scale;
    double image_scale; // 0 without a start image
    int sigma_count;    // steps of the whole schedule + 1 (samplers in sigma space), else 0
    double *sigmas;     // sigma_count of them, from noisy to clean
    struct fum_sample_eval *eval;
};

// True for a sampler that guides as CFG++ by itself. NULL is none.
bool fum_sampler_is_plus(const char *name);

// Creates the program of a run. *program is NULL on error. FUM_ERR_ARG: an unknown name or a bad
// number. FUM_ERR_FORMAT: a bad number of the configuration. FUM_ERR_UNSUPPORTED: a combination
// without a meaning (ddim on karras, epsilon prediction at zero terminal SNR). FUM_ERR_NOMEM.
enum fum_result fum_sample_create(struct fum_sample_program **program,
                                  const struct fum_sample_params *params, struct fum_error *err);
void fum_sample_destroy(struct fum_sample_program **program);

// Writes the rows for the device, one per evaluation, in the layout of base/sampler_row.h with K =
// program->history. Each takes fum_sample_row_size floats. `rows` has `stride` floats (at least
// that many) per evaluation, and those past the row are zeroed.
size_t fum_sample_row_size(const struct fum_sample_program *program);
void fum_sample_coefs(const struct fum_sample_program *program, double guidance, float *rows,
                      size_t stride);

// The values of one evaluation. `state` is program->history arrays of `count` values one after
// another, and is updated. `model_out` is the (guided) model output, `noise` the tensor of
// eval[e].noise_row. NULL: the evaluation uses no noise.
struct fum_sample_values {
    double *state;
    const double *model_out, *noise;
    size_t count;
};
// Computes the update of evaluation `e` on the host, without dynamic thresholding.
void fum_sample_apply(const struct fum_sample_program *program, int e,
                      const struct fum_sample_values *values);

#endif
