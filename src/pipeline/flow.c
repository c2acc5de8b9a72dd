// SPDX-License-Identifier: MIT
// Draws by the probability flow of a score model (Song et al. 2021): an ordinary differential
// equation, from noise at time 1 to the smallest time. The recorded step evaluates the model, and
// the host decides where.
#include "base/error.h"
#include "pipeline/pipeline.h"
#include "sample/runge_kutta.h"

#include <math.h>

// Parts of the time that are reported as steps: their number is not known before.
enum { REPORTED = 100 };

struct flow {
    fum_pipeline *pipe;
    const struct fum_run *run;
    int first;     // picture
    double *state; // [count]
    float *values; // [count]
    size_t count;
    bool finite;
};

// Runs the model on the pictures at a time; `values` has its output then.
static enum fum_result evaluate_model(struct flow *f, double time, struct fum_error *err) {
    const struct fum_denoiser *d = &f->pipe->denoiser;
    fum_executable *exe = f->pipe->unet->compiled.exe;
    const float times[] = {(float)time};
    enum fum_result result = fum_executable_write(exe, d->unet.timesteps, times, 1, err);
    if (!result) result = fum_executable_run(exe, FUM_STAGE_RUN, err);
    if (!result) result = fum_executable_write(exe, d->state, f->values, f->count, err);
    if (!result) result = fum_executable_write_i32(exe, d->counter, &(int32_t){0}, 1, err);
    if (!result) result = fum_executable_run(exe, FUM_STAGE_STEP, err);
    return result ? result : fum_executable_read(exe, d->state, f->values, f->count, err);
}

// Stores drift · x - ½ diffusion² · score.
static enum fum_result flow_rate(void *user, double t, const double *state, double *rate,
                                 struct fum_error *err) {
    struct flow *f = user;
    const struct fum_process_levels l = fum_process_at(&f->run->program->process, t);
    double factor = -0.5 * l.diffusion * l.diffusion * l.score;
    for (size_t i = 0; i < f->count; i++) f->values[i] = (float)state[i];
    enum fum_result result = evaluate_model(f, l.time, err);
    for (size_t i = 0; i < f->count && !result; i++) {
        f->finite = f->finite && isfinite(f->values[i]);
        rate[i] = l.drift * state[i] + factor * (double)f->values[i];
    }
    if (result || f->finite) return result;
    return fum_error_set(err, FUM_ERR_FORMAT, "the model gives non-finite values");
}

static enum fum_result report_step(void *user, double t, struct fum_error *err) {
    const struct flow *f = user;
    const struct fum_generate_params *params = f->run->params;
    double done = (1 - t) / (1 - f->run->program->process.eps);
    int step = (int)fmin(fmax(done * REPORTED, 1), REPORTED);
    if (!params->on_step || params->on_step(params->user, f->first, step, REPORTED)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "cancelled after %d %% of the time", step);
}

// Moves the pictures to the smallest time.
static enum fum_result solve(struct flow *f, struct fum_error *err) {
    struct fum_sample_program *program = f->run->program;
    const struct fum_ode ode = {.count = f->count,
                                .rate = flow_rate,
                                .on_step = report_step,
                                .user = f,
                                .from = 1,
                                .to = program->process.eps,
                                .tolerance = f->run->tolerance};
    struct fum_ode_cost cost = {0};
    double start = fum_time_now();
    for (size_t i = 0; i < f->count; i++) f->state[i] = (double)f->values[i];
    enum fum_result result = fum_ode_solve(&ode, f->state, &cost, err);
    if (result && !f->finite) return FUM_OK;
    program->steps = cost.steps;
    f->pipe->times.step = (fum_time_now() - start) / fmax(cost.steps, 1);
    for (size_t i = 0; i < f->count; i++) f->values[i] = (float)f->state[i];
    return result;
}

enum fum_result fum_flow_run(fum_pipeline *pipe, const struct fum_run *run, int first,
                             struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    fum_executable *exe = pipe->unet->compiled.exe;
    size_t count =
        (size_t)d->batch * (size_t)d->height * (size_t)d->width * (size_t)run->latent_channels;
    struct flow f = {.pipe = pipe, .run = run, .first = first, .count = count, .finite = true};
    f.state = fum_alloc(count, sizeof *f.state);
    f.values = fum_alloc(count, sizeof *f.values);
    enum fum_result result = f.state && f.values
                                 ? fum_executable_read(exe, d->state, f.values, count, err)
                                 : fum_error_set(err, FUM_ERR_NOMEM, "no memory for the flow");
    if (!result) result = solve(&f, err);
    if (!result) result = fum_executable_write(exe, d->state, f.values, count, err);
    fum_free(f.state);
    fum_free(f.values);
    return result;
}
