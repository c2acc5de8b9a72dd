// SPDX-License-Identifier: MIT
// Marks where the gradient of a grey picture is longest across an edge, f32 [height, width] of
// whole numbers from 0 to 255. Settings: thresholds of the squared length, above which a mark is
// FUM_CANNY_WEAK or FUM_CANNY_EDGE. Numbers are those of OpenCV's Canny with L2gradient.
#include "base/macros.h"
#include "ops/lib/canny.h"

#include <math.h>

enum { LOW, HIGH };
static const struct fum_attr_def attrs[] = {{"low", 0}, {"high", 0}, {0}};

struct picture {
    const double *grey;
    int64_t height, width;
};

struct gradient {
    double dx, dy, length; // squared length
};

static double pixel_at(const struct picture *p, int64_t y, int64_t x) {
    y = FUM_MAX(0, FUM_MIN(y, p->height - 1));
    x = FUM_MAX(0, FUM_MIN(x, p->width - 1));
    return p->grey[y * p->width + x];
}

// Returns Sobel's filter and its squared length, which is 0 outside of the picture.
static struct gradient gradient_at(const struct picture *p, int64_t y, int64_t x) {
    struct gradient g = {0};
    if (x < 0 || y < 0 || x >= p->width || y >= p->height) return g;
    for (int k = -1; k <= 1; k++) {
        int weight = k ? 1 : 2;
        g.dx += weight * (pixel_at(p, y + k, x + 1) - pixel_at(p, y + k, x - 1));
        g.dy += weight * (pixel_at(p, y + 1, x + k) - pixel_at(p, y - 1, x + k));
    }
    g.length = g.dx * g.dx + g.dy * g.dy;
    return g;
}

// True if no neighbour across the edge has a longer gradient.
static bool is_ridge(const struct picture *p, const struct gradient *g, int64_t y, int64_t x) {
    const double unit = 32768, tan_22 = 13573;
    double across = fabs(g->dx), along = fabs(g->dy);
    if (along * unit < across * tan_22)
        return g->length > gradient_at(p, y, x - 1).length &&
               g->length >= gradient_at(p, y, x + 1).length;
    if (along * unit > across * (tan_22 + 2 * unit))
        return g->length > gradient_at(p, y - 1, x).length &&
               g->length >= gradient_at(p, y + 1, x).length;
    int side = (g->dx < 0) != (g->dy < 0) ? -1 : 1;
    return g->length > gradient_at(p, y - 1, x - side).length &&
           g->length > gradient_at(p, y + 1, x + side).length;
}

static void reference(const struct fum_op_call *call, const double *const *in, double *out) {
    const int64_t *dim = call->in[0].shape.dim;
    const struct picture p = {in[0], dim[0], dim[1]};
    for (int64_t y = 0; y < p.height; y++)
        for (int64_t x = 0; x < p.width; x++) {
            const struct gradient g = gradient_at(&p, y, x);
            double mark = g.length > call->attr[HIGH] ? FUM_CANNY_EDGE : FUM_CANNY_WEAK;
            *out++ = g.length > call->attr[LOW] && is_ridge(&p, &g, y, x) ? mark : 0;
        }
}

static bool dispatch(const struct fum_op_call *call, struct fum_dispatches *list) {
    return fum_canny_dispatch(call, "canny_ridges", call->attr[LOW], call->attr[HIGH], list);
}

const struct fum_op fum_op_canny_ridges = {
    .name = "canny_ridges",
    .attrs = attrs,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = fum_canny_infer,
    .reference = reference,
    .dispatch = dispatch,
};
