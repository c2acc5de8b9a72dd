// SPDX-License-Identifier: MIT
// What discretised_gaussian and its gradient share: the probability of a bin.
#ifndef FUM_OPS_DISCRETISED_GAUSSIAN_H
#define FUM_OPS_DISCRETISED_GAUSSIAN_H

enum {
    FUM_DISCRETISED_X,
    FUM_DISCRETISED_MEAN,
    FUM_DISCRETISED_LOG_SCALE,
    FUM_DISCRETISED_DY,
};

// A probability that is below this counts as this.
extern const double fum_discretised_least;

// The probability of an element's bin, and its derivatives.
struct fum_discretised_bin {
    double probability, by_mean, by_log_scale;
};
struct fum_discretised_bin fum_discretised_bin_of(double x, double mean, double log_scale);

#endif
