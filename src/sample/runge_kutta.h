// SPDX-License-Identifier: MIT
// Solves ordinary differential equations by the Runge-Kutta pair of Dormand and Prince (1980) of
// orders 5 and 4, with steps chosen as SciPy's solve_ivp does for RK45.
#ifndef FUM_SAMPLE_RUNGE_KUTTA_H
#define FUM_SAMPLE_RUNGE_KUTTA_H

#include <fumarole/core.h>

#include <stddef.h>

struct fum_ode {
    size_t count; // numbers of the state
    // Stores the state's rate of change at time t. Errors end the solution.
    enum fum_result (*rate)(void *user, double t, const double *state, double *rate,
                            struct fum_error *err);
    // Reports that a step has led to time t. Errors end the solution. May be NULL.
    enum fum_result (*on_step)(void *user, double t, struct fum_error *err);
    void *user;
    double from, to;  // times
    double tolerance; // relative and absolute
};
struct fum_ode_cost {
    int steps, evaluations;
};
// Moves `state` from one time to the other.
enum fum_result fum_ode_solve(const struct fum_ode *ode, double *state, struct fum_ode_cost *cost,
                              struct fum_error *err);

#endif
