// SPDX-License-Identifier: MIT
#include "weights/weight.h"

#include <string.h>

const char *fum_weight_label(const struct fum_weight *weight) {
    return weight->values ? "constant" : weight->name;
}

int fum_weight_parts(const struct fum_weight *weight) {
    return weight->num_parts ? weight->num_parts : 1;
}

struct fum_weight fum_weight_part(const struct fum_weight *weight, int i) {
    struct fum_weight part = *weight;
    if (!weight->num_parts) return part;
    struct fum_shape *shape = &part.desc.shape;
    part.name = weight->parts[i];
    part.parts = NULL;
    part.num_parts = 0;
    shape->rank--;
    memmove(shape->dim, shape->dim + 1, (size_t)shape->rank * sizeof shape->dim[0]);
    return part;
}
