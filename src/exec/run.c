// SPDX-License-Identifier: MIT
// Runs the stages of an executable.
#include "base/alloc.h"
#include "base/error.h"
#include "exec/inside.h"

#include <string.h>

// True if the tensor is read from memory that nothing has written yet. An empty tensor has none.
static bool is_missing(const fum_executable *exe, const fum_tensor *t) {
    bool external = t->kind == FUM_TENSOR_INPUT || t->kind == FUM_TENSOR_STATE;
    return external && !exe->written[t->id] && fum_shape_count(&t->desc.shape);
}

// Refuses a stage that would read an input or state that was never written: its memory is
// undefined.
static enum fum_result check_written(fum_executable *exe, enum fum_stage stage,
                                     struct fum_error *err) {
    const fum_plan *plan = exe->plan;
    if (exe->fed[stage]) return FUM_OK;
    for (int s = plan->stage_begin[stage]; s < plan->stage_begin[stage + 1]; s++) {
        const fum_tensor *node = plan->steps[s].node;
        for (int i = 0; i < node->num_inputs; i++) {
            const fum_tensor *t = node->in[i] ? fum_tensor_root(node->in[i]) : NULL;
            if (!t || !is_missing(exe, t)) continue;
            return fum_error_set(err, FUM_ERR_ARG,
                                 "%s%s%s needs the input %s, which was never written", exe->label,
                                 *exe->label ? ": " : "", node->name, t->name);
        }
    }
    exe->fed[stage] = true;
    return FUM_OK;
}

// Makes sure that a stage may run: what depends on weights alone is computed again if they were
// rewritten, and the inputs are written.
static enum fum_result prepare_stage(fum_executable *exe, enum fum_stage stage,
                                     struct fum_error *err) {
    unsigned before = exe->version;
    exe->version = exe->weights ? fum_weights_version(exe->weights) : 0;
    enum fum_result result = FUM_OK;
    if (exe->version != before && stage != FUM_STAGE_LOAD)
        result = fum_executable_run(exe, FUM_STAGE_LOAD, err);
    if (result) exe->version = before;
    return result ? result : check_written(exe, stage, err);
}

void fum_executable_set_gate(fum_executable *exe, int gate, bool open) {
    uint32_t bit = UINT32_C(1) << gate;
    exe->closed = open ? exe->closed & ~bit : exe->closed | bit;
}

static bool is_closed(const fum_executable *exe, int gate) {
    return gate && exe->closed >> gate & 1;
}

// Submits command i of the stage, unless it is behind a closed gate.
static enum fum_result submit_one(fum_executable *exe, enum fum_stage stage, int i,
                                  uint64_t *ticket, struct fum_error *err) {
    const struct fum_recording *s = &exe->stages[stage];
    struct fum_submission *now = &s->items[i];
    if (is_closed(exe, now->gate)) return FUM_OK;
    bool first = exe->stream && (i == 0 || now->segment != s->items[i - 1].segment);
    enum fum_result result = first ? fum_stream_acquire(exe->stream, now->segment, err) : FUM_OK;
    if (result) return result;
    result = fum_command_submit(now->command, ticket, err);
    now->ticket = *ticket;
    if (exe->stream && (result || i + 1 == s->count || s->items[i + 1].segment != now->segment))
        fum_stream_release(exe->stream, now->segment, *ticket);
    return result;
}

enum fum_result fum_executable_submit(fum_executable *exe, enum fum_stage stage, uint64_t *ticket,
                                      struct fum_error *err) {
    *ticket = 0;
    enum fum_result result = prepare_stage(exe, stage, err);
    for (int i = 0; i < exe->stages[stage].count && !result; i++)
        result = submit_one(exe, stage, i, ticket, err);
    return result;
}

enum fum_result fum_executable_run(fum_executable *exe, enum fum_stage stage,
                                   struct fum_error *err) {
    uint64_t ticket;
    enum fum_result result = fum_executable_submit(exe, stage, &ticket, err);
    return result || !ticket ? result : fum_device_wait(exe->device, ticket, err);
}

