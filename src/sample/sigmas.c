// SPDX-License-Identifier: MIT
// Computes the timesteps and sigmas that a run visits.
#include "sample/builder.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>

void fum_sample_build_spacing(const struct fum_sample_builder *builder, double *t, int count,
                              int of, bool fractional) {
    int train = builder->noise.count;
    switch (builder->c.timestep_spacing) {
    case FUM_SPACING_LINSPACE:
        for (int i = 0; i < count; i++) { // numpy.linspace(0, train - 1, of), from its end
            int k = of - 1 - i;
            t[i] = of > 1 ? k * ((train - 1) / (of - 1.0)) : 0;
            if (of > 1 && k == of - 1) t[i] = train - 1;
            if (!fractional) t[i] = rint(t[i]);
        }
        break;
    case FUM_SPACING_TRAILING: {
        // numpy.arange(train, 0, -ratio), whose increment is the rounded difference of its first
        // two values
        double delta = (train - (double)train / count) - train;
        for (int i = 0; i < count; i++) t[i] = rint(train + i * delta) - 1;
        break;
    }
    default:
        for (int i = 0; i < count; i++)
            t[i] = (double)(of - 1 - i) * (train / of) + builder->c.steps_offset;
    }
}

// Interpolates linearly over whole-numbered positions, clamped at both ends, as numpy.interp does.
static double interp(const float *values, int count, double at) {
    if (at <= 0) return values[0];
    if (at >= count - 1) return values[count - 1];
    int low = (int)at;
    double slope = (double)values[low + 1] - values[low];
    return slope * (at - low) + values[low];
}

double fum_sample_build_sigma_to_t(const struct fum_sample_builder *builder, double sigma,
                                   bool single) {
    const float *logs = builder->noise.log_sigma;
    int last = builder->noise.count - 1, low = 0, high = last;
    double wanted = log(fmax(sigma, 1e-10));
    if (single) wanted = (float)wanted;
    if (builder->edm) return (float)(0.25 * wanted);
    if (last == 0) return 0;
    while (high - low > 1) { // finds the last position whose log sigma is not above the given one
        int mid = low + (high - low) / 2;
        if (logs[mid] <= wanted)
            low = mid;
        else
            high = mid;
    }
    if (single) {
        float w = (logs[low] - (float)wanted) / (logs[low] - logs[low + 1]);
        w = fminf(fmaxf(w, 0), 1);
        return (1.0f - w) * (float)low + w * (float)(low + 1);
    }
    double w = (logs[low] - wanted) / (double)(logs[low] - logs[low + 1]);
    w = fmin(fmax(w, 0), 1);
    return (1 - w) * low + w * (low + 1);
}

// Inverts the function above for a fractional position, log-linear as k-diffusion's
// DiscreteSchedule.t_to_sigma.
static double t_to_sigma(const struct fum_sample_builder *builder, double t) {
    return exp(interp(builder->noise.log_sigma, builder->noise.count, t));
}

const float fum_ays_sd15[FUM_AYS_SIGMAS] = {
    14.6146412293f, 6.4745760956f, 3.8636745985f, 2.6946151520f, 1.8841921177f, 1.3943805092f,
    0.9642583904f,  0.6523686016f, 0.3977456272f, 0.1515232662f, 0.0291671582f};
const float fum_ays_sdxl[FUM_AYS_SIGMAS] = {
    14.6146412293f, 6.3184485287f, 3.7681790315f, 2.1811480769f, 1.3405244945f, 0.8620721141f,
    0.5550693289f,  0.3798540708f, 0.2332364134f, 0.1114188177f, 0.0291671582f};

// Interpolates a table of "Align Your Steps" log-linearly; position runs from 0 to 1.
static double ays_sigma(const float *table, double position) {
    float logs[FUM_AYS_SIGMAS];
    for (int i = 0; i < FUM_AYS_SIGMAS; i++) logs[i] = logf(table[i]);
    return exp(interp(logs, FUM_AYS_SIGMAS, position * (FUM_AYS_SIGMAS - 1)));
}

