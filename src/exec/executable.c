// SPDX-License-Identifier: MIT
// From a plan to command buffers on a device, and running them.
#include "exec/executable.h"

#include "base/dtype.h"
#include "base/error.h"
#include "graph/dump.h"
#include "graph/fuse/fuse.h"
#include "graph/passes.h"
#include "exec/stream.h"

#include <stdio.h>
#include <string.h>

// A stage is one command buffer, or several when one would keep a slow device busy for so long that
// a driver's watchdog might take it for hung.
struct stage {
    fum_command **commands;
    int *segments; // of the commands, where weights are streamed
    int count;
    double flops;
};

// In the plan's arena.
struct weight_list {
    struct fum_weight *items;
    int count;
};

struct fum_executable {
    fum_device *device;
    const char *label;      // of the part: "unet"; in the plan's arena
    const fum_graph *built; // the caller's
    fum_graph *graph;       // its copy, rewritten for the device
    fum_plan *plan;
    fum_weights *weights; // the caller's; NULL: none
    fum_weights *constants;
    struct weight_list weight_list, constant_list; // of the graph
    fum_stream *stream;                            // of weights that do not fit; NULL: all do
    fum_buffer **blocks;
    const fum_kernel **kernels; // by dispatch, in order of the plan
    int *first_kernel;          // by step
    bool *written;              // indexed by tensor: inputs and states that hold a value
    bool fed[FUM_STAGE_COUNT];  // all inputs and states that the stage reads are written
    struct stage stages[FUM_STAGE_COUNT];
    struct fum_warming *warming; // compiles kernels during creation; NULL afterwards
    int compiled;                // number of kernels that creation compiled
    double compile_seconds, load_seconds;
};

// ---- creation ----

static enum fum_result dump(const struct fum_executable_params *params, const char *pass,
                            const fum_graph *graph, const fum_plan *plan, struct fum_error *err) {
    if (!params || !params->dump) return FUM_OK;
    char *text = fum_dump_text(graph, plan), *dot = fum_dump_dot(graph);
    enum fum_result result = FUM_OK;
    if (text && dot)
        params->dump(params->user, pass, text, dot);
    else
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to print the graph");
    fum_free(text);
    fum_free(dot);
    return result;
}

struct dumping {
    const struct fum_executable_params *params;
    const fum_graph *graph;
};

// Dumps the graph after a rule of the fuser.
static enum fum_result dump_rule(void *user, const char *rule, struct fum_error *err) {
    const struct dumping *d = user;
    return dump(d->params, rule, d->graph, NULL, err);
}

static enum fum_result make_plan(fum_executable *exe, const struct fum_executable_params *params,
                                 struct fum_error *err) {
    const struct fum_device_info *info = fum_device_get_info(exe->device);
    enum fum_result result = fum_graph_clone(&exe->graph, exe->built, err);
    if (result) return result;
    fum_pass_prune(exe->graph);
    if ((result = fum_pass_verify(exe->graph, "building", err))) return result;
    if ((result = dump(params, "prune", exe->graph, NULL, err))) return result;
    struct dumping dumping = {params, exe->graph};
    const struct fum_fuse_params fuse = {info, fum_device_tuning(exe->device), dump_rule, &dumping};
    if ((result = fum_graph_fuse(exe->graph, &fuse, err))) return result;
    if ((result =
             fum_plan_create(&exe->plan, exe->graph, info, fum_device_tuning(exe->device), err)))
        return result;
    if ((result = fum_plan_verify(exe->plan, exe->graph, info, err))) return result;
    return dump(params, "plan", exe->graph, exe->plan, err);
}

// Which kernels the device's variants came to.
static void log_shaders(const fum_executable *exe) {
    const struct fum_log *log = fum_device_log(exe->device);
    char *shaders = fum_log_wants(log, FUM_LOG_INFO) ? fum_dump_shaders(exe->plan) : NULL;
    if (shaders)
        fum_log(log, FUM_LOG_INFO, "%s: dispatches of %s", *exe->label ? exe->label : "graph",
                shaders);
    fum_free(shaders);
}

