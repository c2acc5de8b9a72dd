// SPDX-License-Identifier: MIT
// What the measures in bits per dimension share: a model, its network, pictures batch by batch.
#ifndef FUM_EVALUATE_BITS_H
#define FUM_EVALUATE_BITS_H

#include <fumarole/evaluate.h>

#include "base/rng.h"
#include "data/data.h"
#include "io/loader.h"
#include "pipeline/network.h"

struct fum_bits_run {
    const struct fum_bits_params *params;
    fum_device *device;
    fum_model *model;
    const struct fum_model_view *view;
    fum_data *data;
    fum_loader *replay; // or NULL
    fum_network *network;
    struct fum_rng rng;
    int width, height, channels, batch;
    size_t numbers;  // of a picture
    size_t total;    // pictures
    size_t first;    // picture of the batch
    size_t used;     // pictures of it that count; the others repeat the last one
    float *x;        // [batch, height, width, channels] in the model's range
    int32_t *labels; // [batch]
    float *draws;    // [batch, height, width, channels]
};

// Opens everything. `slopes`: fum_network_slope will be called.
enum fum_result fum_bits_open(struct fum_bits_run *run, const struct fum_bits_params *params,
                              bool slopes, struct fum_error *err);
void fum_bits_close(struct fum_bits_run *run);
// Reads the batch that begins at picture `first`.
enum fum_result fum_bits_read(struct fum_bits_run *run, size_t first, struct fum_error *err);
// Reports the end of a batch.
enum fum_result fum_bits_report(const struct fum_bits_run *run, struct fum_error *err);

// A tensor of the replay file: [count, n, c, h, w], or [n, c, h, w] for count 0.
struct fum_bits_tensor {
    const char *name;
    int count;
};
// Checks the tensor. Without a replay it succeeds.
enum fum_result fum_bits_check(const struct fum_bits_run *run, struct fum_bits_tensor tensor,
                               struct fum_error *err);
// Reads the batch's part of the tensor into `draws`. `index`: among its `count`.
enum fum_result fum_bits_replay(struct fum_bits_run *run, struct fum_bits_tensor tensor, int index,
                                struct fum_error *err);

#endif
