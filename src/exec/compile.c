// SPDX-License-Identifier: MIT
// Compiles a graph for a device: passes, plan, weights, memory, command buffers.
#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "exec/inside.h"
#include "graph/dump.h"
#include "graph/fuse/fuse.h"
#include "graph/passes.h"

#include <stdio.h>

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

// Logs which kernels the device's variants came to.
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

// Adds up what the weights, constants or parameters of a graph take on a device.
static uint64_t kind_bytes(const fum_graph *graph, enum fum_tensor_kind kind) {
    uint64_t bytes = 0;
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (t->live && t->kind == kind) bytes += fum_buffer_align(fum_tensor_bytes(t));
    }
    return bytes;
}

enum fum_result fum_executable_measure(const fum_graph *graph, fum_device *device,
                                       struct fum_executable_size *size, struct fum_error *err) {
    fum_executable exe = {.device = device, .built = graph};
    enum fum_result result = make_plan(&exe, NULL, err);
    *size = (struct fum_executable_size){0};
    if (!result) {
        uint64_t weights = kind_bytes(exe.graph, FUM_TENSOR_WEIGHT),
                 streamed = fum_stream_least(device, exe.graph, exe.plan),
                 constants = kind_bytes(exe.graph, FUM_TENSOR_CONSTANT); // which always stay
        size->activations = fum_plan_bytes(exe.plan);
        size->weights = weights + constants;
        size->parameters = kind_bytes(exe.graph, FUM_TENSOR_PARAMETER);
        size->least = size->activations + constants + FUM_MIN(weights, streamed);
    }
    fum_plan_destroy(&exe.plan);
    fum_graph_destroy(&exe.graph);
    return result;
}

static enum fum_result list_weights(fum_executable *exe, enum fum_tensor_kind kind,
                                    struct fum_weight_list *list, struct fum_error *err) {
    list->count = fum_graph_list_weights(exe->graph, kind, NULL);
    list->items = fum_arena_alloc(exe->plan->arena, (size_t)list->count, sizeof *list->items);
    if (!list->items) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    fum_graph_list_weights(exe->graph, kind, list->items);
    return FUM_OK;
}

// Loads the weights, or as many as the store's owner has room for, with a stream for the rest.
static enum fum_result load_weights(fum_executable *exe, struct fum_error *err) {
    const struct fum_weights_params *params = fum_weights_get_params(exe->weights);
    const struct fum_weight_list *list = &exe->weight_list, *constants = &exe->constant_list;
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
            return fum_stream_create(&exe->stream,
                                     &(struct fum_stream_params){.device = exe->device,
                                                                 .weights = exe->weights,
                                                                 .graph = exe->graph,
                                                                 .plan = exe->plan,
                                                                 .room = room - fixed},
                                     err);
    }
    return fum_weights_load(exe->weights, list->items, list->count, err);
}

// Adds the graph's parameters that the store does not hold yet.
static enum fum_result load_parameters(fum_executable *exe, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < exe->graph->count && !result; i++) {
        const fum_tensor *t = exe->graph->tensors[i];
        if (!t->live || t->kind != FUM_TENSOR_PARAMETER) continue;
        const struct fum_weight weight = fum_tensor_weight(t);
        if (!exe->parameters)
            return fum_error_set(err, FUM_ERR_ARG, "%s: a parameter, but there is no store of them",
                                 t->name);
        result = fum_parameters_load(exe->parameters, &weight, err);
    }
    return result;
}

static enum fum_result load_all(fum_executable *exe, struct fum_error *err) {
    double start = fum_time_now();
    const struct fum_weight_list *constants = &exe->constant_list;
    enum fum_result result = list_weights(exe, FUM_TENSOR_WEIGHT, &exe->weight_list, err);
    if (!result) result = list_weights(exe, FUM_TENSOR_CONSTANT, &exe->constant_list, err);
    if (!result && exe->weights) result = load_weights(exe, err);
    if (!result) result = fum_weights_load(exe->constants, constants->items, constants->count, err);
    if (!result) result = load_parameters(exe, err);
    exe->load_seconds = fum_time_now() - start;
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
    if (!result) result = fum_executable_begin_kernels(exe, reported, err);
    if (!result && !budget) result = load_all(exe, err);
    double start = fum_time_now();
    if (!result) result = fum_warming_end(&exe->warming, reported, err);
    exe->compile_seconds += fum_time_now() - start;
    return result;
}

