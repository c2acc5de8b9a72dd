// SPDX-License-Identifier: MIT
// Computes precision and recall from balls around the points of each set.
#include "base/alloc.h"
#include "base/error.h"
#include "evaluate/measures.h"

#include <math.h>
#include <stdatomic.h>

// ---- the radius of each point's ball ----

struct radii {
    double *squared;
    size_t count;
};

// Keeps the distance to the third nearest point other than the row's own.
static void find_radius(void *user, size_t i, const double *distances) {
    const struct radii *radii = user;
    double nearest[FUM_NEIGHBOUR];
    for (int k = 0; k < FUM_NEIGHBOUR; k++) nearest[k] = INFINITY;
    for (size_t j = 0; j < radii->count; j++) {
        double distance = distances[j];
        for (int k = 0; k < FUM_NEIGHBOUR && j != i; k++) {
            if (distance >= nearest[k]) continue;
            double farther = nearest[k];
            nearest[k] = distance;
            distance = farther;
        }
    }
    radii->squared[i] = nearest[FUM_NEIGHBOUR - 1];
}

// ---- points in the balls of the other set ----

// Rows are of sets[1], columns of sets[0].
struct cover {
    const struct radii *radii; // of both sets
    atomic_bool *covered[2];   // points of each set in a ball of the other one
};

static void find_cover(void *user, size_t i, const double *distances) {
    const struct cover *c = user;
    for (size_t j = 0; j < c->radii[0].count; j++) {
        if (distances[j] <= c->radii[0].squared[j])
            atomic_store_explicit(&c->covered[1][i], true, memory_order_relaxed);
        if (distances[j] <= c->radii[1].squared[i])
            atomic_store_explicit(&c->covered[0][j], true, memory_order_relaxed);
    }
}

static double share(const atomic_bool *covered, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += atomic_load_explicit(&covered[i], memory_order_relaxed);
    return (double)found / (double)count;
}

static bool allocate(const struct fum_rows sets[2], struct radii radii[2], struct cover *cover) {
    for (int i = 0; i < 2; i++) {
        size_t n = sets[i].count;
        radii[i] = (struct radii){fum_alloc(n, sizeof(double)), n};
        cover->covered[i] = fum_alloc(n, sizeof(atomic_bool));
        if (!radii[i].squared || !cover->covered[i]) return false;
        for (size_t k = 0; k < n; k++) atomic_init(&cover->covered[i][k], false);
    }
    return true;
}

enum fum_result fum_precision_recall(const struct fum_rows sets[2], double *precision,
                                     double *recall, struct fum_error *err) {
    struct radii radii[2] = {{0}};
    struct cover cover = {.radii = radii};
    enum fum_result result = FUM_OK;
    if (!allocate(sets, radii, &cover))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for precision and recall");
    for (int i = 0; i < 2 && !result; i++)
        result = fum_pairs_walk(
            &(struct fum_pairs){sets[i], sets[i], FUM_PAIR_DISTANCE, find_radius, &radii[i]}, err);
    if (!result)
        result = fum_pairs_walk(
            &(struct fum_pairs){sets[1], sets[0], FUM_PAIR_DISTANCE, find_cover, &cover}, err);
    if (!result) {
        *precision = share(cover.covered[1], sets[1].count);
        *recall = share(cover.covered[0], sets[0].count);
    }
    for (int i = 0; i < 2; i++) {
        fum_free(radii[i].squared);
        fum_free(cover.covered[i]);
    }
    return result;
}
