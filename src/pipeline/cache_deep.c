// SPDX-License-Identifier: MIT
// DeepCache (Ma, Fang and Wang 2023): the deep levels are evaluated in every N-th step alone.
#include "base/error.h"
#include "nn/nn.h"
#include "pipeline/pipeline.h"

#include <stdio.h>

enum { USUAL_INTERVAL = 3, MOST_INTERVAL = 1000 };

static enum fum_result check(const fum_pipeline *pipe, struct fum_cache_params *p,
                             struct fum_error *err) {
    int most = pipe->view->unet.down[0].layers;
    if (!p->interval) p->interval = USUAL_INTERVAL;
    if (p->interval < 1 || p->interval > MOST_INTERVAL)
        return fum_error_set(err, FUM_ERR_ARG, "the cache's interval %d is not between 1 and %d",
                             p->interval, MOST_INTERVAL);
    if (p->branch < 0 || p->branch > most)
        return fum_error_set(err, FUM_ERR_ARG, "the cache's branch %d is not between 0 and %d",
                             p->branch, most);
    return FUM_OK;
}

static bool same(const struct fum_cache_params *a, const struct fum_cache_params *b) {
    return a->branch == b->branch;
}

// Finds what the last block up reads from below at the layer that takes the branch's skip.
static fum_tensor *find(fum_graph *graph, const struct fum_unet_config *config,
                        const struct fum_denoiser *d) {
    char name[FUM_NN_PATH];
    int last = config->num_blocks - 1;
    const struct fum_unet_block *block = &config->up[last];
    int layer = block->layers - 1 - d->changes.cache.params.branch;
    if (layer > 0)
        snprintf(name, sizeof name, "up_blocks.%d.%s.%d", last,
                 block->attention == FUM_UNET_NO_ATTENTION ? "resnets" : "attentions", layer - 1);
    else
        snprintf(name, sizeof name, "up_blocks.%d.upsamplers.0.conv", last - 1);
    return fum_graph_find(graph, name);
}

static bool is_short(const struct fum_cache_params *p, int eval) {
    return eval % p->interval != 0;
}

const struct fum_step_cache fum_cache_deep = {
    .name = "deepcache", .check = check, .same = same, .find = find, .is_short = is_short};
