// SPDX-License-Identifier: MIT
// A classifier of noisy pictures that fumarole train wrote: its configuration and its weights. The
// network is fum_unet_classifier.
#ifndef FUM_MODEL_CLASSIFIER_H
#define FUM_MODEL_CLASSIFIER_H

#include "io/loader.h"
#include "model/unet.h"

extern const char fum_classifier_class[]; // of its config.json: "FumaroleClassifier"

struct fum_classifier {
    struct fum_unet_config config; // with the size of the pictures
    int classes;
    bool noisy; // trained on noisy pictures; false: on clean ones, at timestep 0
    fum_loader *loader;
};

// Opens the folder of a classifier, or that of its training.
enum fum_result fum_classifier_open(struct fum_classifier *classifier, const char *path,
                                    struct fum_error *err);
void fum_classifier_close(struct fum_classifier *classifier);
// Returns the source of the weights in a loader by their own names. The loader must outlive it.
struct fum_weight_source fum_classifier_source(fum_loader *loader);

#endif
