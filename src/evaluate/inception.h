// SPDX-License-Identifier: MIT
// Inception v3 in the variant that FID is defined by, as pytorch-fid builds it.
#ifndef FUM_EVALUATE_INCEPTION_H
#define FUM_EVALUATE_INCEPTION_H

#include <fumarole/graph.h>

#include "io/loader.h"

enum { FUM_INCEPTION_SIZE = 299 };

// The network in a graph.
struct fum_inception {
    const fum_loader *weights; // which decide its widths
    fum_tensor *pixels;        // [batch, 299, 299, 3] in 0..1
    fum_tensor *features;      // pool3, [batch, width]
    fum_tensor *logits;        // of the last layer without its bias
};
// Adds the network to a graph, from weights and pixels on. Returns false if the weights are not the
// network's, with the name of a missing tensor in `err`.
bool fum_inception_build(fum_graph *graph, struct fum_inception *net, struct fum_error *err);

// Makes the source of the graph's weights, in which each convolution has a bias and the batch norm
// behind it. It lives in the arena; the loader must outlive it.
enum fum_result fum_inception_fold(struct fum_weight_source *source, const fum_loader *loader,
                                   fum_arena *arena, struct fum_error *err);

#endif
