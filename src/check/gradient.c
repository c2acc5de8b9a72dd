// SPDX-License-Identifier: MIT
#include "check/gradient.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "graph/interp.h"
#include "ops/lib/emit.h"

// Evaluations of the reference times its operations: what one case may cost.
static const double most_work = 3e7;
// Returns what an element of an input is moved by. It is little beside tiny values, and beside the
// eps of a norm where all of the input is zero.
static double step_of(const struct fum_case_input *in) {
    if (in->fill == FUM_FILL_TINY) return 1e-8;
    return in->fill == FUM_FILL_ZERO ? 1e-6 : 1e-4;
}

struct job {
    const struct fum_op *op;
    const struct fum_op_case *c;
    struct fum_op_call call;
    double attr[FUM_MAX_ATTRS];
    float *in[FUM_MAX_INPUTS], *weights;   // r
    double *wide[FUM_MAX_INPUTS], *out[3]; // outputs at x - h, x and x + h
    fum_graph *graph;
    fum_tensor *node, *input[FUM_MAX_INPUTS], *weighting, *grad[FUM_MAX_INPUTS];
    fum_interp *interp;
};

static bool is_differentiable(const struct job *job, int i) {
    return job->call.has[i] && job->call.in[i].dtype == FUM_F32;
}

// ---- which cases ----

static const char *why_skipped(const struct job *job) {
    const struct fum_op_call *call = &job->call;
    int64_t elements = 0, outputs = fum_shape_count(&call->out.shape);
    if (call->out.dtype != FUM_F32 || job->op->updates) return "its result is not of f32";
    for (int i = 0; i < call->num_inputs; i++) {
        enum fum_fill fill = job->c->in[i].fill;
        if (fill == FUM_FILL_HUGE || fill == FUM_FILL_SPIKE || fill == FUM_FILL_NAN)
            return "its inputs are non-finite";
        if (is_differentiable(job, i)) elements += fum_shape_count(&call->in[i].shape);
    }
    if (!elements || !outputs) return "it is empty";
    double each = fmax(fum_op_flops(job->op, call), (double)outputs);
    return (double)elements * each > most_work ? "it is large" : NULL;
}

// ---- numbers ----

static enum fum_result fill(struct job *job, struct fum_error *err) {
    size_t outputs = (size_t)fum_shape_count(&job->call.out.shape);
    const struct fum_case_input normal = {.fill = FUM_FILL_NORMAL};
    bool enough = (job->weights = fum_case_fill(&normal, &job->call.out, 9999)) != NULL;
    for (int k = 0; k < 3 && enough; k++)
        enough = (job->out[k] = fum_alloc(outputs, sizeof(double))) != NULL;
    for (int i = 0; i < job->call.num_inputs && enough; i++) {
        const struct fum_desc *desc = &job->call.in[i];
        size_t count = (size_t)fum_shape_count(&desc->shape);
        if (!job->call.has[i]) continue;
        job->in[i] = fum_case_fill(&job->c->in[i], desc, fum_case_seed(job->c, i));
        job->wide[i] = fum_alloc(count, sizeof(double));
        enough = job->in[i] && job->wide[i];
        if (enough) fum_widen_f32(job->wide[i], job->in[i], count);
    }
    return enough ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a gradient check");
}

static void evaluate(struct job *job, double *out) {
    job->op->reference(&job->call, (const double *const *)job->wide, out);
}

// Returns (sum r to - sum r from) / distance.
static double slope(const struct job *job, const double *from, const double *to, double distance) {
    double sum = 0;
    for (int64_t i = 0; i < fum_shape_count(&job->call.out.shape); i++)
        sum += job->weights[i] * (to[i] - from[i]);
    return sum / distance;
}

// Measures the derivative by element e of input i. Returns false at a kink, where the slopes on
// both sides differ.
static bool measure_derivative(struct job *job, int i, int64_t e, double *derivative) {
    double *x = &job->wide[i][e], at = *x;
    double step = step_of(&job->c->in[i]);
    *x = at - step;
    evaluate(job, job->out[0]);
    *x = at + step;
    evaluate(job, job->out[2]);
    *x = at;
    double left = slope(job, job->out[0], job->out[1], step),
           right = slope(job, job->out[1], job->out[2], step);
    *derivative = slope(job, job->out[0], job->out[2], 2 * step);
    return fabs(left - right) <= 0.01 * (fabs(left) + fabs(right)) + 1e-5;
}

// ---- the gradient's graph ----

static fum_tensor *add_loss(struct job *job) {
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    fum_tensor *in[] = {job->node, job->weighting};
    fum_tensor *weighted =
        fum_graph_add(job->graph, "mul", "weighted", (struct fum_inputs){in, 2}, NULL);
    return fum_graph_add(job->graph, "reduce_sum", "loss", FUM_INPUTS(weighted), number);
}

