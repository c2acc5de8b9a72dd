// SPDX-License-Identifier: MIT
// Gets the kernels of a plan's dispatches.
#include "base/alloc.h"
#include "base/error.h"
#include "exec/inside.h"

// Numbers the plan's dispatches. Returns how many there are, -1 without memory.
static int count_kernels(fum_executable *exe) {
    const fum_plan *plan = exe->plan;
    int count = 0;
    exe->first_kernel = fum_calloc((size_t)plan->num_steps + 1, sizeof *exe->first_kernel);
    if (!exe->first_kernel) return -1;
    for (int s = 0; s < plan->num_steps; s++) {
        exe->first_kernel[s] = count;
        count += plan->steps[s].count;
    }
    return count;
}

static enum fum_result describe_kernels(const fum_executable *exe, struct fum_kernel_desc *descs,
                                        struct fum_error *err) {
    const fum_plan *plan = exe->plan;
    for (int s = 0; s < plan->num_steps; s++) {
        for (int i = 0; i < plan->steps[s].count; i++) {
            const struct fum_dispatch *d = &plan->steps[s].dispatches[i];
            struct fum_kernel_desc *desc = &descs[exe->first_kernel[s] + i];
            *desc = fum_dispatch_kernel(d);
            if (!desc->shader)
                return fum_error_set(
                    err, FUM_ERR_UNSUPPORTED, "%s: this build has no shader %s for %s",
                    plan->steps[s].node->name, d->shader, fum_dtype_name(d->dtype));
        }
    }
    return FUM_OK;
}

static enum fum_result make_kernels(fum_executable *exe, const struct fum_progress *progress,
                                    struct fum_error *err) {
    int count = count_kernels(exe);
    struct fum_kernel_desc *descs = count < 0 ? NULL : fum_calloc((size_t)count, sizeof *descs);
    if (descs) exe->kernels = fum_calloc((size_t)count, sizeof *exe->kernels);
    enum fum_result result = FUM_OK;
    if (!descs || !exe->kernels)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    if (!result) result = describe_kernels(exe, descs, err);
    // CPU drivers compile at first use: the warming takes the time and reports it.
    bool late = fum_device_get_info(exe->device)->type == FUM_DEVICE_CPU;
    const struct fum_kernel_list list = {descs, exe->kernels, count, late ? NULL : progress};
    if (!result) result = fum_kernel_get_list(exe->device, &list, &exe->compiled, err);
    if (!result) result = fum_warming_begin(&exe->warming, exe->device, exe->kernels, count, err);
    fum_free(descs);
    return result;
}

enum fum_result fum_executable_begin_kernels(fum_executable *exe,
                                             const struct fum_progress *progress,
                                             struct fum_error *err) {
    double start = fum_time_now();
    enum fum_result result = make_kernels(exe, progress, err);
    int late = fum_warming_count(exe->warming);
    if (!result && late && progress && !progress->fn(progress->user, 0, late))
        result = fum_error_set(err, FUM_ERR_CANCELLED, "compiling kernels was cancelled");
    exe->compile_seconds = fum_time_now() - start;
    return result;
}
