// SPDX-License-Identifier: MIT
// Reads the mask of a request, chooses the part of the picture that is drawn, and puts the result
// back.
#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "pipeline/mask_fill.h"
#include "pipeline/pipeline.h"

#include <string.h>

enum { DEFAULT_PADDING = 32, MAX_BLUR = 1000 };

bool fum_mask_given(const struct fum_generate_params *params) {
    return fum_image_given(&params->mask) || fum_canvas_grows(params);
}

// ---- reading ----

// Reads the mask of the request at a size; without one, nothing changes.
static enum fum_result read_mask(const struct fum_run *run, struct fum_bitmap_box size,
                                 struct fum_bitmap *mask, struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    size_t count = (size_t)size.width * (size_t)size.height;
    struct fum_bitmap read = {0};
    if (!fum_image_given(&p->mask)) {
        *mask = (struct fum_bitmap){fum_calloc(count, 1), size.width, size.height, 1};
        return mask->pixels ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a mask");
    }
    enum fum_result result = fum_given_read(run, &p->mask, 1, &read, err);
    if (!result) result = fum_bitmap_scale(&read, size.width, size.height, mask, err);
    fum_bitmap_free(&read);
    for (size_t i = 0; i < count && !result && p->mask_invert; i++)
        mask->pixels[i] = (uint8_t)(255 - mask->pixels[i]);
    return result;
}

// Makes the mask of a picture that grew: what is new changes.
static enum fum_result grow_mask(const struct fum_run *run, struct fum_bitmap *mask,
                                 struct fum_error *err) {
    const struct fum_bitmap_box box = fum_canvas_box(run->params, mask->width, mask->height);
    struct fum_bitmap grown = {0};
    enum fum_result result = fum_bitmap_cut(mask, box, &grown, err);
    for (int y = 0; y < box.height && !result; y++)
        for (int x = 0; x < box.width; x++) {
            int old_x = x + box.left, old_y = y + box.top;
            bool old = old_x >= 0 && old_x < mask->width && old_y >= 0 && old_y < mask->height;
            if (!old) grown.pixels[(size_t)y * (size_t)box.width + (size_t)x] = 255;
        }
    if (result) return result;
    fum_bitmap_free(mask);
    *mask = grown;
    return FUM_OK;
}

// ---- the part that is drawn ----

// Returns the part of a mask that is not black; empty without any.
static struct fum_bitmap_box find_box(const struct fum_bitmap *mask) {
    int left = mask->width, top = mask->height, right = 0, bottom = 0;
    for (int y = 0; y < mask->height; y++)
        for (int x = 0; x < mask->width; x++) {
            if (!mask->pixels[(size_t)y * (size_t)mask->width + (size_t)x]) continue;
            left = FUM_MIN(left, x);
            right = FUM_MAX(right, x + 1);
            top = FUM_MIN(top, y);
            bottom = FUM_MAX(bottom, y + 1);
        }
    if (!right) return (struct fum_bitmap_box){0};
    return (struct fum_bitmap_box){left, top, right - left, bottom - top};
}

// Grows one side of a part to that many pixels, as much as there are, around its middle.
static void grow_side(int *start, int *length, int requested, int whole) {
    int more = requested - *length;
    *start -= more / 2;
    *length += more;
    if (*start + *length > whole) *start = whole - *length;
    if (*start < 0) *start = 0;
    *length = FUM_MIN(*length, whole);
}

// Chooses the part to draw, as A1111 does it. It is the mask's with some padding, and as much more
// as gives it the shape of the run.
static struct fum_bitmap_box choose_area(const struct fum_run *run, const struct fum_bitmap *mask) {
    int padding = run->params->masked_padding ? run->params->masked_padding : DEFAULT_PADDING;
    struct fum_bitmap_box box = find_box(mask);
    padding = FUM_MIN(FUM_MAX(padding, 0), FUM_MAX_SIDE);
    int left = FUM_MAX(box.left - padding, 0), top = FUM_MAX(box.top - padding, 0);
    int right = FUM_MIN(box.left + box.width + padding, mask->width),
        bottom = FUM_MIN(box.top + box.height + padding, mask->height);
    box = (struct fum_bitmap_box){left, top, right - left, bottom - top};
    int64_t across = (int64_t)box.width * run->height, down = (int64_t)box.height * run->width;
    if (across > down)
        grow_side(&box.top, &box.height, (int)(across / run->width), mask->height);
    else
        grow_side(&box.left, &box.width, (int)(down / run->height), mask->width);
    return box;
}

