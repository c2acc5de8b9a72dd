// SPDX-License-Identifier: MIT
// Measures of sets of features, beside the Fréchet distance (statistics.h).
#ifndef FUM_EVALUATE_MEASURES_H
#define FUM_EVALUATE_MEASURES_H

#include "evaluate/rows.h"

// Computes the inception score (Salimans et al. 2016) of logits: mean and population deviation of
// exp E KL(p(y|x) ‖ p(y)) over `splits` parts in file order, none of them empty.
enum fum_result fum_inception_score(const struct fum_rows *logits, int splits, double *mean,
                                    double *deviation, struct fum_error *err);

// How the kernel distance draws its subsets.
struct fum_kid_params {
    int subsets;
    size_t size; // of each set, at most as many as the smaller one has; 0: both whole, once
    uint64_t seed;
};
// Computes the kernel distance (Bińkowski et al. 2018): the mean of the unbiased MMD² over subsets,
// with k(x, y) = (xᵀy / d + 1)³. Sets have at least two rows.
enum fum_result fum_kernel_distance(const struct fum_rows sets[2],
                                    const struct fum_kid_params *params, double *distance,
                                    struct fum_error *err);

// Returns the share of rows whose largest logit, the first of equal ones, is that of their label.
double fum_accuracy(const struct fum_rows *logits, const int32_t *labels);

enum { FUM_NEIGHBOUR = 3 }; // whose distance is the radius of a point's ball

// Computes precision and recall (Kynkäänniemi et al. 2019) of sets[1] against sets[0], each of more
// than FUM_NEIGHBOUR rows.
enum fum_result fum_precision_recall(const struct fum_rows sets[2], double *precision,
                                     double *recall, struct fum_error *err);

#endif
