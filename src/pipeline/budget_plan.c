// SPDX-License-Identifier: MIT
#include "pipeline/budget_plan.h"

// Returns the item that leaves first, of those that hold something and have not left; -1: none.
static int find_lowest(const struct fum_budget_item *items, int count, const bool *gone) {
    int lowest = -1;
    for (int i = 0; i < count; i++) {
        if (gone[i] || !items[i].held) continue;
        if (lowest < 0 || items[i].keep_rank < items[lowest].keep_rank) lowest = i;
    }
    return lowest;
}

struct fum_budget_plan fum_budget_plan(const struct fum_budget_item *items, int count,
                                       const struct fum_budget_need *need, uint64_t left) {
    struct fum_budget_plan plan = {.room = left};
    bool gone[FUM_BUDGET_MAX_ITEMS] = {false};
    for (int i; plan.room < need->whole && (i = find_lowest(items, count, gone)) >= 0;) {
        gone[i] = true;
        if (items[i].kept && plan.room >= need->least) continue;
        plan.evict[plan.evictions++] = i;
        plan.room += items[i].held;
    }
    plan.fit = FUM_BUDGET_RESIDENT;
    if (plan.room < need->whole) plan.fit = FUM_BUDGET_STREAMED;
    if (plan.room < need->whole && plan.room < need->least) plan.fit = FUM_BUDGET_TOO_SMALL;
    return plan;
}

uint64_t fum_budget_smallest(const uint64_t *least, int count, uint64_t transfers) {
    uint64_t most = 0;
    for (int i = 0; i < count; i++)
        if (least[i] > most) most = least[i];
    return most + transfers;
}
