// SPDX-License-Identifier: MIT
#include "ops/lib/discretised_gaussian.h"

#include <math.h>
#include <stdbool.h>

const double fum_discretised_least = 1e-12;

// Computes the cumulative function and the density at z, by a tanh in place of erf.
static double cumulate(double z, double *density) {
    const double c = sqrt(2 / 3.14159265358979323846);
    double t = tanh(c * (z + 0.044715 * z * z * z));
    *density = t * t < 1 ? 0.5 * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z) : 0;
    return 0.5 * (1 + t);
}

struct fum_discretised_bin fum_discretised_bin_of(double x, double mean, double log_scale) {
    bool first = x<-0.999, last = x> 0.999; // bins without a lower, or an upper, end
    double inverse = exp(-log_scale), upper_density, lower_density;
    double upper = inverse * (x - mean + 1.0 / 255), lower = inverse * (x - mean - 1.0 / 255);
    double below_upper = cumulate(upper, &upper_density);
    double below_lower = cumulate(lower, &lower_density);
    if (first) below_lower = lower_density = 0;
    if (last) {
        below_upper = 1;
        upper_density = 0;
    }
    return (struct fum_discretised_bin){
        .probability = below_upper - below_lower,
        .by_mean = (lower_density - upper_density) * inverse,
        .by_log_scale = lower_density * lower - upper_density * upper,
    };
}
