// SPDX-License-Identifier: MIT
// A set of samples to measure: features and logits, or only their statistics.
#ifndef FUM_EVALUATE_SET_H
#define FUM_EVALUATE_SET_H

#include <fumarole/evaluate.h>

#include "evaluate/statistics.h"

struct fum_set {
    const char *path;
    const char *role;       // "REAL" or "FAKE", for messages
    float *features;        // NULL: only the statistics are known
    float *logits;          // NULL: none
    struct fum_rows rows;   // of the features
    struct fum_rows scores; // of the logits
    struct fum_statistics statistics;
    char origin[256]; // of the features: "given", or the network
};
void fum_set_free(struct fum_set *set);

// Kinds of things that can be measured, as records.
struct fum_set_kind {
    const char *name;
    // True if the path, of this kind and beginning with these bytes, is one.
    bool (*probe)(const char *path, const uint8_t *begin, size_t bytes);
    enum fum_result (*open)(struct fum_set *set, const struct fum_evaluate_params *params,
                            struct fum_error *err);
};
extern const struct fum_set_kind fum_set_npz, fum_set_safetensors;

// Opens what set->path leads to, and checks that all of it is finite.
enum fum_result fum_set_open(struct fum_set *set, const struct fum_evaluate_params *params,
                             struct fum_error *err);

#endif