// Keeps one command submitted beyond the one that it waits for, so that the device never idles and
// a cancel takes effect soon.
enum fum_result fum_executable_run_reported(fum_executable *exe, enum fum_stage stage,
                                            const struct fum_progress *progress,
                                            struct fum_error *err) {
    int count = exe->stages[stage].count;
    uint64_t before = 0, ticket = 0;
    enum fum_result result = prepare_stage(exe, stage, err);
    for (int i = 0; i < count && !result; i++) {
        before = ticket;
        result = submit_one(exe, stage, i, &ticket, err);
        if (!result && before) result = fum_device_wait(exe->device, before, err);
        if (!result && !progress->fn(progress->user, i, count))
            result = fum_error_set(err, FUM_ERR_CANCELLED, "%s was cancelled",
                                   *exe->label ? exe->label : "the run");
    }
    if (!ticket) return result;
    if (!result) return fum_device_wait(exe->device, ticket, err);
    fum_device_wait(exe->device, ticket, NULL); // the first failure is the one to report
    return result;
}

// Runs one step of the plan alone and waits.
static enum fum_result run_step(fum_executable *exe, int s, struct fum_error *err) {
    fum_command *command = NULL;
    uint64_t ticket = 0;
    int segment = exe->stream ? fum_stream_segment(exe->stream, s) : 0;
    enum fum_result result =
        fum_command_create(&command, exe->device, exe->plan->steps[s].node->name, err);
    if (!result) result = fum_executable_record_step(exe, s, command, err);
    if (!result) result = fum_command_end(command, err);
    if (!result && exe->stream) result = fum_stream_acquire(exe->stream, segment, err);
    if (result) goto done;
    result = fum_command_submit(command, &ticket, err);
    if (!result) result = fum_device_wait(exe->device, ticket, err);
    if (exe->stream) fum_stream_release(exe->stream, segment, ticket);
done:
    fum_command_destroy(&command);
    return result;
}

// Sets *finite to whether all elements of the tensor are finite.
static enum fum_result check_finite(fum_executable *exe, const fum_tensor *t, bool *finite,
                                    struct fum_error *err) {
    size_t count = (size_t)fum_shape_count(&t->desc.shape);
    float *values = fum_alloc(count, sizeof *values);
    *finite = true;
    if (!values)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to look for the first bad value");
    enum fum_result result = fum_executable_read(exe, t, values, count, err);
    for (size_t i = 0; i < count && !result && *finite; i++) *finite = values[i] - values[i] == 0;
    fum_free(values);
    return result;
}

// Returns a node's name for a message. An automatic one, "exp#14", gets the name of the nearest
// value that it is computed from.
static const char *describe_node(const fum_executable *exe, const fum_tensor *t) {
    const fum_tensor *from = t;
    while (from && strchr(from->name, '#')) from = from->in[0];
    if (!from || from == t) return t->name;
    const char *text =
        fum_arena_printf(exe->plan->arena, "%s, computed from %s", t->name, from->name);
    return text ? text : t->name;
}

enum fum_result fum_executable_first_nonfinite(fum_executable *exe, enum fum_stage stage,
                                               const char **node, struct fum_error *err) {
    *node = NULL;
    for (int s = exe->plan->stage_begin[stage]; s < exe->plan->stage_begin[stage + 1]; s++) {
        const fum_tensor *t = exe->plan->steps[s].node;
        if (fum_tensor_is_alias(t) || t->op->updates || is_closed(exe, t->gate)) continue;
        bool finite;
        enum fum_result result = run_step(exe, s, err);
        if (!result) result = check_finite(exe, t, &finite, err);
        if (!result && !finite) *node = describe_node(exe, t);
        if (result || *node) return result;
    }
    return FUM_OK;
}
