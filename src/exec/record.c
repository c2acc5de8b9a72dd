// SPDX-License-Identifier: MIT
// Records the steps of a plan into command buffers.
#include "base/alloc.h"
#include "base/error.h"
#include "exec/inside.h"

#include <stdio.h>

static struct fum_binding find_binding(const fum_executable *exe, const struct fum_plan_step *step,
                                       const struct fum_dispatch_bind *bind) {
    bool scratch = bind->operand == FUM_SCRATCH;
    const fum_tensor *operand = bind->operand >= 0 ? step->node->in[bind->operand] : step->node;
    const fum_tensor *t = fum_tensor_root(operand);
    const struct fum_place *place = scratch ? &step->scratch : &exe->plan->places[operand->id];
    struct fum_binding whole;
    if (!scratch && t->kind == FUM_TENSOR_PARAMETER) {
        whole = fum_parameters_find(exe->parameters, t->name);
    } else if (!scratch && (t->kind == FUM_TENSOR_WEIGHT || t->kind == FUM_TENSOR_CONSTANT)) {
        const struct fum_weight weight = fum_tensor_weight(t);
        if (t->kind == FUM_TENSOR_CONSTANT)
            whole = fum_weights_find(exe->constants, &weight);
        else if (exe->stream)
            whole = fum_stream_find(exe->stream, (int)(step - exe->plan->steps), t);
        else
            whole = fum_weights_find(exe->weights, &weight);
    } else {
        whole = (struct fum_binding){
            .buffer = exe->blocks[place->block], .offset = place->offset, .bytes = place->bytes};
    }
    whole.offset += bind->offset;
    whole.bytes = bind->bytes ? bind->bytes : whole.bytes - bind->offset;
    whole.write = bind->write;
    return whole;
}

enum fum_result fum_executable_record_step(fum_executable *exe, int s, fum_command *command,
                                           struct fum_error *err) {
    const struct fum_plan_step *step = &exe->plan->steps[s];
    for (int i = 0; i < step->count; i++) {
        const struct fum_dispatch *d = &step->dispatches[i];
        struct fum_binding bindings[FUM_MAX_BINDINGS];
        for (int k = 0; k < d->num_bind; k++) bindings[k] = find_binding(exe, step, &d->bind[k]);
        enum fum_result result = fum_command_dispatch(
            command,
            &(struct fum_kernel_call){.kernel = exe->kernels[exe->first_kernel[s] + i],
                                      .bindings = bindings,
                                      .push = d->push,
                                      .groups = d->groups,
                                      .label = step->node->name},
            err);
        if (result) return result;
    }
    return FUM_OK;
}

// Returns the floating-point operations that a slow device of each kind surely finishes in a
// quarter of a second. CPU devices have no watchdog; there it bounds how long a cancel takes.
static double submission_flops(const struct fum_device_info *info) {
    switch (info->type) {
    case FUM_DEVICE_CPU: return 5e9;
    case FUM_DEVICE_DISCRETE: return 200e9;
    default: return 20e9;
    }
}

static struct fum_submission *append_submission(struct fum_recording *recording) {
    struct fum_submission *grown =
        fum_realloc(recording->items, (size_t)recording->count + 1, sizeof *grown);
    if (!grown) return NULL;
    recording->items = grown;
    grown[recording->count] = (struct fum_submission){0};
    return &grown[recording->count++];
}

// Returns where step s belongs: steps of one segment behind one gate may share a command, unless
// values are handed over between them.
static struct fum_submission find_place(const fum_executable *exe, int s) {
    struct fum_submission place = {.handed = fum_executable_groups_before(exe, s)};
    if (exe->stream)
        place.segment = fum_stream_segment(exe->stream, s);
    else
        place.gate = exe->plan->steps[s].node->gate;
    return place;
}

static bool same_place(const struct fum_submission *a, const struct fum_submission *b) {
    return a->segment == b->segment && a->gate == b->gate && a->handed == b->handed;
}

// Begins the command of a step.
static enum fum_result begin_command(const fum_executable *exe, enum fum_stage which,
                                     struct fum_recording *recording,
                                     const struct fum_submission *place, struct fum_error *err) {
    char label[64];
    struct fum_submission *now = append_submission(recording);
    if (!now) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    *now = *place;
    snprintf(label, sizeof label, "%s%s%s", exe->label, *exe->label ? " " : "",
             fum_stage_name(which));
    enum fum_result result = fum_command_create(&now->command, exe->device, label, err);
    bool takes = !result && which == FUM_STAGE_SHORT && recording->count == 1;
    return takes ? fum_executable_record_given(exe, now->command, err) : result;
}

enum fum_result fum_executable_record(fum_executable *exe, enum fum_stage which,
                                      struct fum_error *err) {
    struct fum_recording *recording = &exe->stages[which];
    double limit = submission_flops(fum_device_get_info(exe->device)), pending = 0;
    fum_command *command = NULL;
    enum fum_result result = FUM_OK;
    for (int s = exe->plan->stage_begin[which]; s < exe->plan->stage_begin[which + 1] && !result;
         s++) {
        double flops = exe->plan->steps[s].flops;
        const struct fum_submission place = find_place(exe, s);
        // Ends before the node that would exceed the limit, not after it.
        if (command && (pending + flops > limit ||
                        !same_place(&place, &recording->items[recording->count - 1]))) {
            result = fum_command_end(command, err);
            command = NULL;
        }
        if (!result && !command) {
            result = begin_command(exe, which, recording, &place, err);
            if (result) return result;
            command = recording->items[recording->count - 1].command;
            pending = 0;
        }
        if (!result) result = fum_executable_record_step(exe, s, command, err);
        if (!result) result = fum_executable_record_leaving(exe, s, command, err);
        pending += flops;
        recording->flops += flops;
    }
    if (!result && command) result = fum_command_end(command, err);
    return result;
}