static enum fum_result refuse_weights(const fum_executable *exe, struct fum_error *err) {
    for (int i = 0; i < exe->graph->count; i++) {
        const fum_tensor *t = exe->graph->tensors[i];
        if (t->live && t->kind == FUM_TENSOR_WEIGHT)
            return fum_error_set(err, FUM_ERR_ARG,
                                 "%s: a weight, but there is no model to take it from", t->name);
    }
    return FUM_OK;
}

enum fum_result fum_executable_compile(fum_executable **out, const struct fum_executable_job *job,
                                       struct fum_error *err) {
    const struct fum_executable_params *params = job->params;
    fum_executable *exe = fum_calloc(1, sizeof *exe);
    enum fum_result result = FUM_OK;
    *out = NULL;
    if (!exe) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    exe->device = job->device;
    exe->built = job->graph;
    exe->weights = job->weights;
    exe->parameters = params ? params->parameters : NULL;
    if ((result = make_plan(exe, params, err))) goto error;
    exe->written = fum_calloc((size_t)job->graph->count, sizeof *exe->written);
    exe->label = fum_arena_strdup(exe->plan->arena, params && params->label ? params->label : "");
    if (!exe->label || !exe->written) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
        goto error;
    }
    log_shaders(exe);
    if (!job->weights && (result = refuse_weights(exe, err))) goto error;
    struct fum_weights_params constants = {.device = job->device, .label = "constants"};
    if ((result = fum_weights_create(&exe->constants, &constants, err))) goto error;
    if ((result = make_ready(exe, params, err))) goto error;
    if ((result = make_blocks(exe, err))) goto error;
    if ((result = fum_executable_create_groups(exe, &job->handover, err))) goto error;
    for (int s = 0; s < FUM_STAGE_COUNT; s++)
        if ((result = fum_executable_record(exe, (enum fum_stage)s, err))) goto error;
    // What depends on weights alone is folded now, once.
    if (!fum_device_get_info(job->device)->planning_only &&
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
    const struct fum_executable_job job = {.graph = graph, .device = device, .params = params};
    return fum_executable_compile(executable, &job, err);
}

void fum_executable_destroy(fum_executable **executable) {
    if (!executable || !*executable) return;
    fum_executable *exe = *executable;
    fum_warming_stop(&exe->warming);
    fum_stream_destroy(&exe->stream);
    for (int s = 0; s < FUM_STAGE_COUNT; s++) {
        for (int i = 0; i < exe->stages[s].count; i++)
            fum_command_destroy(&exe->stages[s].items[i].command);
        fum_free(exe->stages[s].items);
    }
    for (int i = 0; exe->blocks && exe->plan && i < exe->plan->num_blocks; i++)
        fum_buffer_destroy(&exe->blocks[i]);
    fum_free(exe->blocks);
    fum_executable_destroy_groups(exe);
    fum_free(exe->kernels);
    fum_free(exe->first_kernel);
    fum_free(exe->written);
    fum_weights_destroy(&exe->constants);
    fum_plan_destroy(&exe->plan);
    fum_graph_destroy(&exe->graph);
    fum_free(exe);
    *executable = NULL;
}

const fum_plan *fum_executable_plan(const fum_executable *executable) {
    return executable->plan;
}

void fum_executable_get_stats(const fum_executable *exe, struct fum_executable_stats *stats) {
    *stats = (struct fum_executable_stats){0};
    for (int s = 0; s < FUM_STAGE_COUNT; s++) {
        stats->flops[s] = exe->stages[s].flops;
        for (int i = 0; i < exe->stages[s].count; i++) {
            const fum_command *command = exe->stages[s].items[i].command;
            stats->dispatches[s] += fum_command_dispatches(command);
            stats->barriers[s] += fum_command_barriers(command);
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
    stats->stream_bytes = streamed.buffer_bytes;
    for (int s = 0; s < FUM_STAGE_COUNT; s++) {
        stats->streamed_bytes[s] = streamed.stage_bytes[s];
        stats->segments[s] = streamed.stage_segments[s];
    }
}
