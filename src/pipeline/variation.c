// SPDX-License-Identifier: MIT
// Varies the first noise of a seed by that of another one, as A1111's variation seed does.
#include "base/rng.h"
#include "pipeline/pipeline.h"

#include <math.h>

uint64_t fum_run_seed(const struct fum_run *run, int image) {
    const struct fum_generate_params *p = run->params;
    return p->subseed_strength > 0 ? p->seed : p->seed + (uint64_t)image;
}

// The columns of a tensor [channels, height, width]: A1111 takes each for a vector.
struct columns {
    size_t count, height, width;
};

static size_t find_column(const struct columns *c, size_t i) {
    return i / c->width * c->height * c->width + i % c->width;
}

// Returns the cosine of the angle between two columns.
static double find_cosine(const struct columns *c, const float *a, const float *b, size_t i) {
    double aa = 0, bb = 0, ab = 0;
    size_t at = find_column(c, i);
    for (size_t y = 0; y < c->height; y++, at += c->width) {
        aa += (double)a[at] * (double)a[at];
        bb += (double)b[at] * (double)b[at];
        ab += (double)a[at] * (double)b[at];
    }
    return ab / sqrt(aa * bb);
}

// Mixes `share` of a column of b into that of a.
static void mix_column(const struct columns *c, float *a, const float *b, size_t i, double share) {
    double angle = acos(find_cosine(c, a, b, i)), whole = sin(angle);
    double from = sin((1 - share) * angle) / whole, to = sin(share * angle) / whole;
    size_t at = find_column(c, i);
    for (size_t y = 0; y < c->height; y++, at += c->width)
        a[at] = (float)(from * (double)a[at] + to * (double)b[at]);
}

void fum_noise_vary(const struct fum_run *run, uint64_t seed, float *noise, float *room) {
    const struct columns c = {(size_t)run->latent_channels * (size_t)run->latent_width,
                              (size_t)run->latent_height, (size_t)run->latent_width};
    double share = run->params->subseed_strength, mean = 0;
    struct fum_rng rng;
    fum_rng_init(&rng, run->params->rng, seed);
    fum_rng_normal(&rng, room, c.count * c.height);
    for (size_t i = 0; i < c.count; i++) mean += find_cosine(&c, noise, room, i) / (double)c.count;
    // A1111 has this limit, and takes the shares the other way round beyond it.
    bool parallel = mean > 0.9995;
    for (size_t i = 0; i < c.count && !parallel; i++) mix_column(&c, noise, room, i, share);
    for (size_t i = 0; i < c.count * c.height && parallel; i++)
        noise[i] = (float)(share * (double)noise[i] + (1 - share) * (double)room[i]);
}
