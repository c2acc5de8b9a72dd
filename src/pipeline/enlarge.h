// SPDX-License-Identifier: MIT
// Ways to enlarge what a first pass drew, for a second one: latents by interpolation, pictures by a
// filter or a network.
#ifndef FUM_PIPELINE_ENLARGE_H
#define FUM_PIPELINE_ENLARGE_H

#include "io/image.h"

#include <fumarole/upscale.h>

struct fum_enlarger {
    const char *name, *label; // label: A1111's
    // Weights of the latent pixels around a place, which is `share` past the second of them or the
    // first of two. NULL: pictures are enlarged.
    int taps;
    void (*weigh)(double share, double *weights);
    // Enlarges a picture. NULL: latents are enlarged, or a network does it.
    enum fum_result (*scale)(const struct fum_bitmap *from, int width, int height,
                             struct fum_bitmap *to, struct fum_error *err);
};

// Returns the way of a name or a label; NULL: the name is a network's file.
const struct fum_enlarger *fum_enlarger_find(const char *name);

// Values [height, width, channels].
struct fum_grid {
    float *values;
    int height, width, channels;
};
// Enlarges latents to the size of `to`, as torch's interpolate does without aligned corners.
enum fum_result fum_enlarge_latents(const struct fum_enlarger *way, const struct fum_grid *from,
                                    const struct fum_grid *to, struct fum_error *err);
// Enlarges a picture by a network as often as it takes. Scales the result down to the size of `to`,
// which is set and gets its pixels.
enum fum_result fum_enlarge_by_network(fum_upscaler *network, const struct fum_bitmap *from,
                                       struct fum_bitmap *to, struct fum_error *err);

#endif
