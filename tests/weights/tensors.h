// SPDX-License-Identifier: MIT
// Weights of every packing that files know, and a file of any bytes that holds them.
#ifndef TESTS_WEIGHTS_TENSORS_H
#define TESTS_WEIGHTS_TENSORS_H

#include <string.h>

#include "weights/packing.h"

static const struct {
    const char *name;
    struct fum_shape shape;
    const struct fum_packing *packing;
} tensors[] = {
    {"bias", {1, {37}}, &fum_packing_plain},
    {"table", {2, {999, 70}}, &fum_packing_plain},
    {"linear", {2, {1280, 320}}, &fum_packing_linear},
    {"odd", {2, {65, 33}}, &fum_packing_linear},
    {"conv", {4, {3, 3, 40, 75}}, &fum_packing_conv},
    {"patch", {4, {2, 4, 3, 17}}, &fum_packing_conv},
    {"large", {4, {3, 3, 640, 512}}, &fum_packing_conv}, // over what is uploaded at once
};
enum { COUNT = sizeof tensors / sizeof *tensors };

struct file {
    enum fum_dtype type;
    uint8_t *data; // of any bytes: every value occurs, NaN and subnormal ones too
};

static inline bool find(void *user, const char *name, struct fum_view *view) {
    const struct file *file = user;
    for (int i = 0; i < COUNT; i++) {
        if (strcmp(tensors[i].name, name)) continue;
        *view = tensors[i].packing->file_view(&tensors[i].shape);
        view->dtype = file->type;
        view->data = file->data + 2 * i;
        return true;
    }
    return false;
}

// Returns the weight of tensors[i].
static inline struct fum_weight weight_at(int i, enum fum_dtype storage) {
    return (struct fum_weight){.name = tensors[i].name,
                               .desc = {tensors[i].shape, storage},
                               .packing = tensors[i].packing};
}

#endif
