// SPDX-License-Identifier: MIT
// Checks pictures of trained autoencoders.
#ifndef TESTS_TRAIN_DRAWN_H
#define TESTS_TRAIN_DRAWN_H

#include "replayed.h"

// Draws with the model that a run left in the folder `name`, and holds the pictures against those
// of PyTorch.
void check_drawn(struct replayed *run, fum_device *device, const char *name);

#endif
