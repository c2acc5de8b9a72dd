// SPDX-License-Identifier: MIT
// Conflicts between byte ranges. A barrier orders everything before it against everything after it,
// so only what came since the last one has to be remembered.
#include "base/alloc.h"
#include "gpu/backend.h"

static bool conflict(const struct fum_access *a, const struct fum_access *b) {
    return a->buffer == b->buffer && (a->write || b->write) && a->first < b->end &&
           b->first < a->end;
}

bool fum_tracker_conflicts(const struct fum_tracker *tracker, const struct fum_access *accesses,
                           int count) {
    for (int i = 0; i < count; i++)
        for (size_t j = 0; j < tracker->count; j++)
            if (conflict(&accesses[i], &tracker->items[j])) return true;
    return false;
}

bool fum_tracker_add(struct fum_tracker *tracker, const struct fum_access *accesses, int count) {
    for (int i = 0; i < count; i++) {
        if (accesses[i].first == accesses[i].end) continue;
        void *items = tracker->items;
        if (!fum_grow(&items, &tracker->capacity, tracker->count, sizeof *tracker->items))
            return false;
        tracker->items = items;
        tracker->items[tracker->count++] = accesses[i];
    }
    return true;
}
