// SPDX-License-Identifier: MIT
// Quantises blocks of 256 values. Several scales are tried for each group. Each gives codes, and
// least squares find the best scale and minimum of these; the one with the least error stays.
// Errors of large values weigh more.
#include "base/block.h"

#include "base/dtype.h"
#include "base/macros.h"

#include <math.h>
#include <string.h>

enum { COUNT = FUM_BLOCK_MAX_VALUES, MAX_GROUP = 32 };
enum { TRIES = 10 };  // on either side of the scale that spans the range
#define TRY_STEP 0.1f // codes

// The values of a group, the weights of their errors, and the sums over these.
struct group {
    const float *x;
    float weight[MAX_GROUP];
    int count;
    float sum_w, sum_x; // of weights, and of weighted values
};

// A scale and a minimum for a group: x is about scale * code - minimum.
struct fit {
    float scale, minimum, error;
};

static struct group weigh_group(const float *x, int count) {
    struct group g = {.x = x, .count = count};
    float square = 0;
    for (int i = 0; i < count; i++) square += x[i] * x[i];
    float mean = sqrtf(square / (float)count);
    for (int i = 0; i < count; i++) {
        g.weight[i] = mean + fabsf(x[i]);
        g.sum_w += g.weight[i];
        g.sum_x += g.weight[i] * x[i];
    }
    return g;
}

// Rounds to the nearest code of the range. NaN becomes the lowest.
static int nearest_code(float x, int lowest, int highest) {
    if (!(x > (float)lowest)) return lowest;
    return x < (float)highest ? (int)floorf(x + 0.5f) : highest;
}

static float weighted_error(const struct group *g, const int *codes, const struct fit *fit) {
    float error = 0;
    for (int i = 0; i < g->count; i++) {
        float off = fit->scale * (float)codes[i] - fit->minimum - g->x[i];
        error += g->weight[i] * off * off;
    }
    return error;
}

// Finds the scale and minimum of least error for given codes. A minimum is never negative.
static struct fit fit_codes(const struct group *g, const int *codes, bool shifted) {
    float sum_l = 0, sum_ll = 0, sum_xl = 0;
    struct fit fit = {0};
    for (int i = 0; i < g->count; i++) {
        float l = (float)codes[i], weighted = g->weight[i] * l;
        sum_l += weighted;
        sum_ll += weighted * l;
        sum_xl += weighted * g->x[i];
    }
    float determinant = g->sum_w * sum_ll - sum_l * sum_l;
    if (shifted && determinant > 0) {
        fit.scale = (g->sum_w * sum_xl - g->sum_x * sum_l) / determinant;
        fit.minimum = -(sum_ll * g->sum_x - sum_l * sum_xl) / determinant;
    }
    if (!(fit.minimum > 0)) {
        fit.minimum = 0;
        fit.scale = sum_ll > 0 ? sum_xl / sum_ll : 0;
    }
    fit.error = weighted_error(g, codes, &fit);
    return fit;
}

// Tries scales around `spread` codes per unit, from `zero` on.
static struct fit search_group(const struct fum_block_search *s, const struct group *g,
                               float spread, float zero) {
    struct fit best = {.error = INFINITY};
    bool shifted = s->lowest == 0;
    float span = (float)(shifted ? s->highest : -s->lowest);
    for (int t = -TRIES; t <= TRIES && isfinite(spread); t++) {
        int codes[MAX_GROUP];
        float per_unit = spread * (1 + TRY_STEP * (float)t / span);
        for (int i = 0; i < g->count; i++)
            codes[i] = nearest_code((g->x[i] - zero) * per_unit, s->lowest, s->highest);
        struct fit fit = fit_codes(g, codes, shifted);
        if (fit.error < best.error) best = fit;
    }
    return best;
}

static struct fit fit_signed(const struct fum_block_search *s, const struct group *g) {
    float extreme = 0;
    for (int i = 0; i < g->count; i++)
        if (fabsf(g->x[i]) > fabsf(extreme)) extreme = g->x[i];
    return extreme != 0 ? search_group(s, g, (float)s->lowest / extreme, 0) : (struct fit){0};
}

static struct fit fit_shifted(const struct fum_block_search *s, const struct group *g) {
    float least = 0, most = g->x[0];
    for (int i = 0; i < g->count; i++) {
        least = fminf(least, g->x[i]);
        most = fmaxf(most, g->x[i]);
    }
    if (!(most > least)) return (struct fit){.minimum = -least};
    return search_group(s, g, (float)s->highest / (most - least), least);
}

// Gives every value the code that is nearest with the scales as they are stored.
static void choose_codes(const struct fum_block_search *s, const float *x,
                         struct fum_block_codes *c) {
    for (int i = 0; i < COUNT; i++) {
        int g = i / s->group;
        float scale = c->factor * c->scale[g], shift = c->offset * c->minimum[g];
        int code = scale != 0 ? nearest_code((x[i] + shift) / scale, s->lowest, s->highest) : 0;
        c->code[i] = (int16_t)code;
    }
}

// Stores numbers as integers times one factor in f16, which is returned. The number of largest
// magnitude becomes `extreme`.
static float store_scales(const float *numbers, int count, int extreme, int highest,
                          int16_t *stored) {
    float most = 0;
    for (int g = 0; g < count; g++)
        if (fabsf(numbers[g]) > fabsf(most)) most = numbers[g];
    float factor = fum_round_to(FUM_F16, most / (float)extreme);
    for (int g = 0; g < count; g++)
        stored[g] =
            (int16_t)(factor != 0 ? nearest_code(numbers[g] / factor, FUM_MIN(extreme, 0), highest)
                                  : 0);
    return factor;
}

void fum_block_choose_signed(const struct fum_block_search *s, const float *x,
                             struct fum_block_codes *codes) {
    float scales[FUM_BLOCK_MAX_GROUPS];
    for (int g = 0; g < COUNT / s->group; g++) {
        struct group group = weigh_group(x + g * s->group, s->group);
        scales[g] = fit_signed(s, &group).scale;
    }
    codes->offset = 0;
    memset(codes->minimum, 0, sizeof codes->minimum);
    codes->factor = store_scales(scales, COUNT / s->group, -s->scales - 1, s->scales, codes->scale);
    choose_codes(s, x, codes);
}

void fum_block_choose_shifted(const struct fum_block_search *s, const float *x,
                              struct fum_block_codes *codes) {
    float scales[FUM_BLOCK_MAX_GROUPS], minimums[FUM_BLOCK_MAX_GROUPS];
    int groups = COUNT / s->group;
    for (int g = 0; g < groups; g++) {
        struct group group = weigh_group(x + g * s->group, s->group);
        struct fit fit = fit_shifted(s, &group);
        scales[g] = fit.scale;
        minimums[g] = fit.minimum;
    }
    codes->factor = store_scales(scales, groups, s->scales, s->scales, codes->scale);
    codes->offset = store_scales(minimums, groups, s->scales, s->scales, codes->minimum);
    choose_codes(s, x, codes);
}