// Scales the mask to the run, and finds the latent pixels that change, by the nearest pixel.
static enum fum_result fit_mask(const fum_pipeline *pipe, struct fum_run *run,
                                const struct fum_bitmap *part, struct fum_error *err) {
    struct fum_mask *mask = &run->given.mask;
    size_t w = (size_t)run->latent_width, h = (size_t)run->latent_height, changing = 0,
           factor = (size_t)fum_vae_factor(&pipe->view->vae);
    enum fum_result result = fum_given_fit(run, part, &mask->soft, err);
    if (!result && !(mask->latents = fum_alloc(w * h, sizeof *mask->latents)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a mask");
    for (size_t y = 0; y < h && !result; y++)
        for (size_t x = 0; x < w; x++) {
            uint8_t value = mask->soft.pixels[y * factor * (size_t)run->width + x * factor];
            mask->latents[y * w + x] = value >= FUM_MASK_CHANGES;
            changing += value >= FUM_MASK_CHANGES;
        }
    if (!result && !changing)
        fum_log(pipe->params.log, FUM_LOG_WARN,
                "the mask keeps the picture: it has no white part that a latent pixel of %zu x %zu "
                "shows",
                factor, factor);
    return result;
}

enum fum_result fum_mask_open(const fum_pipeline *pipe, struct fum_run *run,
                              struct fum_error *err) {
    const struct fum_generate_params *p = run->params;
    struct fum_given *given = &run->given;
    struct fum_bitmap *whole = &given->mask.whole, part = {0}, picture = {0};
    const struct fum_bitmap *original = &given->original;
    const struct fum_bitmap_box before = {0, 0, original->width - p->outpaint[0] - p->outpaint[2],
                                          original->height - p->outpaint[1] - p->outpaint[3]};
    if (!(p->mask_blur <= MAX_BLUR))
        return fum_error_set(err, FUM_ERR_ARG, "mask_blur is %g pixels: at most %d are possible",
                             p->mask_blur, MAX_BLUR);
    enum fum_result result = read_mask(run, before, whole, err);
    if (!result && fum_canvas_grows(p)) result = grow_mask(run, whole, err);
    if (!result && p->mask_blur > 0) result = fum_bitmap_blur(whole, p->mask_blur, err);
    given->mask.area = (struct fum_bitmap_box){0, 0, original->width, original->height};
    if (!result && p->only_masked && find_box(whole).width)
        given->mask.area = choose_area(run, whole);
    if (!result) result = fum_bitmap_cut(whole, given->mask.area, &part, err);
    if (!result) result = fum_bitmap_cut(original, given->mask.area, &picture, err);
    if (!result) result = fit_mask(pipe, run, &part, err);
    if (!result) result = fum_given_fit(run, &picture, &given->picture, err);
    fum_bitmap_free(&part);
    fum_bitmap_free(&picture);
    return result ? result : fum_given_prepare(run, err);
}

enum fum_result fum_mask_encode(fum_pipeline *pipe, struct fum_run *run, struct fum_error *err) {
    struct fum_given *given = &run->given;
    size_t channels = (size_t)run->latent_channels,
           count = (size_t)run->latent_width * (size_t)run->latent_height * channels;
    enum fum_result result = FUM_OK;
    if (run->params->inpaint_fill == FUM_INPAINT_FILL)
        result = fum_mask_fill(&given->picture, &given->mask.soft, err);
    given->start.drawn = !run->params->noise;
    if (!result) result = fum_given_encode(pipe, run, NULL, &given->start, err);
    if (result || run->params->inpaint_fill != FUM_INPAINT_ZERO) return result;
    for (size_t i = 0; i < count; i++) {
        if (given->mask.latents[i / channels] == 0) continue;
        given->start.mean[i] = 0;
        if (given->start.deviation) given->start.deviation[i] = 0;
    }
    return FUM_OK;
}

// ---- the result ----

// Puts `drawn` into `picture` at a place, as much as the mask of the whole picture says.
static void paste(struct fum_bitmap *picture, const struct fum_bitmap *drawn,
                  struct fum_bitmap_box area, const struct fum_bitmap *mask) {
    size_t channels = (size_t)picture->channels;
    for (int y = 0; y < area.height; y++)
        for (int x = 0; x < area.width; x++) {
            size_t at = (size_t)(area.top + y) * (size_t)picture->width + (size_t)(area.left + x),
                   from = (size_t)y * (size_t)area.width + (size_t)x;
            unsigned share = mask ? mask->pixels[at] : 255;
            for (size_t c = 0; c < channels; c++) {
                unsigned sum = drawn->pixels[from * channels + c] * share +
                               picture->pixels[at * channels + c] * (255 - share);
                picture->pixels[at * channels + c] = (uint8_t)((sum + 127) / 255);
            }
        }
}

// Puts the part that was drawn back into the original, at the original's size.
static enum fum_result restore_whole(const struct fum_run *run, struct fum_bitmap *picture,
                                     struct fum_error *err) {
    const struct fum_mask *mask = &run->given.mask;
    const struct fum_bitmap *original = &run->given.original;
    const struct fum_bitmap_box all = {0, 0, original->width, original->height};
    struct fum_bitmap drawn = {0}, whole = {0};
    enum fum_result result =
        fum_bitmap_scale(picture, mask->area.width, mask->area.height, &drawn, err);
    if (!result) result = fum_bitmap_cut(original, all, &whole, err);
    if (!result)
        paste(&whole, &drawn, mask->area, run->params->no_mask_composite ? NULL : &mask->whole);
    fum_bitmap_free(&drawn);
    if (result) return result;
    fum_bitmap_free(picture);
    *picture = whole;
    return FUM_OK;
}

enum fum_result fum_mask_finish(const fum_pipeline *pipe, const struct fum_run *run,
                                struct fum_bitmap *picture, struct fum_error *err) {
    const struct fum_given *given = &run->given;
    const struct fum_bitmap_box all = {0, 0, picture->width, picture->height};
    struct fum_bitmap kept = {0};
    (void)pipe;
    if (run->params->only_masked) return restore_whole(run, picture, err);
    if (run->params->no_mask_composite) return FUM_OK;
    enum fum_result result = fum_given_fit(run, &given->original, &kept, err);
    if (result) return result;
    paste(&kept, picture, all, &given->mask.soft);
    fum_bitmap_free(picture);
    *picture = kept;
    return FUM_OK;
}
