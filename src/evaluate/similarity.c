// SPDX-License-Identifier: MIT
// Compares two pictures: PSNR, and SSIM as Wang et al. 2004 define it.
#include <fumarole/evaluate.h>

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>

double fum_psnr(const struct fum_picture_pair *pair) {
    size_t count = (size_t)pair->width * (size_t)pair->height * (size_t)pair->channels;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = (double)pair->a[i] - (double)pair->b[i];
        sum += difference * difference;
    }
    return 10 * log10((double)pair->range * (double)pair->range * (double)count / sum);
}

// ---- SSIM ----

enum { RADIUS = 5, TAPS = 2 * RADIUS + 1, MOMENTS = 5 };
#define SIGMA 1.5

// Means over the window, of one channel: of a, b, a², b² and ab.
struct window {
    double tap[TAPS];
    double *rows[MOMENTS]; // [height, out_width], means along the rows
    int width, height, out_width;
};

static void make_taps(struct window *w) {
    double sum = 0;
    for (int i = 0; i < TAPS; i++) {
        w->tap[i] = exp(-0.5 * (i - RADIUS) * (i - RADIUS) / (SIGMA * SIGMA));
        sum += w->tap[i];
    }
    for (int i = 0; i < TAPS; i++) w->tap[i] /= sum;
}

static void blur_rows(struct window *w, const float *a, const float *b) {
    for (int y = 0; y < w->height; y++)
        for (int x = 0; x < w->out_width; x++) {
            double sum[MOMENTS] = {0};
            for (int t = 0; t < TAPS; t++) {
                size_t at = (size_t)y * (size_t)w->width + (size_t)(x + t);
                double p = (double)a[at], q = (double)b[at];
                const double values[MOMENTS] = {p, q, p * p, q * q, p * q};
                for (int m = 0; m < MOMENTS; m++) sum[m] += w->tap[t] * values[m];
            }
            for (int m = 0; m < MOMENTS; m++)
                w->rows[m][(size_t)y * (size_t)w->out_width + (size_t)x] = sum[m];
        }
}

// Returns the similarity of one window, whose first row is y.
static double compare_window(const struct window *w, int y, int x, double range) {
    double mean[MOMENTS] = {0}, c1 = 0.01 * range * (0.01 * range),
           c2 = 0.03 * range * (0.03 * range);
    for (int t = 0; t < TAPS; t++)
        for (int m = 0; m < MOMENTS; m++)
            mean[m] += w->tap[t] * w->rows[m][(size_t)(y + t) * (size_t)w->out_width + (size_t)x];
    double a = mean[0], b = mean[1], a_square = mean[2] - a * a, b_square = mean[3] - b * b,
           both = mean[4] - a * b;
    return (2 * a * b + c1) * (2 * both + c2) / ((a * a + b * b + c1) * (a_square + b_square + c2));
}

static double compare_channel(struct window *w, const float *a, const float *b, double range) {
    double sum = 0;
    int out_height = w->height - TAPS + 1;
    blur_rows(w, a, b);
    for (int y = 0; y < out_height; y++)
        for (int x = 0; x < w->out_width; x++) sum += compare_window(w, y, x, range);
    return sum / ((double)out_height * w->out_width);
}

enum fum_result fum_ssim(const struct fum_picture_pair *pair, double *ssim, struct fum_error *err) {
    struct window w = {
        .width = pair->width, .height = pair->height, .out_width = pair->width - TAPS + 1};
    size_t plane = (size_t)pair->width * (size_t)pair->height;
    *ssim = 0;
    if (pair->width < TAPS || pair->height < TAPS)
        return fum_error_set(err, FUM_ERR_ARG,
                             "SSIM needs pictures of at least %dx%d pixels, not %dx%d", TAPS, TAPS,
                             pair->width, pair->height);
    bool good = true;
    for (int m = 0; m < MOMENTS; m++) {
        w.rows[m] = fum_alloc((size_t)w.height * (size_t)w.out_width, sizeof *w.rows[m]);
        good = good && w.rows[m];
    }
    make_taps(&w);
    for (int c = 0; c < pair->channels && good; c++) {
        size_t at = (size_t)c * plane;
        *ssim +=
            compare_channel(&w, pair->a + at, pair->b + at, (double)pair->range) / pair->channels;
    }
    for (int m = 0; m < MOMENTS; m++) fum_free(w.rows[m]);
    return good ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for SSIM");
}