// Returns Mochi's linear-quadratic schedule from 1 to 0: half of the steps are even and small, and
// the other half grows quadratically.
static double linear_quadratic(int i, int n) {
    const double threshold = 0.025; // of the even half
    int even = n / 2;
    if (n == 1) return 1;
    if (i < even) return 1 - i * threshold / even;
    double rest = n - even, missing = even - threshold * n,
           quadratic = missing / (even * rest * rest),
           linear = threshold / even - 2 * missing / (rest * rest);
    return 1 - (quadratic * i * i + linear * i + quadratic * even * even);
}

// A piece of a falling arc tangent: `count` values around a pivot, the first 1 and the last 0.
struct tangent {
    int count;
    double slope, pivot;
};

static double tangent_share(const struct tangent *piece, int i) {
    double first = atan(-piece->slope * (0 - piece->pivot)),
           last = atan(-piece->slope * (piece->count - 1 - piece->pivot));
    if (first == last) return piece->count == 1 ? 1 : 1 - i / (piece->count - 1.0);
    return (atan(-piece->slope * (i - piece->pivot)) - last) / (first - last);
}

// Returns the i-th share of the way from 0 to 1 of RES4LYF's bong tangent: two arc tangents that
// meet at one half, of n + 2 values.
static double bong_tangent(int i, int n) {
    int count = n + 2, pivot = (int)(count * 0.6);
    const double slope = 0.2 * 40 / count;
    const struct tangent upper = {pivot, slope, pivot}, lower = {count - pivot, slope, 0};
    return i < upper.count - 1 ? 0.5 + 0.5 * tangent_share(&upper, i)
                               : 0.5 * tangent_share(&lower, i - (upper.count - 1));
}

// Returns the i-th of n sigmas between the ends `high` and `low`.
static double curve_sigma(const struct fum_sample_builder *builder, int i, int n, double high,
                          double low) {
    double ramp = n == 1 ? 0 : i / (n - 1.0);
    switch (builder->schedule) {
    case FUM_SCHEDULE_KARRAS: { // Karras et al. (2022), equation 5
        double rho = builder->edm ? builder->c.rho : 7, from = pow(high, 1 / rho),
               to = pow(low, 1 / rho);
        return pow(from + ramp * (to - from), rho);
    }
    case FUM_SCHEDULE_POLYEXPONENTIAL: // k-diffusion's, whose rho is 1 unless it is changed
    case FUM_SCHEDULE_EXPONENTIAL: return exp(log(high) + ramp * (log(low) - log(high)));
    case FUM_SCHEDULE_BETA: // Lee et al. (2024), alpha = beta = 0.6
        return low + fum_beta_quantile(1 - ramp, 0.6, 0.6) * (high - low);
    case FUM_SCHEDULE_KL_OPTIMAL: // section 3.2 of Align Your Steps: atan(sigma) is linear
        return tan(ramp * atan(low) + (1 - ramp) * atan(high));
    case FUM_SCHEDULE_SGM_UNIFORM: // n of n + 1 even steps in t, the last left out
        return t_to_sigma(builder, (builder->noise.count - 1) * (1 - (double)i / n));
    case FUM_SCHEDULE_NORMAL: // n even steps in t from end to end
        return t_to_sigma(builder, (builder->noise.count - 1) * (1 - ramp));
    case FUM_SCHEDULE_DDIM_UNIFORM: { // every (train / n)-th training sigma from the second one on
        int stride = builder->noise.count / n, at = 1 + (n - 1 - i) * stride;
        return builder->noise.sigma[at < builder->noise.count ? at : builder->noise.count - 1];
    }
    case FUM_SCHEDULE_LINEAR_QUADRATIC: return high * linear_quadratic(i, n);
    case FUM_SCHEDULE_BONG_TANGENT: return low + (high - low) * bong_tangent(i, n);
    case FUM_SCHEDULE_SIMPLE: // every (train / n)-th training sigma from the noisy end
        return builder->noise
            .sigma[builder->noise.count - 1 - (int)(i * ((double)builder->noise.count / n))];
    default: return ays_sigma(builder->ays, (double)i / n);
    }
}