static enum fum_result make_blocks(fum_executable *exe, struct fum_error *err) {
    exe->blocks = fum_calloc((size_t)exe->plan->num_blocks, sizeof *exe->blocks);
    if (!exe->blocks) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    char label[64];
    snprintf(label, sizeof label, "%s%sactivations", exe->label, *exe->label ? " " : "");
    for (int i = 0; i < exe->plan->num_blocks; i++) {
        enum fum_result result = fum_buffer_create(
            &exe->blocks[i], exe->device,
            &(struct fum_buffer_params){
                .bytes = exe->plan->block_bytes[i], .use = FUM_BUFFER_DEVICE, .label = label},
            err);
        if (result) return result;
    }
    return FUM_OK;
}

struct fum_kernel_desc fum_dispatch_kernel(const struct fum_dispatch *d) {
    struct fum_kernel_desc desc = {.shader = fum_shader_find(d->shader, d->dtype),
                                   .num_spec = d->num_spec,
                                   .num_bindings = d->num_bind,
                                   .num_push = d->num_push,
                                   .subgroup = d->subgroup,
                                   .texels = d->texels};
    memcpy(desc.spec, d->spec, sizeof desc.spec);
    return desc;
}

static enum fum_result make_kernels(fum_executable *exe, const struct fum_progress *progress,
                                    struct fum_error *err) {
    const fum_plan *plan = exe->plan;
    int count = 0;
    exe->first_kernel = fum_calloc((size_t)plan->num_steps + 1, sizeof *exe->first_kernel);
    if (!exe->first_kernel) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    for (int s = 0; s < plan->num_steps; s++) {
        exe->first_kernel[s] = count;
        count += plan->steps[s].count;
    }
    struct fum_kernel_desc *descs = fum_calloc((size_t)count, sizeof *descs);
    exe->kernels = fum_calloc((size_t)count, sizeof *exe->kernels);
    enum fum_result result = FUM_OK;
    if (!descs || !exe->kernels)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    for (int s = 0; s < plan->num_steps && !result; s++) {
        for (int i = 0; i < plan->steps[s].count && !result; i++) {
            const struct fum_dispatch *d = &plan->steps[s].dispatches[i];
            struct fum_kernel_desc *desc = &descs[exe->first_kernel[s] + i];
            *desc = fum_dispatch_kernel(d);
            if (!desc->shader)
                result = fum_error_set(
                    err, FUM_ERR_UNSUPPORTED, "%s: this build has no shader %s for %s",
                    plan->steps[s].node->name, d->shader, fum_dtype_name(d->dtype));
        }
    }
    // CPU drivers compile at first use: the warming takes the time and reports it.
    bool late = fum_device_get_info(exe->device)->type == FUM_DEVICE_CPU;
    const struct fum_kernel_list list = {descs, exe->kernels, count, late ? NULL : progress};
    if (!result) result = fum_kernel_get_list(exe->device, &list, &exe->compiled, err);
    if (!result) result = fum_warming_begin(&exe->warming, exe->device, exe->kernels, count, err);
    fum_free(descs);
    return result;
}

// ---- recording ----

static struct fum_binding binding_of(const fum_executable *exe, const struct fum_plan_step *step,
                                     const struct fum_dispatch_bind *bind) {
    bool scratch = bind->operand == FUM_SCRATCH;
    const fum_tensor *operand = bind->operand >= 0 ? step->node->in[bind->operand] : step->node;
    const fum_tensor *t = fum_tensor_root(operand);
    const struct fum_place *place = scratch ? &step->scratch : &exe->plan->places[operand->id];
    struct fum_binding whole;
    if (!scratch && (t->kind == FUM_TENSOR_WEIGHT || t->kind == FUM_TENSOR_CONSTANT)) {
        const struct fum_weight weight = fum_tensor_weight(t);
        whole = t->kind == FUM_TENSOR_CONSTANT ? fum_weights_find(exe->constants, &weight)
                : exe->stream ? fum_stream_find(exe->stream, (int)(step - exe->plan->steps), t)
                              : fum_weights_find(exe->weights, &weight);
    } else {
        whole = (struct fum_binding){
            .buffer = exe->blocks[place->block], .offset = place->offset, .bytes = place->bytes};
    }
    whole.offset += bind->offset;
    whole.bytes = bind->bytes ? bind->bytes : whole.bytes - bind->offset;
    whole.write = bind->write;
    return whole;
}

