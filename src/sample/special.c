// SPDX-License-Identifier: MIT
// Computes the quantile of the Beta distribution (scipy.stats.beta.ppf), for the schedule "beta" of
// Lee et al. (2024).
#include "sample/builder.h"

#include <math.h>

// Returns the continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22).
static double beta_fraction(double x, double a, double b) {
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 300; m++) {
        for (int odd = 0; odd < 2; odd++) {
            double k = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                           : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + k * d;
            c = 1 + k / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            h *= d * c;
        }
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return h;
}

// Returns the regularised incomplete beta function I_x(a, b).
static double beta_cdf(double x, double a, double b) {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double fum_beta_quantile(double p, double a, double b) {
    if (p <= 0 || p >= 1) return p <= 0 ? 0 : 1;
    double low = 0, high = 1;
    for (int i = 0; i < 200 && high - low > 1e-17 * high; i++) {
        double mid = 0.5 * (low + high);
        if (mid == low || mid == high) break;
        if (beta_cdf(mid, a, b) < p)
            low = mid;
        else
            high = mid;
    }
    return 0.5 * (low + high);
}
