// SPDX-License-Identifier: MIT
#include "sample/runge_kutta.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

enum { STAGES = 7 };

static const double nodes[STAGES] = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
// The last row gives the new state itself, whose rate begins the next step.
static const double stages[STAGES][STAGES - 1] = {
    {0},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
// The difference of both orders.
static const double errors[STAGES] = {-71.0 / 57600,    0,           71.0 / 16695, -71.0 / 1920,
                                      17253.0 / 339200, -22.0 / 525, 1.0 / 40};

struct solver {
    const struct fum_ode *ode;
    double *rates[STAGES];
    double *trial; // state
    double t, direction;
    double step; // size of the next one
    struct fum_ode_cost cost;
    struct fum_error *err;
};

static enum fum_result evaluate(struct solver *s, double t, const double *state, double *rate) {
    s->cost.evaluations++;
    return s->ode->rate(s->ode->user, t, state, rate, s->err);
}

// Returns the root mean square of values over the tolerated error at a state.
static double scaled_norm(const struct solver *s, const double *values, const double *state) {
    double sum = 0, tolerance = s->ode->tolerance;
    for (size_t i = 0; i < s->ode->count; i++) {
        double ratio = values[i] / (tolerance + tolerance * fabs(state[i]));
        sum += ratio * ratio;
    }
    return sqrt(sum / (double)s->ode->count);
}

// Chooses the size of the first step, as in Hairer, Nørsett and Wanner, "Solving ordinary
// differential equations I", section II.4.
static enum fum_result choose_first_step(struct solver *s, const double *state) {
    const struct fum_ode *ode = s->ode;
    double span = fabs(ode->to - ode->from);
    double size = scaled_norm(s, state, state), slope = scaled_norm(s, s->rates[0], state);
    double h = fmin(size < 1e-5 || slope < 1e-5 ? 1e-6 : 0.01 * size / slope, span);
    for (size_t i = 0; i < ode->count; i++)
        s->trial[i] = state[i] + h * s->direction * s->rates[0][i];
    enum fum_result result = evaluate(s, ode->from + h * s->direction, s->trial, s->rates[1]);
    for (size_t i = 0; i < ode->count; i++) s->trial[i] = s->rates[1][i] - s->rates[0][i];
    double bend = scaled_norm(s, s->trial, state) / h, largest = fmax(slope, bend);
    double next = largest <= 1e-15 ? fmax(1e-6, h * 1e-3) : pow(0.01 / largest, 0.2);
    s->step = fmin(fmin(100 * h, next), span);
    return result;
}

// Stores the state after a step of signed size h in `trial`, and its rate as the last one.
static enum fum_result try_step(struct solver *s, double h, const double *state) {
    for (int stage = 1; stage < STAGES; stage++) {
        for (size_t i = 0; i < s->ode->count; i++) {
            double sum = 0;
            for (int k = 0; k < stage; k++) sum += stages[stage][k] * s->rates[k][i];
            s->trial[i] = state[i] + h * sum;
        }
        enum fum_result result = evaluate(s, s->t + nodes[stage] * h, s->trial, s->rates[stage]);
        if (result) return result;
    }
    return FUM_OK;
}

// Returns the step's estimated error over what is tolerated.
static double step_error(const struct solver *s, double h, const double *state) {
    double sum = 0, tolerance = s->ode->tolerance;
    for (size_t i = 0; i < s->ode->count; i++) {
        double error = 0, size = fmax(fabs(state[i]), fabs(s->trial[i]));
        for (int k = 0; k < STAGES; k++) error += errors[k] * s->rates[k][i];
        error *= h / (tolerance + tolerance * size);
        sum += error * error;
    }
    return sqrt(sum / (double)s->ode->count);
}

// Moves the state to the end of an accepted step.
static enum fum_result accept_step(struct solver *s, double t, double *state) {
    size_t bytes = s->ode->count * sizeof *state;
    memcpy(state, s->trial, bytes);
    memcpy(s->rates[0], s->rates[STAGES - 1], bytes);
    s->t = t;
    s->cost.steps++;
    return s->ode->on_step ? s->ode->on_step(s->ode->user, t, s->err) : FUM_OK;
}

// Takes one step, which is made smaller until its error is tolerated.
static enum fum_result take_step(struct solver *s, double *state) {
    const struct fum_ode *ode = s->ode;
    double least = 10 * (nextafter(fabs(s->t), INFINITY) - fabs(s->t));
    bool rejected = false;
    s->step = fmax(s->step, least);
    for (;;) {
        double left = fabs(ode->to - s->t), h = fmin(s->step, left);
        if (!(s->step >= least))
            return fum_error_set(s->err, FUM_ERR_ARG,
                                 "the equation's steps became too small at time %g: use a larger "
                                 "tolerance",
                                 s->t);
        enum fum_result result = try_step(s, h * s->direction, state);
        if (result) return result;
        double error = step_error(s, h, state);
        double factor = error > 0 ? 0.9 * pow(error, -0.2) : 10;
        if (error < 1) {
            s->step = h * fmin(rejected ? 1 : 10, factor);
            return accept_step(s, h == left ? ode->to : s->t + h * s->direction, state);
        }
        s->step = h * (isfinite(error) ? fmax(0.2, factor) : 0.2);
        rejected = true;
    }
}

static enum fum_result solve(struct solver *s, double *state) {
    const struct fum_ode *ode = s->ode;
    enum fum_result result = evaluate(s, s->t, state, s->rates[0]);
    if (!result) result = choose_first_step(s, state);
    while (!result && s->t != ode->to) result = take_step(s, state);
    return result;
}

enum fum_result fum_ode_solve(const struct fum_ode *ode, double *state, struct fum_ode_cost *cost,
                              struct fum_error *err) {
    struct solver s = {
        .ode = ode, .t = ode->from, .direction = ode->to < ode->from ? -1 : 1, .err = err};
    double *room = fum_calloc((STAGES + 1) * ode->count, sizeof *room);
    if (!room) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a differential equation");
    for (int i = 0; i < STAGES; i++) s.rates[i] = room + (size_t)i * ode->count;
    s.trial = room + STAGES * ode->count;
    enum fum_result result = solve(&s, state);
    *cost = s.cost;
    fum_free(room);
    return result;
}
