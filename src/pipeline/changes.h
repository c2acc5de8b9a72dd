// SPDX-License-Identifier: MIT
// Declares how a request changes the networks: convolutions that wrap around, FreeU, step caches.
#ifndef FUM_PIPELINE_CHANGES_H
#define FUM_PIPELINE_CHANGES_H

#include <fumarole/pipeline.h>

#include "pipeline/step_cache.h"

struct fum_run;

struct fum_changes {
    enum fum_seamless seamless;
    bool has_freeu;
    float freeu[FUM_FREEU_FACTORS];
    struct fum_cache_choice cache;
};

// Checks what the request changes, and fills in the model's factors.
enum fum_result fum_changes_choose(const fum_pipeline *pipe, struct fum_run *run,
                                   struct fum_error *err);
// True if both build the same networks.
bool fum_changes_same(const struct fum_changes *a, const struct fum_changes *b);
// Returns the axes of the picture along which convolutions wrap around, for fum_graph_wrap.
unsigned fum_seamless_axes(enum fum_seamless seamless);

#endif