static enum fum_result record_step(fum_executable *exe, int s, fum_command *command,
                                   struct fum_error *err) {
    const struct fum_plan_step *step = &exe->plan->steps[s];
    for (int i = 0; i < step->count; i++) {
        const struct fum_dispatch *d = &step->dispatches[i];
        struct fum_binding bindings[FUM_MAX_BINDINGS];
        for (int k = 0; k < d->num_bind; k++) bindings[k] = binding_of(exe, step, &d->bind[k]);
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

static fum_command **command_append(struct stage *stage, int segment) {
    fum_command **grown = fum_realloc(stage->commands, (size_t)stage->count + 1, sizeof *grown);
    if (!grown) return NULL;
    stage->commands = grown;
    int *segments = fum_realloc(stage->segments, (size_t)stage->count + 1, sizeof *segments);
    if (!segments) return NULL;
    stage->segments = segments;
    grown[stage->count] = NULL;
    segments[stage->count] = segment;
    return &grown[stage->count++];
}

static enum fum_result record_stage(fum_executable *exe, int which, struct fum_error *err) {
    char label[64];
    struct stage *stage = &exe->stages[which];
    double limit = submission_flops(fum_device_get_info(exe->device)), pending = 0;
    fum_command *command = NULL;
    enum fum_result result = FUM_OK;
    for (int s = exe->plan->stage_begin[which]; s < exe->plan->stage_begin[which + 1] && !result;
         s++) {
        double flops = exe->plan->steps[s].flops;
        int segment = exe->stream ? fum_stream_segment(exe->stream, s) : 0;
        // Ends before the node that would exceed the limit, not after it.
        if (command && (pending + flops > limit || segment != stage->segments[stage->count - 1])) {
            result = fum_command_end(command, err);
            command = NULL;
        }
        if (!result && !command) {
            fum_command **slot = command_append(stage, segment);
            if (!slot) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
            snprintf(label, sizeof label, "%s%s%s", exe->label, *exe->label ? " " : "",
                     fum_stage_name((enum fum_stage)which));
            result = fum_command_create(slot, exe->device, label, err);
            command = *slot;
            pending = 0;
        }
        if (!result) result = record_step(exe, s, command, err);
        pending += flops;
        stage->flops += flops;
    }
    if (!result && command) result = fum_command_end(command, err);
    return result;
}

enum fum_result fum_executable_measure(const fum_graph *graph, fum_device *device,
                                       struct fum_executable_size *size, struct fum_error *err) {
    fum_executable exe = {.device = device, .built = graph};
    enum fum_result result = make_plan(&exe, NULL, err);
    *size = (struct fum_executable_size){0};
    if (!result) size->activations = fum_plan_bytes(exe.plan);
    if (!result) size->least = size->activations + fum_stream_least(device, exe.graph, exe.plan);
    for (int i = 0; i < graph->count && !result; i++) {
        const fum_tensor *t = exe.graph->tensors[i];
        if (t->live && (t->kind == FUM_TENSOR_WEIGHT || t->kind == FUM_TENSOR_CONSTANT))
            size->weights += fum_buffer_align(fum_desc_bytes(&t->desc));
    }
    if (size->least > size->activations + size->weights)
        size->least = size->activations + size->weights;
    fum_plan_destroy(&exe.plan);
    fum_graph_destroy(&exe.graph);
    return result;
}

static enum fum_result list_weights(fum_executable *exe, enum fum_tensor_kind kind,
                                    struct weight_list *list, struct fum_error *err) {
    list->count = fum_graph_list_weights(exe->graph, kind, NULL);
    list->items = fum_arena_alloc(exe->plan->arena, (size_t)list->count, sizeof *list->items);
    if (!list->items) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    fum_graph_list_weights(exe->graph, kind, list->items);
    return FUM_OK;
}

// Loads the weights, or as many as the store's owner has room for, with a stream for the rest.
static enum fum_result load_weights(fum_executable *exe, struct fum_error *err) {
    const struct fum_weights_params *params = fum_weights_get_params(exe->weights);
    const struct weight_list *list = &exe->weight_list, *constants = &exe->constant_list;
    if (params->room) {
        uint64_t fixed = fum_plan_bytes(exe->plan) +
                         fum_weights_missing(exe->constants, constants->items, constants->count);
        uint64_t least = fixed + fum_stream_least(exe->device, exe->graph, exe->plan);
        uint64_t missing = fum_weights_missing(exe->weights, list->items, list->count);
        uint64_t room = params->room(params->user, fixed + missing, least);
        if (room < fixed + missing) {
            // What other executables of this store left behind may not be what this one should
            // keep.
            fum_weights_clear(exe->weights);
            missing = fum_weights_missing(exe->weights, list->items, list->count);
            room = params->room(params->user, fixed + missing, least);
        }
        if (room < least && room < fixed + missing)
            return fum_error_set(
                err, FUM_ERR_NOMEM,
                "%s: needs at least %llu bytes of device memory, %llu are available", exe->label,
                (unsigned long long)least, (unsigned long long)room);
        if (room < fixed + missing)
            return fum_stream_create(&exe->stream, exe->device, exe->weights, exe->graph, exe->plan,
                                     room - fixed, err);
    }
    return fum_weights_load(exe->weights, list->items, list->count, err);
}

static enum fum_result load_all(fum_executable *exe, struct fum_error *err) {
    double start = fum_time_now();
    const struct weight_list *constants = &exe->constant_list;
    enum fum_result result = list_weights(exe, FUM_TENSOR_WEIGHT, &exe->weight_list, err);
    if (!result) result = list_weights(exe, FUM_TENSOR_CONSTANT, &exe->constant_list, err);
    if (!result && exe->weights) result = load_weights(exe, err);
    if (!result) result = fum_weights_load(exe->constants, constants->items, constants->count, err);
    exe->load_seconds = fum_time_now() - start;
    return result;
}

static enum fum_result begin_kernels(fum_executable *exe, const struct fum_progress *progress,
                                     struct fum_error *err) {
    double start = fum_time_now();
    enum fum_result result = make_kernels(exe, progress, err);
    int late = fum_warming_count(exe->warming);
    if (!result && late && progress && !progress->fn(progress->user, 0, late))
        result = fum_error_set(err, FUM_ERR_CANCELLED, "compiling kernels was cancelled");
    exe->compile_seconds = fum_time_now() - start;
    return result;
}

// Loads weights while kernels compile. A budget may refuse the weights, so they are loaded first
// then.
static enum fum_result make_ready(fum_executable *exe, const struct fum_executable_params *params,
                                  struct fum_error *err) {
    struct fum_progress progress = {0};
    if (params) progress = (struct fum_progress){params->on_compile, params->user};
    const struct fum_progress *reported = progress.fn ? &progress : NULL;
    bool budget = exe->weights && fum_weights_get_params(exe->weights)->room;
    enum fum_result result = budget ? load_all(exe, err) : FUM_OK;
    if (!result) result = begin_kernels(exe, reported, err);
    if (!result && !budget) result = load_all(exe, err);
    double start = fum_time_now();
    if (!result) result = fum_warming_end(&exe->warming, reported, err);
    exe->compile_seconds += fum_time_now() - start;
    return result;
}

enum fum_result fum_executable_compile(fum_executable **out, const fum_graph *graph,
                                       fum_device *device, fum_weights *weights,
                                       const struct fum_executable_params *params,
                                       struct fum_error *err) {
    fum_executable *exe = fum_calloc(1, sizeof *exe);
    enum fum_result result = FUM_OK;
    *out = NULL;
    if (!exe) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    exe->device = device;
    exe->built = graph;
    exe->weights = weights;
    if ((result = make_plan(exe, params, err))) goto error;
    exe->written = fum_calloc((size_t)graph->count, sizeof *exe->written);
    exe->label = fum_arena_strdup(exe->plan->arena, params && params->label ? params->label : "");
    if (!exe->label || !exe->written) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
        goto error;
    }
    log_shaders(exe);
    for (int i = 0; i < graph->count && !weights; i++) {
        const fum_tensor *t = exe->graph->tensors[i];
        if (!t->live || t->kind != FUM_TENSOR_WEIGHT) continue;
        result = fum_error_set(err, FUM_ERR_ARG,
                               "%s: a weight, but there is no model to take it from", t->name);
        goto error;
    }
    struct fum_weights_params constants = {.device = device, .label = "constants"};
    if ((result = fum_weights_create(&exe->constants, &constants, err))) goto error;
    if ((result = make_ready(exe, params, err)) || (result = make_blocks(exe, err))) goto error;
    for (int s = 0; s < FUM_STAGE_COUNT; s++)
        if ((result = record_stage(exe, s, err))) goto error;
    // What depends on weights alone is folded now, once.
    if (!fum_device_get_info(device)->planning_only &&
        (result = fum_executable_run(exe, FUM_STAGE_LOAD, err)))
        goto error;
    *out = exe;
    return FUM_OK;
error:
    fum_executable_destroy(&exe);
    return result;
}

enum fum_result fum_executable_create(fum_executable **executable, const fum_graph *graph,
                                      fum_device *device,
                                      const struct fum_executable_params *params,
                                      struct fum_error *err) {
    return fum_executable_compile(executable, graph, device, NULL, params, err);
}

void fum_executable_destroy(fum_executable **executable) {
    if (!executable || !*executable) return;
    fum_executable *exe = *executable;
    fum_warming_stop(&exe->warming);
    fum_stream_destroy(&exe->stream);
    for (int s = 0; s < FUM_STAGE_COUNT; s++) {
        for (int i = 0; i < exe->stages[s].count; i++)
            fum_command_destroy(&exe->stages[s].commands[i]);
        fum_free(exe->stages[s].commands);
        fum_free(exe->stages[s].segments);
    }
    for (int i = 0; exe->blocks && exe->plan && i < exe->plan->num_blocks; i++)
        fum_buffer_destroy(&exe->blocks[i]);
    fum_free(exe->blocks);
    fum_free(exe->kernels);
    fum_free(exe->first_kernel);
    fum_free(exe->written);
    fum_weights_destroy(&exe->constants);
    fum_plan_destroy(&exe->plan);
    fum_graph_destroy(&exe->graph);
    fum_free(exe);
    *executable = NULL;
}

// ---- running ----

const fum_plan *fum_executable_plan(const fum_executable *executable) {
    return executable->plan;
}

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

// Submits command i of the stage.
static enum fum_result submit_one(fum_executable *exe, enum fum_stage stage, int i,
                                  uint64_t *ticket, struct fum_error *err) {
    const struct stage *s = &exe->stages[stage];
    bool first = exe->stream && (i == 0 || s->segments[i] != s->segments[i - 1]);
    enum fum_result result = first ? fum_stream_acquire(exe->stream, s->segments[i], err) : FUM_OK;
    if (result) return result;
    result = fum_command_submit(s->commands[i], ticket, err);
    if (exe->stream && (result || i + 1 == s->count || s->segments[i + 1] != s->segments[i]))
        fum_stream_release(exe->stream, s->segments[i], *ticket);
    return result;
}

enum fum_result fum_executable_submit(fum_executable *exe, enum fum_stage stage, uint64_t *ticket,
                                      struct fum_error *err) {
    *ticket = 0;
    enum fum_result result = check_written(exe, stage, err);
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
    enum fum_result result = check_written(exe, stage, err);
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

enum fum_result fum_executable_first_nonfinite(fum_executable *exe, enum fum_stage stage,
                                               const char **node, struct fum_error *err) {
    *node = NULL;
    for (int s = exe->plan->stage_begin[stage]; s < exe->plan->stage_begin[stage + 1]; s++) {
        const fum_tensor *t = exe->plan->steps[s].node;
        if (fum_tensor_is_alias(t) || t->op->updates) continue;
        fum_command *command = NULL;
        uint64_t ticket = 0;
        int segment = exe->stream ? fum_stream_segment(exe->stream, s) : 0;
        enum fum_result result = fum_command_create(&command, exe->device, t->name, err);
        if (!result) result = record_step(exe, s, command, err);
        if (!result) result = fum_command_end(command, err);
        if (!result && exe->stream) result = fum_stream_acquire(exe->stream, segment, err);
        if (!result) result = fum_command_submit(command, &ticket, err);
        if (!result) result = fum_device_wait(exe->device, ticket, err);
        if (exe->stream) fum_stream_release(exe->stream, segment, ticket);
        fum_command_destroy(&command);
        if (result) return result;
        size_t count = (size_t)fum_shape_count(&t->desc.shape);
        float *values = fum_alloc(count, sizeof *values);
        if (!values)
            return fum_error_set(err, FUM_ERR_NOMEM, "no memory to look for the first bad value");
        result = fum_executable_read(exe, t, values, count, err);
        for (size_t i = 0; i < count && !result && !*node; i++)
            if (!(values[i] - values[i] == 0)) *node = t->name;
        fum_free(values);
        if (result || *node) return result;
    }
    return FUM_OK;
}

// ---- data in and out ----

// True if the tensor of the built graph or of the executable's copy has a twin here.
static bool belongs(const fum_executable *exe, const fum_tensor *t) {
    return (t->graph == exe->built || t->graph == exe->graph) && t->id < exe->graph->count;
}

// True if nothing reads the tensor, so that it has no memory.
static bool is_unused(const fum_executable *exe, const fum_tensor *t) {
    return !exe->graph->tensors[t->id]->live;
}

static enum fum_result check_io(const fum_executable *exe, const fum_tensor *t, size_t count,
                                struct fum_error *err) {
    bool external = t->kind == FUM_TENSOR_INPUT || t->kind == FUM_TENSOR_STATE;
    if (!belongs(exe, t) ||
        (exe->plan->places[t->id].block < 0 && !(external && is_unused(exe, t))))
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s: not an input, state or output of this executable", t->name);
    if ((int64_t)count != fum_shape_count(&t->desc.shape))
        return fum_error_set(err, FUM_ERR_ARG, "%s: has %lld elements, not %zu", t->name,
                             (long long)fum_shape_count(&t->desc.shape), count);
    return FUM_OK;
}

enum fum_result fum_executable_write_raw(fum_executable *exe, const fum_tensor *t, const void *data,
                                         uint64_t bytes, struct fum_error *err) {
    const struct fum_place *place = &exe->plan->places[t->id];
    if (place->block < 0 || bytes > place->bytes)
        return fum_error_set(err, FUM_ERR_ARG, "%s: cannot take %llu bytes", t->name,
                             (unsigned long long)bytes);
    fum_buffer_set_label(exe->blocks[place->block], fum_tensor_name(t));
    enum fum_result result =
        fum_buffer_write(exe->blocks[place->block], place->offset, data, bytes, err);
    if (!result) exe->written[t->id] = true;
    return result;
}

enum fum_result fum_executable_read_raw(fum_executable *exe, const fum_tensor *t, uint64_t offset,
                                        void *data, uint64_t bytes, struct fum_error *err) {
    const struct fum_place *place = &exe->plan->places[t->id];
    if (place->block < 0 || offset > place->bytes || bytes > place->bytes - offset)
        return fum_error_set(err, FUM_ERR_ARG, "%s: cannot give %llu bytes", t->name,
                             (unsigned long long)bytes);
    fum_buffer_set_label(exe->blocks[place->block], fum_tensor_name(t));
    return fum_buffer_read(exe->blocks[place->block], place->offset + offset, data, bytes, err);
}

// Dense rows → padded rows of the tensor's type, and back. `integers`: data is int32_t.
static enum fum_result write_rows(fum_executable *exe, const fum_tensor *t, const void *data,
                                  bool integers, size_t count, struct fum_error *err) {
    enum fum_result result = check_io(exe, t, count, err);
    if (result || !count || is_unused(exe, t)) return result; // what nothing reads needs no memory
    if (integers != (t->desc.dtype == FUM_I32))
        return fum_error_set(err, FUM_ERR_ARG, "%s: holds %s", t->name,
                             fum_dtype_name(t->desc.dtype));
    size_t columns = (size_t)fum_shape_channels(&t->desc.shape), rows = count / columns;
    size_t row_bytes = (size_t)fum_desc_row_bytes(&t->desc);
    uint8_t *padded = fum_calloc(rows, row_bytes);
    if (!padded)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu elements", t->name, count);
    for (size_t r = 0; r < rows; r++) {
        if (integers)
            memcpy(padded + r * row_bytes, (const int32_t *)data + r * columns, columns * 4);
        else
            fum_convert_from_f32(padded + r * row_bytes, t->desc.dtype,
                                 (const float *)data + r * columns, columns);
    }
    result = fum_executable_write_raw(exe, t, padded, rows * row_bytes, err);
    fum_free(padded);
    return result;
}

enum fum_result fum_executable_write(fum_executable *exe, const fum_tensor *tensor,
                                     const float *data, size_t count, struct fum_error *err) {
    return write_rows(exe, tensor, data, false, count, err);
}

enum fum_result fum_executable_write_i32(fum_executable *exe, const fum_tensor *tensor,
                                         const int32_t *data, size_t count, struct fum_error *err) {
    return write_rows(exe, tensor, data, true, count, err);
}

enum fum_result fum_executable_read(fum_executable *exe, const fum_tensor *t, float *data,
                                    size_t count, struct fum_error *err) {
    enum fum_result result = check_io(exe, t, count, err);
    if (result || !count) return result;
    if (is_unused(exe, t))
        return fum_error_set(err, FUM_ERR_ARG, "%s: nothing uses it, so it was not kept", t->name);
    return fum_executable_read_rows(exe, t, (size_t)fum_shape_rows(&t->desc.shape), data, err);
}

enum fum_result fum_executable_read_rows(fum_executable *exe, const fum_tensor *t, size_t rows,
                                         float *data, struct fum_error *err) {
    size_t columns = (size_t)fum_shape_channels(&t->desc.shape), count = rows * columns;
    size_t row_bytes = (size_t)fum_desc_row_bytes(&t->desc);
    const struct fum_place *place = &exe->plan->places[t->id];
    uint8_t *padded = fum_alloc(rows, row_bytes);
    if (!padded)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for %zu elements", t->name, count);
    fum_buffer_set_label(exe->blocks[place->block], fum_tensor_name(t));
    enum fum_result result =
        fum_buffer_read(exe->blocks[place->block], place->offset, padded, rows * row_bytes, err);
    for (size_t r = 0; r < rows && !result; r++)
        fum_convert_to_f32(data + r * columns, padded + r * row_bytes, t->desc.dtype, columns);
    fum_free(padded);
    return result;
}

void fum_executable_get_stats(const fum_executable *exe, struct fum_executable_stats *stats) {
    *stats = (struct fum_executable_stats){0};
    for (int s = 0; s < FUM_STAGE_COUNT; s++) {
        stats->flops[s] = exe->stages[s].flops;
        for (int i = 0; i < exe->stages[s].count; i++) {
            stats->dispatches[s] += fum_command_dispatches(exe->stages[s].commands[i]);
            stats->barriers[s] += fum_command_barriers(exe->stages[s].commands[i]);
        }
    }
    stats->kernels = exe->compiled;
    stats->compile_seconds = exe->compile_seconds;
    stats->load_seconds = exe->load_seconds;
    stats->activation_bytes = fum_plan_bytes(exe->plan);
    stats->weight_bytes =
        fum_weights_bytes(exe->constants) + (exe->weights ? fum_weights_bytes(exe->weights) : 0);
    if (!exe->stream) return;
    struct fum_stream_stats streamed;
    fum_stream_get_stats(exe->stream, &streamed);
    stats->slot_bytes = streamed.slot_bytes;
    for (int s = 0; s < FUM_STAGE_COUNT; s++) {
        stats->streamed_bytes[s] = streamed.stage_bytes[s];
        stats->segments[s] = streamed.stage_segments[s];
    }
}
