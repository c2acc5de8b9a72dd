// SPDX-License-Identifier: MIT
// Plans which components share the device, from sizes alone.
#ifndef FUM_PIPELINE_BUDGET_PLAN_H
#define FUM_PIPELINE_BUDGET_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum { FUM_BUDGET_MAX_ITEMS = 8 };

// A component beside the one that needs room.
struct fum_budget_item {
    uint64_t held; // bytes that it frees by leaving the device; 0: it is not there
    int keep_rank; // items of a lower rank leave first
    bool kept;     // leaves only if that one cannot run without its bytes
};

// What a component takes, in bytes. Between `least` and `whole` its weights are
// streamed.
struct fum_budget_need {
    uint64_t whole; // with all weights on the device
    uint64_t least; // the fewest that it can run in
};

enum fum_budget_fit { FUM_BUDGET_RESIDENT, FUM_BUDGET_STREAMED, FUM_BUDGET_TOO_SMALL };

struct fum_budget_plan {
    enum fum_budget_fit fit;
    uint64_t room;                   // for the component, once the others have left
    int evict[FUM_BUDGET_MAX_ITEMS]; // indices of the items that leave, in this order
    int evictions;
};

// Plans room for a component beside `count` items, at most FUM_BUDGET_MAX_ITEMS, with `left` bytes
// of the budget free. Items leave in the order of their ranks, no more of them than it takes.
struct fum_budget_plan fum_budget_plan(const struct fum_budget_item *items, int count,
                                       const struct fum_budget_need *need, uint64_t left);

// Returns the smallest budget, in bytes, in which each of `count` components runs by itself, with
// `transfers` bytes beside it.
uint64_t fum_budget_smallest(const uint64_t *least, int count, uint64_t transfers);

#endif
