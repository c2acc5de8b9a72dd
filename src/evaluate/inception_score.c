// SPDX-License-Identifier: MIT
// Computes the inception score from logits.
#include "base/alloc.h"
#include "base/error.h"
#include "evaluate/measures.h"

#include <math.h>

// Stores p(y|x) of one row in `p`, and returns Σ p log p.
static double softmax_row(const float *logits, size_t classes, double *p) {
    double high = -INFINITY, sum = 0, entropy = 0;
    for (size_t i = 0; i < classes; i++) high = fmax(high, (double)logits[i]);
    for (size_t i = 0; i < classes; i++) sum += p[i] = exp((double)logits[i] - high);
    for (size_t i = 0; i < classes; i++) {
        p[i] /= sum;
        entropy += p[i] * ((double)logits[i] - high - log(sum));
    }
    return entropy;
}

// Returns the score of rows first to end. `p` and `mean` are scratch memory of a row each.
static double score_split(const struct fum_rows *logits, size_t first, size_t end, double *p,
                          double *mean) {
    double n = (double)(end - first), entropy = 0, divergence = 0;
    for (size_t c = 0; c < logits->width; c++) mean[c] = 0;
    for (size_t i = first; i < end; i++) {
        entropy += softmax_row(logits->f32 + i * logits->width, logits->width, p);
        for (size_t c = 0; c < logits->width; c++) mean[c] += p[c];
    }
    // E KL(p(y|x) ‖ p(y)) = E Σ p(y|x) log p(y|x) - Σ p(y) log p(y)
    divergence = entropy / n;
    for (size_t c = 0; c < logits->width; c++)
        if (mean[c] > 0) divergence -= mean[c] / n * log(mean[c] / n);
    return exp(divergence);
}

enum fum_result fum_inception_score(const struct fum_rows *logits, int splits, double *mean,
                                    double *deviation, struct fum_error *err) {
    size_t parts = (size_t)splits;
    double *scratch = fum_alloc(logits->width, 2 * sizeof *scratch),
           *scores = fum_alloc(parts, sizeof *scores);
    *mean = *deviation = 0;
    if (!scratch || !scores) {
        fum_free(scratch);
        fum_free(scores);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the inception score");
    }
    for (size_t i = 0; i < parts; i++) {
        scores[i] = score_split(logits, i * logits->count / parts, (i + 1) * logits->count / parts,
                                scratch, scratch + logits->width);
        *mean += scores[i] / (double)parts;
    }
    for (size_t i = 0; i < parts; i++)
        *deviation += (scores[i] - *mean) * (scores[i] - *mean) / (double)parts;
    *deviation = sqrt(*deviation);
    fum_free(scratch);
    fum_free(scores);
    return FUM_OK;
}
