// SPDX-License-Identifier: MIT
// Finds the edges of pictures on a device.
#ifndef FUM_PIPELINE_EDGES_H
#define FUM_PIPELINE_EDGES_H

#include "gpu/gpu.h"
#include "io/image.h"

// What fum_bitmap_canny reads. Its thresholds may come in either order.
struct fum_edges_params {
    const struct fum_bitmap *from;
    double low, high;
};
// Stores the edges, with the bits of fum_bitmap_canny, which finds them on the host. Errors that
// the host need not have: FUM_ERR_UNSUPPORTED and FUM_ERR_NOMEM, the device's limits.
enum fum_result fum_edges_find(fum_device *device, const struct fum_edges_params *params,
                               struct fum_bitmap *to, struct fum_error *err);

#endif
