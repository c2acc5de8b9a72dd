// SPDX-License-Identifier: MIT
#include "pipeline/changes.h"

#include "base/error.h"
#include "graph/graph.h"
#include "model/unet.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <string.h>

#define MOST_FREEU 100

static enum fum_result choose_freeu(const fum_pipeline *pipe, const struct fum_generate_params *p,
                                    struct fum_changes *changes, struct fum_error *err) {
    static const float none[FUM_FREEU_FACTORS];
    const struct fum_model_info *info = fum_model_get_info(pipe->model);
    if (!p->has_freeu) return FUM_OK;
    bool own = !memcmp(p->freeu, none, sizeof none);
    if (!fum_unet_takes_freeu(&pipe->view->unet))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "FreeU is of Stable Diffusion's UNets, and that of %s is another one",
                             info->name);
    changes->has_freeu = true;
    memcpy(changes->freeu, own ? pipe->view->traits.freeu : p->freeu, sizeof changes->freeu);
    for (int i = 0; i < FUM_FREEU_FACTORS; i++)
        if (!(changes->freeu[i] >= 0 && changes->freeu[i] <= MOST_FREEU))
            return fum_error_set(err, FUM_ERR_ARG, "FreeU's factor %g is not between 0 and %d",
                                 (double)changes->freeu[i], MOST_FREEU);
    return FUM_OK;
}

enum fum_result fum_changes_choose(const fum_pipeline *pipe, struct fum_run *run,
                                   struct fum_error *err) {
    run->changes = (struct fum_changes){.seamless = run->params->seamless};
    enum fum_result result = choose_freeu(pipe, run->params, &run->changes, err);
    return result ? result : fum_step_cache_choose(pipe, run->params, &run->changes.cache, err);
}

bool fum_changes_same(const struct fum_changes *a, const struct fum_changes *b) {
    return a->seamless == b->seamless && a->has_freeu == b->has_freeu &&
           !memcmp(a->freeu, b->freeu, sizeof a->freeu) &&
           fum_step_cache_same(&a->cache, &b->cache);
}

unsigned fum_seamless_axes(enum fum_seamless seamless) {
    return (seamless & FUM_SEAMLESS_X ? FUM_GRAPH_WIDTH : 0u) |
           (seamless & FUM_SEAMLESS_Y ? FUM_GRAPH_HEIGHT : 0u);
}
