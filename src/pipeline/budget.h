// SPDX-License-Identifier: MIT
// The memory budget: which parts of the model stay on the device together. A part that is loaded
// while there is no room makes the others go, those first that are needed last; what still does not
// fit is streamed (exec/stream.h).
#ifndef FUM_PIPELINE_BUDGET_H
#define FUM_PIPELINE_BUDGET_H

#include "pipeline/pipeline.h"

// Fixes the budget in bytes and says it in the log; pipe->budget stays 0 without one.
void fum_budget_begin(fum_pipeline *pipe);
// As fum_weights_params.room, for the part in pipe->loading.
uint64_t fum_budget_room(void *user, uint64_t wanted, uint64_t least);
// How much the decoder may take when it would like `wanted` bytes and needs `least`; decides
// whether the UNet stays.
uint64_t fum_budget_decode(fum_pipeline *pipe, uint64_t wanted, uint64_t least);
// Whether the budget is enough for every part of this run, each by itself; if not, an error that
// names the smallest that is.
enum fum_result fum_budget_check(fum_pipeline *pipe, const struct fum_run *run,
                                 struct fum_error *err);
// Says how a part that was just compiled lies in memory.
void fum_budget_say(const fum_pipeline *pipe, const char *part, const fum_executable *exe);

#endif
