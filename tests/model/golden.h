// SPDX-License-Identifier: MIT
// Golden tensors of tests/golden/models.py, and running a graph against them: through the reference
// interpreter, or on the device.
#ifndef GOLDEN_H
#define GOLDEN_H

#include "test.h"

#include "exec/executable.h"
#include "graph/interp.h"
#include "model/names.h"
#include "weights/parameters.h"

#include <cjson/cJSON.h>

// One component ("unet") of a folder of tests/data ("model-sd1"): its configuration and weights.
// Those named "" lie in the folder itself.
struct golden {
    const char *component;
    cJSON *config;
    fum_loader *weights, *tensors;
    char *bytes; // of the tensors' file
    fum_names *names;
    struct fum_weight_source source;
    fum_graph *graph;
    fum_interp *interp; // one of these two
    fum_executable *exe;
    fum_weights *stored;
    fum_parameters *parameters; // on the device
    float *read;                // of the value compared last, on the device
    double bound;               // of the relative RMS
    int compared;
};
// Chooses the device instead of the interpreter if the argument is "device". Without a device the
// test is skipped (77), or fails if FUM_REQUIRE_DEVICE is set. Call first thing in main.
void golden_choose(int argc, char **argv);
// True if everything runs on the device.
bool golden_on_device(void);
// True if the device's buffers, or the interpreter, can hold the storage type.
bool golden_stores(enum fum_dtype type);
// Frees the device. Returns main's exit status: `status`, or the number of validation messages if
// it is 0.
int golden_end(int status);

void golden_open(struct golden *g, const char *folder, const char *component); // f32, bound 1e-4
// True if a text encoder's configuration is of the class with a projection.
bool golden_projected(const cJSON *config);
// Before anything is built: stores values as `storage`, and widens the bound to it.
void golden_store(struct golden *g, enum fum_dtype storage, double bound);
void golden_close(struct golden *g);

// The tensor `key` ("unet.in.x"); fails the test when there is none, unless it is optional.
const struct fum_view *golden_find(const struct golden *g, const char *key, bool optional);
// Its shape with images as channels-last.
struct fum_shape golden_shape(const struct golden *g, const char *key);
// Its numbers as dense f32, images as channels-last; free with fum_free.
float *golden_read(const struct golden *g, const char *key, size_t *count);

// Checks the graph and makes the interpreter or the executable.
void golden_start(struct golden *g);
void golden_write(struct golden *g, const fum_tensor *tensor, const char *key);
void golden_write_numbers(struct golden *g, const fum_tensor *tensor, const float *data,
                          size_t count);
void golden_run(struct golden *g);

// Returns the value's numbers, valid until the next call; NULL: it was not computed.
const float *golden_value(struct golden *g, const fum_tensor *tensor);
// Asserts that the value agrees with the tensor `key` within the bound.
void golden_compare(struct golden *g, const fum_tensor *tensor, const char *key);
// The same for every tensor whose key begins with "component.prefix", for the node of that module's
// name. Keys of inputs
// ("….in.…") are left out.
void golden_compare_blocks(struct golden *g, const char *prefix);

#endif