// Builds op, loss and gradient. Leaves the graph with an error where the op does not differentiate
// the call.
static enum fum_result build(struct job *job, struct fum_error *err) {
    const struct fum_op_call *call = &job->call;
    fum_tensor *wanted[FUM_MAX_INPUTS], *grads[FUM_MAX_INPUTS];
    int count = 0;
    enum fum_result result = fum_graph_create(&job->graph, FUM_F32, err);
    if (result) return result;
    for (int i = 0; i < call->num_inputs; i++) {
        if (!call->has[i]) continue;
        job->input[i] = fum_graph_input(job->graph, "input", call->in[i].shape, call->in[i].dtype,
                                        FUM_STAGE_STEP);
        if (is_differentiable(job, i)) wanted[count++] = job->input[i];
    }
    job->weighting =
        fum_graph_input(job->graph, "weights", call->out.shape, FUM_F32, FUM_STAGE_STEP);
    job->node = fum_graph_add(job->graph, job->op->name, "node",
                              (struct fum_inputs){job->input, call->num_inputs}, job->c->attrs);
    fum_tensor *loss = add_loss(job);
    if ((result = fum_graph_check(job->graph, err))) return result;
    if (!fum_graph_gradient(job->graph, loss, wanted, count, grads)) return FUM_OK;
    for (int i = 0, k = 0; i < call->num_inputs; i++)
        if (is_differentiable(job, i)) job->grad[i] = grads[k++];
    return FUM_OK;
}

static enum fum_result interpret(struct job *job, struct fum_error *err) {
    const struct fum_op_call *call = &job->call;
    enum fum_result result = fum_interp_create(&job->interp, job->graph, NULL, false, err);
    for (int i = 0; i < call->num_inputs && !result; i++)
        if (call->has[i])
            result = fum_interp_write(job->interp, job->input[i], job->in[i],
                                      (size_t)fum_shape_count(&call->in[i].shape), err);
    if (!result)
        result = fum_interp_write(job->interp, job->weighting, job->weights,
                                  (size_t)fum_shape_count(&call->out.shape), err);
    return result ? result : fum_interp_run_all(job->interp, err);
}

// ---- the check ----

static void compare_gradients(struct job *job, struct fum_gradient_check *check) {
    double off = 0, norm = 0;
    evaluate(job, job->out[1]);
    for (int i = 0; i < job->call.num_inputs; i++) {
        if (!is_differentiable(job, i)) continue;
        const double *grad = fum_interp_read(job->interp, job->grad[i]);
        for (int64_t e = 0; e < fum_shape_count(&job->call.in[i].shape); e++) {
            double want;
            bool smooth = measure_derivative(job, i, e, &want);
            check->checked += smooth;
            check->kinks += !smooth;
            off += smooth ? (grad[e] - want) * (grad[e] - want) : 0;
            norm += smooth ? want * want : 0;
        }
    }
    check->error = sqrt(norm > 0 ? off / norm : off);
    if (!check->checked) check->skipped = "it is at a kink";
}

static void release_job(struct job *job) {
    fum_interp_destroy(&job->interp);
    fum_graph_destroy(&job->graph);
    for (int i = 0; i < FUM_MAX_INPUTS; i++) {
        fum_free(job->in[i]);
        fum_free(job->wide[i]);
    }
    for (int k = 0; k < 3; k++) fum_free(job->out[k]);
    fum_free(job->weights);
}

enum fum_result fum_gradient_check(const struct fum_op *op, const struct fum_op_case *c,
                                   struct fum_gradient_check *check, struct fum_error *err) {
    struct job job = {.op = op, .c = c};
    struct fum_why why = {0};
    *check = (struct fum_gradient_check){0};
    if (!op->gradient || !fum_case_has_type(c, FUM_F32) || c->quantised) {
        check->skipped = c->quantised ? "its weight is quantised" : "it has no gradient in f32";
        return FUM_OK;
    }
    const struct fum_case_use use = {.op = op, .c = c, .dtype = FUM_F32};
    if (!fum_case_call(&use, &job.call, job.attr, &why))
        return fum_error_set(err, FUM_ERR_ARG, "op %s, case '%s': %s", op->name, c->name, why.text);
    if ((check->skipped = why_skipped(&job))) return FUM_OK;
    enum fum_result result = fill(&job, err);
    if (!result) result = build(&job, err);
    if (!result && fum_graph_check(job.graph, NULL))
        check->skipped = "the op does not differentiate this call";
    if (!result && !check->skipped) result = interpret(&job, err);
    if (!result && !check->skipped) compare_gradients(&job, check);
    release_job(&job);
    return result;
}
