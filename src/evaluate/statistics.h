// SPDX-License-Identifier: MIT
// The mean and covariance of features, and the Fréchet distance between two of them.
#ifndef FUM_EVALUATE_STATISTICS_H
#define FUM_EVALUATE_STATISTICS_H

#include "evaluate/rows.h"

struct fum_statistics {
    size_t width;
    double *mean;       // [width]
    double *covariance; // [width, width], over n - 1; NULL until it is computed
};
void fum_statistics_free(struct fum_statistics *statistics);

// Computes the mean of at least one row.
enum fum_result fum_statistics_mean(struct fum_statistics *statistics, const struct fum_rows *rows,
                                    struct fum_error *err);
// Computes the covariance of at least two rows around the mean, unless it is there.
enum fum_result fum_statistics_covariance(struct fum_statistics *statistics,
                                          const struct fum_rows *rows, struct fum_error *err);

// Statistics, and the rows that they are of. rows.count 0: only the statistics are known.
struct fum_distribution {
    struct fum_statistics *statistics;
    struct fum_rows rows;
};
// Computes FID = |μ₁ - μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½), also for singular Σ. `distributions` are
// two of the same width, of at least two rows where rows are known.
enum fum_result fum_frechet_distance(const struct fum_distribution *distributions, double *distance,
                                     struct fum_error *err);

#endif
