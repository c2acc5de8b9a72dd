// SPDX-License-Identifier: MIT
#include "pipeline/upscale_tiles.h"

#include "base/macros.h"

static int round_up(int value, int step) {
    return FUM_DIV_UP(value, step) * step;
}

struct fum_upscale_axis fum_upscale_axis(int length, int tile, int around, int step) {
    struct fum_upscale_axis axis = {.length = length, .around = round_up(around, step)};
    axis.count = FUM_DIV_UP(length, FUM_MAX(tile, step));
    axis.core = round_up(FUM_DIV_UP(length, axis.count), step);
    axis.count = FUM_DIV_UP(length, axis.core);
    axis.size = axis.count == 1 ? length : FUM_MIN(length, axis.core + 2 * axis.around);
    return axis;
}

int fum_upscale_axis_start(const struct fum_upscale_axis *axis, int index) {
    int start = index * axis->core - axis->around;
    return FUM_MAX(0, FUM_MIN(start, axis->length - axis->size));
}

int fum_upscale_axis_core(const struct fum_upscale_axis *axis, int index) {
    return FUM_MIN(index * axis->core, axis->length);
}
