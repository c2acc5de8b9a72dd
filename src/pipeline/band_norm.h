// SPDX-License-Identifier: MIT
// Collects the statistics of every channel of a value that comes in bands, and makes the factors of
// a group norm from them.
#ifndef FUM_PIPELINE_BAND_NORM_H
#define FUM_PIPELINE_BAND_NORM_H

#include "base/view.h"
#include "pipeline/pipeline.h"

// Over all rows seen so far.
struct fum_channel_moments {
    double *mean, *m2, count;
    int channels;
};

// Begins anew. Returns false when memory is out.
bool fum_channel_moments_make(struct fum_channel_moments *m, int channels);
void fum_channel_moments_free(struct fum_channel_moments *m);
// Adds chunks [chunks, 2, channels] of `rows` rows as channel_stats cut them.
void fum_channel_moments_add(struct fum_channel_moments *m, const float *stats, int64_t chunks,
                             int64_t rows);
bool fum_channel_moments_finite(const struct fum_channel_moments *m);

// Makes the norm of that module a scale and a shift for every channel: factors [2, channels].
enum fum_result fum_band_norm_factors(const struct fum_component *component,
                                      const struct fum_channel_moments *m, const char *norm,
                                      float *factors, struct fum_error *err);

#endif
