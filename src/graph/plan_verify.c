// SPDX-License-Identifier: MIT
// Checks a plan by playing it: every write marks what it overwrites, and no step may read what was
// overwritten.
#include "graph/plan.h"

#include "base/error.h"

#include <stdlib.h>

static bool overlap(const struct fum_place *a, const struct fum_place *b) {
    return a->block >= 0 && a->block == b->block && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

static uint64_t operand_bytes(const struct fum_plan_step *step, int operand) {
    if (operand == FUM_OUT) return fum_desc_bytes(&step->node->desc);
    if (operand == FUM_SCRATCH) return step->scratch.bytes;
    return step->node->in[operand] ? fum_desc_bytes(&step->node->in[operand]->desc) : 0;
}

static enum fum_result verify_limits(const struct fum_plan_step *step,
                                     const struct fum_device_info *info, struct fum_error *err) {
    const char *name = step->node->name;
    for (int i = 0; i < step->count; i++) {
        const struct fum_dispatch *d = &step->dispatches[i];
        if (d->num_bind > FUM_MAX_BINDINGS || (uint32_t)d->num_bind > info->max_bindings)
            return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                 "%s: shader %s binds %d buffers, %s allows %u", name, d->shader,
                                 d->num_bind, info->name, info->max_bindings);
        if ((uint32_t)d->num_push * 4 > info->max_push_bytes)
            return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: shader %s pushes %d values", name,
                                 d->shader, d->num_push);
        for (int k = 0; k < 3; k++)
            if (d->groups[k] > info->max_group_count[k])
                return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                     "%s: shader %s needs %u workgroups, %s allows %u", name,
                                     d->shader, d->groups[k], info->name, info->max_group_count[k]);
        for (int k = 0; k < d->num_bind; k++) {
            const struct fum_dispatch_bind *b = &d->bind[k];
            uint64_t whole = operand_bytes(step, b->operand), bytes = b->bytes ? b->bytes : whole;
            if (b->offset % (info->binding_align ? info->binding_align : 1) ||
                bytes > info->max_binding || b->offset + bytes > (whole ? whole : 16))
                return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                     "%s: shader %s binds bytes %llu + %llu of %llu; %s allows "
                                     "%llu at multiples of %u",
                                     name, d->shader, (unsigned long long)b->offset,
                                     (unsigned long long)bytes, (unsigned long long)whole,
                                     info->name, (unsigned long long)info->max_binding,
                                     info->binding_align);
        }
    }
    return FUM_OK;
}

// clobbered[id]: somebody wrote over the value since it was written.
static void write_place(const fum_plan *plan, const fum_graph *graph, const struct fum_place *place,
                        int writer, bool *clobbered) {
    for (int i = 0; i < graph->count; i++)
        if (i != writer && overlap(&plan->places[i], place)) clobbered[i] = true;
}

static enum fum_result play(const fum_plan *plan, const fum_graph *graph, int first, int last,
                            bool *clobbered, struct fum_error *err) {
    for (int s = first; s < last; s++) {
        const struct fum_plan_step *step = &plan->steps[s];
        for (int k = 0; k < step->node->num_inputs; k++) {
            const fum_tensor *in = step->node->in[k] ? fum_tensor_root(step->node->in[k]) : NULL;
            if (in && clobbered[in->id])
                return fum_error_set(err, FUM_ERR_ARG, "plan: %s reads %s after it was overwritten",
                                     step->node->name, in->name);
        }
        const fum_tensor *root = fum_tensor_root(step->node);
        if (step->scratch.bytes) write_place(plan, graph, &step->scratch, -1, clobbered);
        if (step->scratch.bytes && overlap(&step->scratch, &plan->places[root->id]))
            return fum_error_set(err, FUM_ERR_ARG, "plan: the scratch of %s overlaps its result",
                                 step->node->name);
        if (root != step->node) continue; // a view or a state: nothing new is written over
        write_place(plan, graph, &plan->places[root->id], root->id, clobbered);
        for (int i = 0; i < graph->count; i++) // views of the same memory are not other values
            if (fum_tensor_root(graph->tensors[i]) == root) clobbered[i] = false;
    }
    return FUM_OK;
}

enum fum_result fum_plan_verify(const fum_plan *plan, const fum_graph *graph,
                                const struct fum_device_info *info, struct fum_error *err) {
    for (int s = 0; s < plan->num_steps; s++) {
        enum fum_result result = verify_limits(&plan->steps[s], info, err);
        if (result) return result;
    }
    for (int b = 0; b < plan->num_blocks; b++)
        if (plan->block_bytes[b] > info->max_buffer || plan->block_bytes[b] > info->max_allocation)
            return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                 "plan: block %d of %llu bytes is over the device's limits", b,
                                 (unsigned long long)plan->block_bytes[b]);
    bool *clobbered = fum_calloc((size_t)graph->count + 1, sizeof *clobbered);
    if (!clobbered) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to verify a plan");
    // Plays all stages, then the repeated one twice more, then everything from the prompt on.
    enum fum_result result = play(plan, graph, 0, plan->num_steps, clobbered, err);
    for (int i = 0; i < 2 * FUM_STAGE_COUNT && !result; i++) {
        int stage = i / 2;
        if (fum_stage_repeats((enum fum_stage)stage))
            result = play(plan, graph, plan->stage_begin[stage], plan->stage_begin[stage + 1],
                          clobbered, err);
    }
    if (!result)
        result =
            play(plan, graph, plan->stage_begin[FUM_STAGE_PROMPT], plan->num_steps, clobbered, err);
    fum_free(clobbered);
    return result;
}
