// SPDX-License-Identifier: MIT
#include "pipeline/budget.h"

#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "weights/device_pack.h"
#include "pipeline/budget_plan.h"

static const double MIB = 1 << 20;

// ---- the log ----

static void log_budget(const fum_pipeline *pipe, bool stated) {
    const char *name = fum_device_get_info(pipe->device)->name;
    double budget = (double)pipe->budget / MIB;
    if (pipe->params.memory_budget != FUM_MEMORY_AUTO)
        fum_log(pipe->params.log, FUM_LOG_INFO, "memory: a budget of %.1f MiB", budget);
    else
        fum_log(pipe->params.log, FUM_LOG_INFO,
                stated ? "memory: a budget of %.1f MiB, what %s states as free less a sixteenth"
                       : "memory: a budget of %.1f MiB, three quarters of the heap, as %s does not "
                         "state what is free",
                budget, name);
}

static void log_eviction(const struct fum_component *leaving, const struct fum_component *asking) {
    fum_log(asking->pipe->params.log, FUM_LOG_INFO,
            "memory: %s leaves the device, to make room for %s", leaving->name, asking->name);
}

void fum_budget_log(const struct fum_component *component,
                    const struct fum_executable_stats *stats) {
    const fum_pipeline *pipe = component->pipe;
    // Do not log every band; there are too many.
    bool band = (component == pipe->vae && pipe->decoder.way == FUM_DECODE_BANDS) ||
                (component == pipe->vae_encoder && pipe->image_encoder.bands);
    if (!pipe->budget || band) return;
    uint64_t streamed = 0;
    int segments = 0;
    for (int i = 0; i < FUM_STAGE_COUNT; i++) {
        streamed += stats->streamed_bytes[i];
        if (stats->streamed_bytes[i]) segments += stats->segments[i];
    }
    double weights = (double)stats->weight_bytes / MIB;
    double activations = (double)stats->activation_bytes / MIB;
    if (!streamed)
        fum_log(pipe->params.log, FUM_LOG_INFO,
                "memory: %s stays on the device: weights %.1f MiB, activations %.1f MiB",
                component->name, weights, activations);
    else
        fum_log(pipe->params.log, FUM_LOG_INFO,
                "memory: %s does not fit: %.1f MiB of weights stay, %.1f MiB are streamed in %d "
                "pieces (%.1f MiB at every step) through %.1f MiB, activations %.1f MiB",
                component->name, weights, (double)streamed / MIB, segments,
                (double)stats->streamed_bytes[FUM_STAGE_STEP] / MIB,
                (double)stats->stream_bytes / MIB, activations);
}

// ---- room ----

void fum_budget_begin(fum_pipeline *pipe) {
    bool stated = false;
    pipe->budget = pipe->params.memory_budget;
    if (pipe->budget == FUM_MEMORY_AUTO)
        pipe->budget = fum_device_memory_budget(pipe->device, &stated);
    if (pipe->params.memory_budget) log_budget(pipe, stated);
}

// Returns what loading takes beside the weights: the staging ring, and what a packer holds of
// the file.
static uint64_t transfer_bytes(const fum_pipeline *pipe) {
    uint64_t staging = fum_device_staging_bytes(pipe->device);
    return staging ? staging + FUM_DEVICE_PACK_BYTES : 0;
}

static uint64_t bytes_left(const fum_pipeline *pipe) {
    uint64_t used = fum_device_memory_used(pipe->device) + transfer_bytes(pipe);
    return pipe->budget > used ? pipe->budget - used : 0;
}

// Returns the bytes that a component frees by leaving; at least 1 if it has anything there.
static uint64_t bytes_held(const struct fum_component *component) {
    const struct fum_executable_stats *stats = &component->stats;
    if (!component->compiled.exe && !component->weights) return 0;
    uint64_t held = component->weights ? fum_weights_bytes(component->weights) : 0;
    if (component->compiled.exe) held += stats->activation_bytes + stats->stream_bytes;
    return held ? held : 1;
}

// Makes room for a component. Plans anew after each one that leaves, since only the device knows
// what that freed to the byte.
static uint64_t make_room(struct fum_component *asking, const struct fum_budget_need *need) {
    fum_pipeline *pipe = asking->pipe;
    for (;;) {
        struct fum_budget_item items[FUM_MAX_COMPONENTS];
        for (int i = 0; i < pipe->num_components; i++) {
            const struct fum_component *c = &pipe->components[i];
            items[i] = (struct fum_budget_item){.held = c == asking ? 0 : bytes_held(c),
                                                .keep_rank = c->keep_rank,
                                                .kept = c->kept};
        }
        struct fum_budget_plan plan =
            fum_budget_plan(items, pipe->num_components, need, bytes_left(pipe));
        if (!plan.evictions) return plan.room;
        struct fum_component *leaving = &pipe->components[plan.evict[0]];
        fum_component_release(leaving);
        log_eviction(leaving, asking);
    }
}

uint64_t fum_budget_room(void *user, uint64_t whole, uint64_t least) {
    return make_room(user, &(struct fum_budget_need){.whole = whole, .least = least});
}

uint64_t fum_budget_decode(fum_pipeline *pipe, uint64_t whole, uint64_t least) {
    const struct fum_executable_stats *unet = &pipe->unet->stats;
    uint64_t own = pipe->vae->weights ? fum_weights_bytes(pipe->vae->weights) : 0;
    pipe->unet->kept = true;
    uint64_t beside = make_room(pipe->vae, &(struct fum_budget_need){.whole = whole}) + own;
    if (beside >= least) return beside;
    pipe->unet->kept = false;
    if (!pipe->unet->compiled.exe) return beside;
    return beside + unet->activation_bytes + unet->weight_bytes + unet->stream_bytes;
}

enum fum_result fum_budget_check(fum_pipeline *pipe, const struct fum_run *run,
                                 struct fum_error *err) {
    uint64_t least[FUM_MAX_COMPONENTS] = {0};
    if (!pipe->budget) return FUM_OK;
    for (int i = 0; i < pipe->num_components; i++) {
        struct fum_executable_size size;
        if (!pipe->components[i].build && !pipe->components[i].measure) continue;
        enum fum_result result = fum_component_measure(&pipe->components[i], run, &size, err);
        if (result) return result;
        least[i] = size.least;
    }
    uint64_t smallest = fum_budget_smallest(least, pipe->num_components, transfer_bytes(pipe));
    if (smallest <= pipe->budget) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM,
                         "a memory budget of %.1f MiB is too small for %dx%d pixels: the smallest "
                         "that works is %lluMiB",
                         (double)pipe->budget / MIB, run->width, run->height,
                         (unsigned long long)(FUM_DIV_UP(smallest, 1 << 20)));
}
