// SPDX-License-Identifier: MIT
// Grows the canvas of a picture. What is new shows the pixels of the edges until it is drawn.
#include "base/error.h"
#include "pipeline/pipeline.h"

enum { LEFT = 0, TOP, RIGHT, BOTTOM };

bool fum_canvas_grows(const struct fum_generate_params *p) {
    return p->outpaint[LEFT] || p->outpaint[TOP] || p->outpaint[RIGHT] || p->outpaint[BOTTOM];
}

struct fum_bitmap_box fum_canvas_box(const struct fum_generate_params *p, int width, int height) {
    return (struct fum_bitmap_box){-p->outpaint[LEFT], -p->outpaint[TOP],
                                   width + p->outpaint[LEFT] + p->outpaint[RIGHT],
                                   height + p->outpaint[TOP] + p->outpaint[BOTTOM]};
}

enum fum_result fum_canvas_grow(struct fum_run *run, struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    struct fum_bitmap *original = &run->given.original, grown = {0};
    if (!fum_canvas_grows(p)) return FUM_OK;
    for (int i = 0; i < 4; i++)
        if (p->outpaint[i] < 0 || p->outpaint[i] > FUM_MAX_SIDE)
            return fum_error_set(err, FUM_ERR_ARG, "a picture cannot grow by %d pixels",
                                 p->outpaint[i]);
    const struct fum_bitmap_box box = fum_canvas_box(p, original->width, original->height);
    if (box.width > FUM_MAX_SIDE || box.height > FUM_MAX_SIDE)
        return fum_error_set(err, FUM_ERR_ARG, "a picture cannot grow to %dx%d: at most %d a side",
                             box.width, box.height, FUM_MAX_SIDE);
    enum fum_result result = fum_bitmap_cut(original, box, &grown, err);
    if (result) return result;
    fum_bitmap_free(original);
    *original = grown;
    return FUM_OK;
}
