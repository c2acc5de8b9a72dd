// SPDX-License-Identifier: MIT
// The stochastic processes of Song et al., "Score-based generative modeling through stochastic
// differential equations" (2021): variance-preserving and variance-exploding.
#ifndef FUM_SAMPLE_PROCESS_H
#define FUM_SAMPLE_PROCESS_H

#include <fumarole/core.h>

struct fum_sample_config;

struct fum_process {
    bool exploding;
    double beta_min, beta_max;   // of the preserving process
    double sigma_min, sigma_max; // of the exploding one
    double eps;                  // smallest time
    double snr;                  // of the corrector
    int correct_steps;
};

// Reads the process of a model's scheduler. FUM_ERR_UNSUPPORTED: it has timesteps instead.
// FUM_ERR_FORMAT: a number is out of range.
enum fum_result fum_process_read(struct fum_process *process,
                                 const struct fum_sample_config *config, struct fum_error *err);

// The process at a time: dx = drift · x dt + diffusion dw.
struct fum_process_levels {
    double drift, diffusion;
    double deviation; // of the noise in x_t
    double time;      // as the network takes it
    double score;     // the score is this factor times what the network gives
};
struct fum_process_levels fum_process_at(const struct fum_process *process, double t);
// Returns the deviation of the noise at time 1, which sampling begins with.
double fum_process_prior_deviation(const struct fum_process *process);

#endif
