// SPDX-License-Identifier: MIT
// Writes report.html: one page without other files or hosts, which loads itself again while the
// training runs.
#include "train/training.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"

enum { WIDTH = 560, HEIGHT = 220, LEFT = 76, RIGHT = 12, TOP = 12, BOTTOM = 24 };

static const char head[] = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n";
static const char style[] =
    "<style>\n"
    ":root { color-scheme: light dark; --line: #1f6feb; --axis: #8888; }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; "
    "padding: 0 1em; }\n"
    "figure { display: inline-block; margin: 0 1em 1.5em 0; vertical-align: top; }\n"
    "figcaption { font-weight: 600; }\n"
    "svg { width: 560px; max-width: 92vw; height: auto; }\n"
    "svg text { font: 11px system-ui, sans-serif; fill: currentColor; }\n"
    "polyline { fill: none; stroke: var(--line); stroke-width: 1.5; }\n"
    "circle { fill: var(--line); }\n"
    "svg path { stroke: var(--axis); fill: none; }\n"
    "img { image-rendering: pixelated; min-width: 224px; max-width: 92vw; }\n"
    "table { border-collapse: collapse; } td { padding: 0 1.2em .1em 0; }\n"
    "</style>\n";

// The page while it is written; the first failure is kept.
struct page {
    fum_file_writer *writer;
    enum fum_result result;
    struct fum_error *err;
};

static void put_bytes(struct page *page, const char *text, size_t bytes) {
    if (!page->result) page->result = fum_file_write(page->writer, text, bytes, page->err);
}

static void put(struct page *page, const char *fmt, ...) FUM_PRINTF(2, 3);
static void put(struct page *page, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (bytes > 0)
        put_bytes(page, text, (size_t)bytes < sizeof text ? (size_t)bytes : sizeof text - 1);
}

// Puts text in which nothing is markup.
static void put_text(struct page *page, const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (strchr("<>&\"'", c))
            put(page, "&#%d;", c);
        else if (c >= 0x20)
            put_bytes(page, text, 1);
    }
}

// ---- plots ----

// A curve of `count` points over x, and the range that its axes show.
struct curve {
    const char *name;
    int count;
    const double *x;
    const float *y;
    double x0, x1, y0, y1;
};

// Finds the range of the finite values. Returns how many there are.
static int find_range(struct curve *c) {
    int finite = 0;
    c->x0 = c->x[0];
    c->x1 = c->x[c->count - 1];
    c->y0 = INFINITY;
    c->y1 = -INFINITY;
    for (int i = 0; i < c->count; i++) {
        if (!isfinite(c->y[i])) continue;
        c->y0 = fmin(c->y0, c->y[i]);
        c->y1 = fmax(c->y1, c->y[i]);
        finite++;
    }
    if (c->x1 <= c->x0) c->x1 = c->x0 + 1;
    if (c->y1 > c->y0) return finite;
    double margin = fmax(fabs(c->y0) * 1e-3, 1e-9);
    c->y0 -= margin;
    c->y1 += margin;
    return finite;
}

static const char *short_number(char text[FUM_NUMBER_BYTES], double value) {
    return fum_number_format(text, 4, value);
}

static void put_axes(struct page *page, const struct curve *c) {
    char low[FUM_NUMBER_BYTES], high[FUM_NUMBER_BYTES], first[FUM_NUMBER_BYTES],
        last[FUM_NUMBER_BYTES];
    put(page, "<path d=\"M%d %dV%dH%d\"/>", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
    put(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", LEFT - 6, TOP + 8,
        short_number(high, c->y1));
    put(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", LEFT - 6, HEIGHT - BOTTOM,
        short_number(low, c->y0));
    put(page, "<text x=\"%d\" y=\"%d\">%s</text>", LEFT, HEIGHT - 6, short_number(first, c->x0));
    put(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", WIDTH - RIGHT, HEIGHT - 6,
        short_number(last, c->x1));
}

// A place in a plot, in tenths of a pixel: whole numbers, which no locale spells with a comma.
struct place {
    long x, y;
};

static struct place find_place(const struct curve *c, int i) {
    double x = (c->x[i] - c->x0) / (c->x1 - c->x0), y = (c->y[i] - c->y0) / (c->y1 - c->y0);
    return (struct place){lround(10 * (LEFT + x * (WIDTH - LEFT - RIGHT))),
                          lround(10 * (HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)))};
}

// Puts an unbroken piece of the curve, from point `i` on, or a dot if the next one is no number.
// Returns the end of the piece.
static int put_piece(struct page *page, const struct curve *c, int i) {
    if (i + 1 == c->count || !isfinite(c->y[i + 1])) {
        struct place p = find_place(c, i);
        put(page, "<circle r=\"2.5\" cx=\"%ld.%ld\" cy=\"%ld.%ld\"/>", p.x / 10, p.x % 10, p.y / 10,
            p.y % 10);
        return i + 1;
    }
    put(page, "<polyline points=\"");
    for (; i < c->count && isfinite(c->y[i]); i++) {
        struct place p = find_place(c, i);
        put(page, "%ld.%ld,%ld.%ld ", p.x / 10, p.x % 10, p.y / 10, p.y % 10);
    }
    put(page, "\"/>");
    return i;
}