// Returns the timestep of a sigma of a curve, rounded as the class rounds it.
static double curve_timestep(const struct fum_sample_builder *builder, double sigma) {
    double t = fum_sample_build_sigma_to_t(builder, sigma, builder->edm);
    if (builder->edm) return t;
    bool karras = builder->schedule == FUM_SCHEDULE_KARRAS;
    bool cosine_dpm =
        builder->sampler->cosine_unrounded && builder->c.beta_schedule == FUM_BETAS_SQUAREDCOS;
    if (karras && builder->sampler->rounds_karras && !cosine_dpm) return rint(t);
    if (builder->sampler->space != FUM_SPACE_VP)
        return builder->sampler->precise_times || builder->sampler->rounds_karras
                   ? t
                   : (double)(float)t;
    bool diffusers = karras || builder->schedule == FUM_SCHEDULE_EXPONENTIAL ||
                     builder->schedule == FUM_SCHEDULE_BETA;
    return diffusers ? floor(t) : t; // diffusers casts to int64 here
}

// Fills t and exact with the timesteps of the spacing.
static void visit_timesteps(struct fum_sample_builder *builder) {
    int n = builder->steps;
    bool vp = builder->sampler->space == FUM_SPACE_VP;
    bool trailing = builder->c.timestep_spacing == FUM_SPACING_TRAILING;
    fum_sample_build_spacing(builder, builder->t, n, vp && !trailing ? n + 1 : n,
                             builder->sampler->space == FUM_SPACE_SIGMA);
    for (int i = 0; i < n; i++) {
        if (!vp && !builder->sampler->precise_times) builder->t[i] = (float)builder->t[i];
        builder->exact[i] = interp(builder->noise.sigma, builder->noise.count, builder->t[i]);
    }
}

// Fills t and exact with a curve. The classes of sigma space span it between the ends of the
// spacing, those of FUM_SPACE_VP over the whole range, and EDM's over its own.
static void visit_curve(struct fum_sample_builder *builder) {
    int n = builder->steps;
    bool whole = builder->sampler->space == FUM_SPACE_VP,
         given = builder->sampler->sigma_ends || builder->edm;
    double high = whole ? builder->noise.sigma[builder->noise.count - 1] : builder->exact[0];
    double low = whole ? builder->noise.sigma[0] : builder->exact[n - 1];
    if (given && !isnan(builder->c.sigma_max)) high = builder->c.sigma_max;
    if (given && !isnan(builder->c.sigma_min)) low = builder->c.sigma_min;
    for (int i = 0; i < n; i++) {
        builder->exact[i] = curve_sigma(builder, i, n, high, low);
        builder->t[i] = curve_timestep(builder, builder->exact[i]);
    }
}

// Fills t, exact and the last sigma with the levels that the caller gave.
static void visit_given(struct fum_sample_builder *builder) {
    for (int i = 0; i < builder->steps; i++) {
        builder->exact[i] = builder->given[i];
        builder->t[i] = curve_timestep(builder, builder->given[i]);
    }
    builder->exact[builder->steps] = builder->given[builder->steps];
    builder->sigma[builder->steps] = (float)builder->given[builder->steps];
}

bool fum_sample_build_schedule(struct fum_sample_builder *builder) {
    int n = builder->steps;
    builder->t = fum_calloc((size_t)n, sizeof *builder->t);
    builder->sigma = fum_calloc((size_t)n + 1, sizeof *builder->sigma);
    builder->exact = fum_calloc((size_t)n + 1, sizeof *builder->exact);
    if (!builder->t || !builder->sigma || !builder->exact) {
        fum_error_set(builder->err, FUM_ERR_NOMEM, "no memory for a schedule of %d steps", n);
        return false;
    }
    if (!builder->edm) visit_timesteps(builder);
    if (builder->given)
        visit_given(builder);
    else if (builder->edm || builder->schedule != FUM_SCHEDULE_DISCRETE)
        visit_curve(builder);
    for (int i = 0; i < n; i++) builder->sigma[i] = (float)builder->exact[i];
    return true;
}
