// SPDX-License-Identifier: MIT
#include "pipeline/budget.h"

#include "base/error.h"
#include "base/log.h"
#include "weights/device_pack.h"

#include <string.h>

static const double MIB = 1 << 20;

void fum_budget_begin(fum_pipeline *pipe) {
    uint64_t asked = pipe->params.memory_budget;
    const struct fum_device_info *info = fum_device_get_info(pipe->device);
    pipe->budget = asked;
    if (asked != FUM_MEMORY_AUTO) {
        if (asked)
            fum_log(pipe->params.log, FUM_LOG_INFO, "memory: a budget of %.1f MiB",
                    (double)asked / MIB);
        return;
    }
    bool stated = false;
    pipe->budget = fum_device_memory_budget(pipe->device, &stated);
    fum_log(pipe->params.log, FUM_LOG_INFO,
            stated ? "memory: a budget of %.1f MiB, what %s states as free less a sixteenth"
                   : "memory: a budget of %.1f MiB, three quarters of the heap, as %s does not "
                     "state what is free",
            (double)pipe->budget / MIB, info->name);
}

static void evict(fum_pipeline *pipe, const char *part, struct fum_stage_graph *g,
                  fum_weights **weights) {
    if (!g->exe && !*weights) return;
    fum_stage_graph_clear(g);
    fum_weights_destroy(weights);
    fum_log(pipe->params.log, FUM_LOG_INFO, "memory: %s leaves the device, to make room for %s",
            part, pipe->loading);
}

// What loading takes beside the weights: the staging ring, and what an packer holds of the file.
static uint64_t transfers(const fum_pipeline *pipe) {
    uint64_t staging = fum_device_staging_bytes(pipe->device);
    return staging ? staging + FUM_DEVICE_PACK_BYTES : 0;
}

static uint64_t left(const fum_pipeline *pipe) {
    uint64_t used = fum_device_memory_used(pipe->device) + transfers(pipe);
    return pipe->budget > used ? pipe->budget - used : 0;
}

uint64_t fum_budget_room(void *user, uint64_t wanted, uint64_t least) {
    fum_pipeline *pipe = user;
    if (least > pipe->least) pipe->least = least;
    if (pipe->probing) return 0;
    // Prompts are encoded once; the UNet runs at every step.
    for (int i = 0; i < pipe->view->num_text && left(pipe) < wanted; i++)
        if (strcmp(pipe->view->text[i].component, pipe->loading))
            evict(pipe, pipe->view->text[i].component, &pipe->encoders[i].g,
                  &pipe->text_weights[i]);
    if (left(pipe) < wanted && strcmp(pipe->loading, "vae"))
        evict(pipe, "vae", &pipe->decoder.g, &pipe->vae_weights);
    // While it is kept, only for what cannot do without its memory.
    if (left(pipe) < (pipe->keep_unet ? least : wanted) && strcmp(pipe->loading, "unet"))
        evict(pipe, "unet", &pipe->denoiser.g, &pipe->unet_weights);
    return left(pipe);
}

uint64_t fum_budget_decode(fum_pipeline *pipe, uint64_t wanted, uint64_t least) {
    uint64_t own = pipe->vae_weights ? fum_weights_bytes(pipe->vae_weights) : 0, unet = 0;
    pipe->loading = "vae";
    pipe->keep_unet = true;
    uint64_t beside = fum_budget_room(pipe, wanted, 0) + own;
    if (beside >= least) return beside;
    pipe->keep_unet = false;
    if (pipe->denoiser.g.exe)
        unet = pipe->unet_stats.activation_bytes + pipe->unet_stats.weight_bytes +
               pipe->unet_stats.slot_bytes;
    return beside + unet;
}

enum fum_result fum_budget_check(fum_pipeline *pipe, const struct fum_run *run,
                                 struct fum_error *err) {
    enum fum_result result = FUM_OK;
    if (!pipe->budget) return FUM_OK;
    pipe->probing = true;
    pipe->least = 0;
    for (int i = 0; i < pipe->view->num_text && !result; i++)
        result = fum_encode_probe(pipe, i, run->clip_skip - 1 + pipe->view->traits.skip_base, err);
    if (!result) result = fum_denoise_probe(pipe, run, err);
    if (!result) result = fum_decode_probe(pipe, run->latent_height, run->latent_width, err);
    pipe->probing = false;
    uint64_t least = pipe->least + transfers(pipe);
    if (result || least <= pipe->budget) return result;
    least = (least + (1 << 20) - 1) >> 20;
    return fum_error_set(err, FUM_ERR_NOMEM,
                         "a memory budget of %.1f MiB is too small for %dx%d pixels: the smallest "
                         "that works is %lluMiB",
                         (double)pipe->budget / MIB, run->width, run->height,
                         (unsigned long long)least);
}

void fum_budget_say(const fum_pipeline *pipe, const char *part, const fum_executable *exe) {
    struct fum_executable_stats s;
    // Of the decoder's passes there are too many to tell of each.
    if (!pipe->budget || (pipe->decoder.way == FUM_DECODE_BANDS && !strcmp(part, "vae"))) return;
    fum_executable_get_stats(exe, &s);
    uint64_t streamed = 0;
    int segments = 0;
    for (int i = 0; i < FUM_STAGE_COUNT; i++) {
        streamed += s.streamed_bytes[i];
        if (s.streamed_bytes[i]) segments += s.segments[i];
    }
    if (!streamed)
        fum_log(pipe->params.log, FUM_LOG_INFO,
                "memory: %s stays on the device: weights %.1f MiB, activations %.1f MiB", part,
                (double)s.weight_bytes / MIB, (double)s.activation_bytes / MIB);
    else
        fum_log(pipe->params.log, FUM_LOG_INFO,
                "memory: %s does not fit: %.1f MiB of weights stay, %.1f MiB are streamed in %d "
                "pieces (%.1f MiB at every "
                "step) through %.1f MiB, activations %.1f MiB",
                part, (double)s.weight_bytes / MIB, (double)streamed / MIB, segments,
                (double)s.streamed_bytes[FUM_STAGE_STEP] / MIB, (double)s.slot_bytes / MIB,
                (double)s.activation_bytes / MIB);
}
