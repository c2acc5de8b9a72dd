// SPDX-License-Identifier: MIT
// Checks a plan by playing it. Every write marks the memory it overwrites. No step may read
// overwritten memory, or a state after an update whose result it does not take.
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

// What has happened to each tensor, by id, while a plan is played.
struct player {
    const fum_plan *plan;
    const fum_graph *graph;
    struct memory {
        bool clobbered;             // something wrote over the value since it was written
        const fum_tensor *updated;  // of a state: the update that wrote it last
        const fum_tensor *in_stage; // the same within the stage being played; NULL: none yet
    } * memory;
};

// Marks what a write to `place` overwrites. The value that is written, its root, and the aliases of
// it are whole again. NULL: scratch memory, which is no value.
static void write_place(struct player *p, const struct fum_place *place, const fum_tensor *root) {
    for (int i = 0; i < p->graph->count; i++)
        if (overlap(&p->plan->places[i], place))
            p->memory[i].clobbered = fum_tensor_root(p->graph->tensors[i]) != root;
}

// Returns the update whose result the tensor is, possibly under another shape; NULL: it is none.
static const fum_tensor *update_of(const fum_tensor *t) {
    while (fum_tensor_is_alias(t)) t = t->in[0];
    return fum_tensor_updates(t, 0) ? t : NULL;
}

// Checks that a step reads its inputs as it means to: whole, and before or after an update of them.
// A state itself means "as the stage finds it"; an update's result means "just after that update".
static enum fum_result check_read(const struct player *p, const fum_tensor *node,
                                  const fum_tensor *in, struct fum_error *err) {
    const fum_tensor *root = fum_tensor_root(in), *wanted = update_of(in);
    const struct memory *memory = &p->memory[root->id];
    bool earlier = wanted && wanted->stage != node->stage;
    const fum_tensor *found = earlier ? memory->updated : memory->in_stage;
    if (memory->clobbered)
        return fum_error_set(err, FUM_ERR_ARG, "plan: %s reads %s after it was overwritten",
                             node->name, root->name);
    if (found != wanted)
        return fum_error_set(err, FUM_ERR_ARG,
                             "plan: %s reads %s after %s has updated it, but does not take the "
                             "result of that update",
                             node->name, root->name, found ? found->name : "nothing");
    return FUM_OK;
}

static void note_updates(struct player *p, const fum_tensor *node) {
    for (int k = 0; k < node->num_inputs; k++) {
        if (!fum_tensor_updates(node, k)) continue;
        struct memory *memory = &p->memory[fum_tensor_root(node->in[k])->id];
        memory->updated = memory->in_stage = node;
    }
}

static enum fum_result play_step(struct player *p, const struct fum_plan_step *step,
                                 struct fum_error *err) {
    const fum_tensor *node = step->node, *root = fum_tensor_root(node);
    for (int k = 0; k < node->num_inputs; k++) {
        enum fum_result result = node->in[k] ? check_read(p, node, node->in[k], err) : FUM_OK;
        if (result) return result;
    }
    note_updates(p, node);
    if (step->scratch.bytes) write_place(p, &step->scratch, NULL);
    if (step->scratch.bytes && overlap(&step->scratch, &p->plan->places[root->id]))
        return fum_error_set(err, FUM_ERR_ARG, "plan: the scratch of %s overlaps its result",
                             node->name);
    if (root == node) write_place(p, &p->plan->places[root->id], root); // else writes no new value
    return FUM_OK;
}

// Plays the stages from `first` up to and including `last`.
static enum fum_result play(struct player *p, int first, int last, struct fum_error *err) {
    for (int stage = first; stage <= last; stage++) {
        for (int i = 0; i < p->graph->count; i++) p->memory[i].in_stage = NULL;
        for (int s = p->plan->stage_begin[stage]; s < p->plan->stage_begin[stage + 1]; s++) {
            enum fum_result result = play_step(p, &p->plan->steps[s], err);
            if (result) return result;
        }
    }
    return FUM_OK;
}

// Plays all stages, then each repeated one twice more, then everything from the prompt on.
static enum fum_result play_runs(struct player *p, struct fum_error *err) {
    enum fum_result result = play(p, 0, FUM_STAGE_COUNT - 1, err);
    for (int i = 0; i < 2 * FUM_STAGE_COUNT && !result; i++)
        if (fum_stage_repeats((enum fum_stage)(i / 2))) result = play(p, i / 2, i / 2, err);
    return result ? result : play(p, FUM_STAGE_PROMPT, FUM_STAGE_COUNT - 1, err);
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
    struct player player = {.plan = plan, .graph = graph};
    player.memory = fum_calloc((size_t)graph->count + 1, sizeof *player.memory);
    if (!player.memory) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to verify a plan");
    enum fum_result result = play_runs(&player, err);
    fum_free(player.memory);
    return result;
}
