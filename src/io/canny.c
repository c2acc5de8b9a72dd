// SPDX-License-Identifier: MIT
#include "io/canny.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"

#include <math.h>
#include <stdlib.h>

// A picture's gradient, with a border of zeros around the squared lengths.
struct gradient {
    int width, height;
    uint8_t *grey;
    int *dx, *dy;
    int *length; // squared, [height + 2, width + 2]
};

// Marks of the pixels while edges are followed.
enum { WEAK = 1, EDGE = 255 };

// ---- the gradient ----

void fum_bitmap_grey(const struct fum_bitmap *from, uint8_t *grey) {
    enum { RED = 9798, GREEN = 19235, BLUE = 3735, SHIFT = 15 }; // as OpenCV rounds the weights
    size_t count = (size_t)from->width * (size_t)from->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = from->pixels + i * (size_t)from->channels;
        grey[i] = from->channels == 1
                      ? *p
                      : (uint8_t)((p[0] * RED + p[1] * GREEN + p[2] * BLUE + (1 << (SHIFT - 1))) >>
                                  SHIFT);
    }
}

// Returns a pixel; past the edges those of the edge.
static int pixel_at(const struct gradient *g, int x, int y) {
    x = FUM_MAX(0, FUM_MIN(x, g->width - 1));
    y = FUM_MAX(0, FUM_MIN(y, g->height - 1));
    return g->grey[(size_t)y * (size_t)g->width + (size_t)x];
}

// Computes Sobel's filter.
static void find_gradient(struct gradient *g) {
    for (int y = 0; y < g->height; y++)
        for (int x = 0; x < g->width; x++) {
            int a = pixel_at(g, x - 1, y - 1), b = pixel_at(g, x, y - 1),
                c = pixel_at(g, x + 1, y - 1), d = pixel_at(g, x - 1, y), f = pixel_at(g, x + 1, y),
                h = pixel_at(g, x - 1, y + 1), i = pixel_at(g, x, y + 1),
                j = pixel_at(g, x + 1, y + 1);
            size_t at = (size_t)y * (size_t)g->width + (size_t)x;
            int dx = c - a + 2 * (f - d) + j - h, dy = h - a + 2 * (i - b) + j - c;
            g->dx[at] = dx;
            g->dy[at] = dy;
            g->length[(size_t)(y + 1) * (size_t)(g->width + 2) + (size_t)(x + 1)] =
                dx * dx + dy * dy;
        }
}

// ---- edges ----

// True if no neighbour across the edge has a longer gradient. Directions are those of multiples of
// 45 degrees, by the tangent of 22.5 degrees in 1/32768.
static bool is_ridge(const struct gradient *g, int x, int y) {
    enum { TAN_22 = 13573, SHIFT = 15 };
    int stride = g->width + 2, dx = g->dx[y * g->width + x], dy = g->dy[y * g->width + x];
    const int *at = &g->length[(y + 1) * stride + x + 1];
    int64_t across = abs(dx), along = (int64_t)abs(dy) << SHIFT, tan_22 = across * TAN_22,
            tan_67 = tan_22 + (across << (SHIFT + 1));
    if (along < tan_22) return at[0] > at[-1] && at[0] >= at[1];
    if (along > tan_67) return at[0] > at[-stride] && at[0] >= at[stride];
    int side = (dx ^ dy) < 0 ? -1 : 1;
    return at[0] > at[-stride - side] && at[0] > at[stride + side];
}

// A list of pixels whose neighbours are still to be looked at.
struct pixel_list {
    int *at;
    size_t count;
};

// Marks the ridges: strong ones are edges, listed, others are weak.
static void mark_ridges(const struct gradient *g, int64_t low, int64_t high, uint8_t *marks,
                        struct pixel_list *list) {
    for (int y = 0; y < g->height; y++)
        for (int x = 0; x < g->width; x++) {
            int length = g->length[(y + 1) * (g->width + 2) + x + 1], at = y * g->width + x;
            bool ridge = length > low && is_ridge(g, x, y), strong = ridge && length > high;
            marks[at] = ridge ? WEAK : 0;
            if (!strong) continue;
            marks[at] = EDGE;
            list->at[list->count++] = at;
        }
}

// Makes weak ridges beside an edge part of it, then drops those that are left.
static void follow_edges(const struct gradient *g, uint8_t *marks, struct pixel_list *list) {
    while (list->count) {
        int at = list->at[--list->count], x0 = at % g->width, y0 = at / g->width;
        for (int y = FUM_MAX(y0 - 1, 0); y <= FUM_MIN(y0 + 1, g->height - 1); y++)
            for (int x = FUM_MAX(x0 - 1, 0); x <= FUM_MIN(x0 + 1, g->width - 1); x++) {
                uint8_t *mark = &marks[y * g->width + x];
                if (*mark != WEAK) continue;
                *mark = EDGE;
                list->at[list->count++] = y * g->width + x;
            }
    }
    for (int i = 0; i < g->width * g->height; i++) marks[i] = marks[i] == EDGE ? EDGE : 0;
}

int64_t fum_canny_threshold(double threshold) {
    double limited = FUM_MIN(threshold, 32767.0);
    return (int64_t)floor(limited > 0 ? limited * limited : limited);
}

enum fum_result fum_bitmap_canny(const struct fum_bitmap *from, double low, double high,
                                 struct fum_bitmap *to, struct fum_error *err) {
    size_t count = (size_t)from->width * (size_t)from->height,
           bordered = (size_t)(from->width + 2) * (size_t)(from->height + 2);
    struct gradient g = {.width = from->width, .height = from->height};
    struct pixel_list list = {.at = fum_alloc(count, sizeof *list.at)};
    g.grey = fum_alloc(count, 1);
    g.dx = fum_alloc(count, sizeof *g.dx);
    g.dy = fum_alloc(count, sizeof *g.dy);
    g.length = fum_calloc(bordered, sizeof *g.length);
    *to = (struct fum_bitmap){fum_alloc(count, 1), from->width, from->height, 1};
    enum fum_result result = FUM_OK;
    if (!g.grey || !g.dx || !g.dy || !g.length || !list.at || !to->pixels) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the edges of a picture");
        fum_bitmap_free(to);
    } else {
        fum_bitmap_grey(from, g.grey);
        find_gradient(&g);
        mark_ridges(&g, fum_canny_threshold(FUM_MIN(low, high)),
                    fum_canny_threshold(FUM_MAX(low, high)), to->pixels, &list);
        follow_edges(&g, to->pixels, &list);
    }
    fum_free(g.grey);
    fum_free(g.dx);
    fum_free(g.dy);
    fum_free(g.length);
    fum_free(list.at);
    return result;
}
