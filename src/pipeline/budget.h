// SPDX-License-Identifier: MIT
// Keeps a pipeline within its memory budget. A component that is loaded without room makes others
// leave (budget_plan.h); what still does not fit is streamed (exec/stream.h).
#ifndef FUM_PIPELINE_BUDGET_H
#define FUM_PIPELINE_BUDGET_H

#include "pipeline/pipeline.h"

// Fixes the budget in bytes and logs it; pipe->budget stays 0 without one.
void fum_budget_begin(fum_pipeline *pipe);
// Makes room for the component `user`, as fum_weights_params.room. Returns the bytes that it may
// take.
uint64_t fum_budget_room(void *user, uint64_t whole, uint64_t least);
// Returns the bytes that the decoder may take if it takes `whole` at best and needs `least`.
// Decides whether the UNet stays.
uint64_t fum_budget_decode(fum_pipeline *pipe, uint64_t whole, uint64_t least);
// Checks that the budget is enough for every component of this run, each by itself. The error names
// the smallest that is.
enum fum_result fum_budget_check(fum_pipeline *pipe, const struct fum_run *run,
                                 struct fum_error *err);
// Logs how a component that was just compiled lies in memory.
void fum_budget_log(const struct fum_component *component,
                    const struct fum_executable_stats *stats);

#endif
