// SPDX-License-Identifier: MIT
// Builds the third-order solver of Cui et al., "Elucidating the solution space of extended
// reverse-time SDE for diffusion models" (2023), as ComfyUI has it.
#include "sample/builder.h"

#include <math.h>

enum { POINTS = 200 }; // of the integrals

// Returns the paper's noise scale, with the constants of its authors' solver.
static double noise_scale(double sigma) {
    return sigma * (exp(pow(sigma, 0.3)) + 10);
}

// Integrals over [to, from] by sums over even points, of 1 / noise_scale and (x - from) /
// noise_scale.
struct integrals {
    double plain, centred;
};

static struct integrals integrate(double from, double to) {
    struct integrals sums = {0};
    double step = (from - to) / POINTS;
    for (int i = 0; i < POINTS; i++) {
        double at = to + i * step;
        sums.plain += step / noise_scale(at);
        sums.centred += step * (at - from) / noise_scale(at);
    }
    return sums;
}

// x, the D of the last step, and its slope there
enum { HISTORY_D = 1, HISTORY_SLOPE = 2, HISTORY_COUNT = 3 };

// Adds the parts of second and third order for step i, which take differences of D.
static void add_slopes(const struct fum_sample_builder *builder, struct fum_sample_eval *ev,
                       int i) {
    double from = builder->sigma[i], to = builder->sigma[i + 1], step = to - from;
    double span = from - builder->sigma[i - 1]; // slope = (D - last D) / span
    struct integrals sums = integrate(from, to);
    double first = step + sums.plain * noise_scale(to), second = 0;
    if (i - builder->start >= 2) {
        double wide = (from - builder->sigma[i - 2]) / 2;
        second = (step * step / 2 + sums.centred * noise_scale(to)) / wide;
        ev->m[0][HISTORY_SLOPE] = -second;
    }
    ev->m[0][FUM_SAMPLE_D] += (first + second) / span;
    ev->m[0][HISTORY_D] = -(first + second) / span;
    ev->m[HISTORY_SLOPE][FUM_SAMPLE_D] = 1 / span;
    ev->m[HISTORY_SLOPE][HISTORY_D] = -1 / span;
}

bool fum_build_er_sde(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start, HISTORY_COUNT))
        return false;
    for (int i = builder->start; i < builder->steps; i++) {
        double from = builder->sigma[i], to = builder->sigma[i + 1];
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        fum_sample_build_denoise_sigma(builder, ev, from);
        double keep = to > 0 ? noise_scale(to) / noise_scale(from) : 0;
        ev->m[0][0] = keep;
        ev->m[0][FUM_SAMPLE_D] = 1 - keep;
        ev->m[HISTORY_D][FUM_SAMPLE_D] = 1;
        if (to == 0) continue;
        if (i > builder->start) add_slopes(builder, ev, i);
        fum_sample_build_noise(builder, ev, 0, sqrt(fmax(to * to - from * from * keep * keep, 0)));
    }
    return true;
}
