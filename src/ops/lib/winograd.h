// SPDX-License-Identifier: MIT
// Decides when a convolution runs as a Winograd transform, and transforms weights that change from
// call to call.
#ifndef FUM_OPS_WINOGRAD_H
#define FUM_OPS_WINOGRAD_H

#include "ops/lib/conv2d.h"

// Chooses the lowering of conv2d to conv2d_winograd, see struct fum_lowering. The first has U in
// panels.
bool fum_winograd_choose_panels(const struct fum_lowering_site *site, struct fum_desc *weight);
bool fum_winograd_choose(const struct fum_lowering_site *site, struct fum_desc *weight);
// Does the same for a kernel that conv2d_gradient_kernel makes of a weight.
bool fum_winograd_choose_gradient(const struct fum_lowering_site *site, struct fum_desc *weight);
// Does the same for a weight that is no file's and stays [3, 3, in, out].
bool fum_winograd_choose_each(const struct fum_lowering_site *site, struct fum_desc *weight);

// Returns the side of the tiles, 2 or 4, of an image of so many pixels in f32, for weights that
// change.
int64_t fum_winograd_tile(int64_t pixels);
// Returns the transform of a weight [3, 3, in, out] for tiles of a side, [points, in, out]. The
// caller frees it. NULL: no memory.
double *fum_winograd_transform(const struct fum_shape *w, int64_t tile, const double *values);
// Adds the dispatch that writes the transform of input 1 to scratch.
bool fum_winograd_emit_weight(const struct fum_op_call *call, int64_t tile,
                              struct fum_dispatch_bind u, struct fum_dispatches *list);

#endif