// Puts a curve with gaps where values are no numbers. A curve without any value is left out.
static void put_curve(struct page *page, struct curve *c) {
    char last[FUM_NUMBER_BYTES];
    if (!c->count || !find_range(c)) return;
    put(page, "<figure><figcaption>");
    put_text(page, c->name);
    put(page, " %s</figcaption>\n<svg viewBox=\"0 0 %d %d\">",
        short_number(last, c->y[c->count - 1]), WIDTH, HEIGHT);
    put_axes(page, c);
    for (int i = 0; i < c->count; i++)
        if (isfinite(c->y[i])) i = put_piece(page, c, i);
    put(page, "</svg></figure>\n");
}

static void put_history(struct page *page, const struct fum_training *t) {
    const struct fum_history *h = t->history;
    for (int s = 0; s < h->series; s++) {
        struct curve curve = {
            .name = t->series[s], .count = h->count, .x = h->step, .y = h->value[s]};
        put_curve(page, &curve);
    }
}

// Puts ᾱ_t and the signal-to-noise ratio ᾱ_t / (1 - ᾱ_t) of the recipe's noise schedule.
static enum fum_result put_schedule(struct page *page, const struct fum_training *t) {
    int count = 0;
    const double *alphas = t->recipe->alphas ? t->recipe->alphas(t, &count) : NULL;
    double *x = fum_alloc((size_t)count + 1, sizeof *x);
    float *y = fum_alloc((size_t)count + 1, sizeof *y),
          *ratio = fum_alloc((size_t)count + 1, sizeof *ratio);
    bool enough = x && y && ratio;
    for (int i = 0; i < count && enough && alphas; i++) {
        x[i] = i;
        y[i] = (float)alphas[i];
        ratio[i] = (float)(10 * log10(fmax(alphas[i], 1e-12) / fmax(1 - alphas[i], 1e-12)));
    }
    if (enough && alphas && count) {
        put(page, "<h2>Noise schedule</h2>\n");
        put_curve(page, &(struct curve){.name = "ᾱ_t", .count = count, .x = x, .y = y});
        put_curve(page, &(struct curve){.name = "SNR in dB", .count = count, .x = x, .y = ratio});
    }
    fum_free(x);
    fum_free(y);
    fum_free(ratio);
    return enough ? FUM_OK : fum_error_set(page->err, FUM_ERR_NOMEM, "no memory for report.html");
}

// ---- pictures ----

static void put_base64(struct page *page, const uint8_t *data, size_t bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t word = (uint32_t)data[i] << 16;
        if (i + 1 < bytes) word |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < bytes) word |= data[i + 2];
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63], digits[word >> 6 & 63],
                        digits[word & 63]};
        if (i + 2 >= bytes) four[3] = '=';
        if (i + 1 >= bytes) four[2] = '=';
        put_bytes(page, four, 4);
    }
}

// Puts the grids of a gallery, the latest first.
static void put_gallery(struct page *page, const char *title,
                        const struct fum_train_gallery *gallery) {
    enum { MAX_PICTURE = 4 << 20 };
    if (gallery->count) put(page, "<h2>%s</h2>\n", title);
    for (int i = gallery->count - 1; i >= 0; i--) {
        char *data = NULL;
        size_t bytes = 0;
        if (fum_file_read(gallery->grids[i].path, MAX_PICTURE, &data, &bytes, NULL)) continue;
        put(page, "<figure><figcaption>");
        put_text(page, gallery->grids[i].title);
        put(page, "</figcaption>\n<img alt=\"\" src=\"data:image/png;base64,");
        put_base64(page, (const uint8_t *)data, bytes);
        put(page, "\"></figure>\n");
        fum_free(data);
    }
}

// ---- the page ----

static void put_settings(struct page *page, const struct fum_training *t) {
    put(page, "<details><summary>Settings</summary>\n<table>\n");
    for (size_t i = 0; i < t->settings.count; i++) {
        const struct fum_setting *item = &t->settings.items[i];
        put(page, "<tr><td>");
        put_text(page, item->section);
        put(page, ".");
        put_text(page, item->key);
        put(page, "</td><td>");
        put_text(page, item->value);
        put(page, "</td></tr>\n");
    }
    put(page, "</table></details>\n");
}

enum fum_result fum_train_write_report(const struct fum_training *t, struct fum_error *err) {
    struct page page = {.err = err};
    page.result = fum_file_begin(&page.writer, t->report_path, err);
    bool runs = t->step < t->options.steps && !t->stopped && !t->failure;
    put(&page, "%s%s<title>%s, step %lld of %lld</title>\n", head,
        runs ? "<meta http-equiv=\"refresh\" content=\"10\">\n" : "", t->recipe->name,
        (long long)t->step, (long long)t->options.steps);
    put(&page, "%s</head><body>\n<h1>%s</h1>\n<p>Step %lld of %lld%s</p>\n", style, t->recipe->name,
        (long long)t->step, (long long)t->options.steps, runs ? "" : ", the run has ended");
    if (t->failure) put(&page, "<p><strong>");
    put_text(&page, t->failure ? t->failure : "");
    if (t->failure) put(&page, "</strong></p>\n");
    put_history(&page, t);
    if (!page.result) page.result = put_schedule(&page, t);
    put_gallery(&page, "Samples", &t->drawn);
    put_gallery(&page, "Pictures of the data, and below them their reconstructions",
                &t->reconstructed);
    put_settings(&page, t);
    put(&page, "</body></html>\n");
    if (!page.result) page.result = fum_file_commit(&page.writer, err);
    fum_file_abort(&page.writer);
    return page.result;
}
