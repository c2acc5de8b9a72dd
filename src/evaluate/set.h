// SPDX-License-Identifier: MIT
// A set of samples to measure: features and logits, or only their statistics.
#ifndef FUM_EVALUATE_SET_H
#define FUM_EVALUATE_SET_H

#include <fumarole/evaluate.h>

#include "evaluate/features.h"
#include "evaluate/statistics.h"

struct fum_set {
    const char *path;
    const char *role;       // "REAL" or "FAKE", for messages
    float *features;        // NULL: only the statistics are known
    float *logits;          // NULL: none
    int32_t *labels;        // classes of the samples, one for each row; NULL: none
    int classes;            // labels are below it
    bool numbered;          // classes are named by their numbers, of which the last may be missing
    struct fum_rows rows;   // of the features
    struct fum_rows scores; // of the logits
    struct fum_statistics statistics;
    char origin[256]; // of the features: "given", or the network
};
void fum_set_free(struct fum_set *set);

// What sets are opened with. Zero to begin with, but for the parameters.
struct fum_set_context {
    const struct fum_evaluate_params *params;
    struct fum_feature_network network; // opened by the first set of pictures
};

// Kinds of things that can be measured, as records.
struct fum_set_kind {
    const char *name;
    bool (*probe)(const char *path);
    enum fum_result (*open)(struct fum_set *set, struct fum_set_context *context,
                            struct fum_error *err);
};
extern const struct fum_set_kind fum_set_npz, fum_set_safetensors, fum_set_model, fum_set_data;

// Opens what set->path leads to, and checks that all of it is finite.
enum fum_result fum_set_open(struct fum_set *set, struct fum_set_context *context,
                             struct fum_error *err);

#endif
