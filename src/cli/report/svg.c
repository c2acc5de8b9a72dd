// SPDX-License-Identifier: MIT
// Draws on the benchmark's page: inline SVG whose colours are the page's, so that they follow light
// and dark.
#include "page.h"

#include <math.h>
#include <string.h>

// ---- the roofline plot ----

enum {
    PLOT_WIDTH = 960,
    PLOT_HEIGHT = 500,
    LEFT = 70,
    RIGHT = 20,
    TOP = 20,
    BOTTOM = 50,
    NAME_WIDTH = 150
};

// Decades shown.
struct axes {
    double x0, x1, y0, y1;
};

static double plot_x(const struct axes *a, double intensity) {
    return LEFT + (log10(intensity) - a->x0) / (a->x1 - a->x0) * (PLOT_WIDTH - LEFT - RIGHT);
}

static double plot_y(const struct axes *a, double rate) {
    return PLOT_HEIGHT - BOTTOM -
           (log10(rate) - a->y0) / (a->y1 - a->y0) * (PLOT_HEIGHT - TOP - BOTTOM);
}

static double limit_of(const cJSON *report, const char *name) {
    const cJSON *limit;
    cJSON_ArrayForEach(limit, cJSON_GetObjectItemCaseSensitive(report, "limits")) {
        if (strcmp(cli_bench_string(limit, "name"), name) == 0)
            return cli_bench_samples(cJSON_GetObjectItemCaseSensitive(limit, "value")).median;
    }
    return 0;
}

static double memory_limit(const cJSON *report) {
    static const char *const names[] = {"read", "write", "copy", "buffer copy"};
    double best = 0;
    for (int i = 0; i < 4; i++)
        if (limit_of(report, names[i]) > best) best = limit_of(report, names[i]);
    return best;
}

// Stores FLOP a byte and GFLOP/s. False for operations without arithmetic.
static bool place_of(const cJSON *op, double *intensity, double *rate) {
    double flops = cli_bench_number(op, "flops"), bytes = cli_bench_number(op, "bytes");
    struct cli_samples s = cli_bench_samples(cJSON_GetObjectItemCaseSensitive(op, "seconds"));
    if (!(flops > 0) || !(bytes > 0) || s.count == 0 || !(s.median > 0)) return false;
    *intensity = flops / bytes;
    *rate = flops / s.median * 1e-9;
    return true;
}

// Finds the decades that hold every point and the knee of every roof.
static bool find_axes(const struct cli_page *page, struct axes *a) {
    double x0 = INFINITY, x1 = 0, y0 = INFINITY, y1 = 0;
    for (int i = 0; i < page->count; i++) {
        const cJSON *op;
        double x, y, fma = limit_of(page->reports[i], "fma f32"),
                     memory = memory_limit(page->reports[i]);
        double fma16 = limit_of(page->reports[i], "fma f16");
        cJSON_ArrayForEach(op, cJSON_GetObjectItemCaseSensitive(page->reports[i], "ops")) {
            if (!place_of(op, &x, &y)) continue;
            x0 = fmin(x0, x);
            x1 = fmax(x1, x);
            y0 = fmin(y0, y);
            y1 = fmax(y1, y);
        }
        if (fma > 0 && memory > 0) {
            x1 = fmax(x1, fma / memory);
            y1 = fmax(y1, fmax(fma, fma16));
        }
    }
    if (!(x0 < INFINITY) || !(y0 < INFINITY)) return false;
    *a = (struct axes){log10(x0) - 0.2, log10(x1) + 0.3, log10(y0) - 0.2, log10(y1) + 0.2};
    return true;
}

static void put_grid(struct cli_page *page, const struct axes *a) {
    double bottom = PLOT_HEIGHT - BOTTOM, right = PLOT_WIDTH - RIGHT;
    for (int e = (int)ceil(a->x0); e <= (int)floor(a->x1); e++) {
        double x = plot_x(a, pow(10, e));
        cli_page_put(page,
                     "<line class=grid x1=%.1f y1=%d x2=%.1f y2=%.1f />"
                     "<text x=%.1f y=%.1f text-anchor=middle>%g</text>",
                     x, TOP, x, bottom, x, bottom + 18, pow(10, e));
    }
    for (int e = (int)ceil(a->y0); e <= (int)floor(a->y1); e++) {
        double y = plot_y(a, pow(10, e));
        cli_page_put(page,
                     "<line class=grid x1=%d y1=%.1f x2=%.1f y2=%.1f />"
                     "<text x=%d y=%.1f text-anchor=end>%g</text>",
                     LEFT, y, right, y, LEFT - 8, y + 4, pow(10, e));
    }
    cli_page_put(page, "<text class=axis x=%.1f y=%d text-anchor=middle>FLOP a byte</text>",
                 (LEFT + right) / 2, PLOT_HEIGHT - 8);
    cli_page_put(page,
                 "<text class=axis transform=\"translate(16 %.1f) rotate(-90)\" "
                 "text-anchor=middle>GFLOP/s</text>",
                 (TOP + bottom) / 2);
}

// A roof: up along memory to a level rate.
struct roof {
    const char *name;
    double rate, memory;
    bool names_memory; // labels the slope
};

// Puts the roof of a report. The names of several reports stand beside each other, as their roofs
// may be one.
static void put_roof(struct cli_page *page, const struct axes *a, int report,
                     const struct roof *roof) {
    char style[32] = "", letter[4] = "";
    double rate = roof->rate, memory = roof->memory;
    if (!(rate > 0) || !(memory > 0)) return;
    double x0 = pow(10, a->x0), x1 = pow(10, a->x1), knee = rate / memory, y0 = pow(10, a->y0);
    double start = fmax(x0, y0 / memory); // where the slope enters the plot
    if (page->count > 1) {
        snprintf(style, sizeof style, "l%d", report + 1);
        snprintf(letter, sizeof letter, "%c ", 'A' + report);
    }
    if (start < knee) {
        double to = fmin(knee, x1), x = plot_x(a, start), y = plot_y(a, start * memory);
        cli_page_put(page, "<line class=\"roof %s\" x1=%.1f y1=%.1f x2=%.1f y2=%.1f />", style, x,
                     y, plot_x(a, to), plot_y(a, to * memory));
        if (roof->names_memory)
            cli_page_put(page, "<text x=%d y=%d>%smemory %.3g GB/s</text>",
                         LEFT + 4 + report * NAME_WIDTH, TOP + 12, letter, memory);
    }
    if (knee < x1)
        cli_page_put(page, "<line class=\"roof %s\" x1=%.1f y1=%.1f x2=%.1f y2=%.1f />", style,
                     plot_x(a, fmax(knee, x0)), plot_y(a, rate), plot_x(a, x1), plot_y(a, rate));
    cli_page_put(page, "<text x=%.1f y=%.1f text-anchor=end>%s%s %.4g GFLOP/s</text>",
                 plot_x(a, x1) - 4 - (page->count - 1 - report) * NAME_WIDTH, plot_y(a, rate) - 6,
                 letter, roof->name, rate);
}

// Returns the kind of an operation, which has a colour of its own in a page of one report.
static int kind_of(const char *op) {
    static const char *const kinds[] = {"matmul", "conv2d", "attention", "norm", NULL};
    int i = 0;
    while (kinds[i] && !strstr(op, kinds[i])) i++;
    return i;
}

static void put_points(struct cli_page *page, const struct axes *a, int report) {
    const cJSON *op;
    double x, y;
    cJSON_ArrayForEach(op, cJSON_GetObjectItemCaseSensitive(page->reports[report], "ops")) {
        struct cli_samples share =
            cli_bench_samples(cJSON_GetObjectItemCaseSensitive(op, "of_roof"));
        if (!place_of(op, &x, &y)) continue;
        int colour = page->count > 1 ? report : kind_of(cli_bench_string(op, "op"));
        cli_page_put(page, "<circle class=\"point c%d\" cx=%.1f cy=%.1f r=5><title>", colour + 1,
                     plot_x(a, x), plot_y(a, y));
        cli_page_text(page, cli_bench_label("ops", op).text);
        cli_page_put(page,
                     ": %.3g GFLOP/s, %.0f%% of the roofline at %.3g FLOP a byte</title></circle>",
                     y, 100 * share.median, x);
    }
}

void cli_page_legend(struct cli_page *page) {
    static const char *const kinds[] = {"matrix products", "convolutions", "attention", "norms",
                                        "others"};
    cli_page_put(page, "<p class=legend>");
    for (int i = 0; i < (page->count > 1 ? page->count : 5); i++) {
        cli_page_put(page, "<span><i class=\"b%d\"></i>", i + 1);
        if (page->count > 1) cli_page_put(page, "%c: ", 'A' + i);
        cli_page_text(page, page->count > 1 ? page->names[i] : kinds[i]);
        cli_page_put(page, "</span> ");
    }
    cli_page_put(page, "</p>\n");
}

void cli_page_roofline(struct cli_page *page) {
    struct axes a;
    if (!find_axes(page, &a)) return;
    cli_page_put(page,
                 "<h2>Roofline</h2>\n<p>Each point is an operation on a shape of a real model. The "
                 "lines are measured: the slope is the device's memory, above which only what its "
                 "caches hold can be, the level its arithmetic, counted by the plain formula: a "
                 "kernel that needs less of it (Winograd) may be above.</p>\n");
    cli_page_legend(page);
    cli_page_put(
        page, "<div class=scroll><svg viewBox=\"0 0 %d %d\" role=img aria-label=\"Roofline plot\">",
        PLOT_WIDTH, PLOT_HEIGHT);
    put_grid(page, &a);
    for (int i = 0; i < page->count; i++) {
        const cJSON *report = page->reports[i];
        double f32 = limit_of(report, "fma f32"), f16 = limit_of(report, "fma f16"),
               memory = memory_limit(report);
        put_roof(page, &a, i, &(struct roof){"f32", f32, memory, true});
        if (f16 > 1.1 * f32) put_roof(page, &a, i, &(struct roof){"f16", f16, memory, false});
    }
    for (int i = 0; i < page->count; i++) put_points(page, &a, i);
    cli_page_put(page, "</svg></div>\n");
}

// ---- bars ----

enum { ROW = 20, THIN = 13, LABELS = 330, BAR_WIDTH = 330, BARS_WIDTH = 960 };

static void put_bar(struct cli_page *page, const cJSON *op, int colour, double y, double height) {
    struct cli_samples share = cli_bench_samples(cJSON_GetObjectItemCaseSensitive(op, "of_roof"));
    struct cli_samples s = cli_bench_samples(cJSON_GetObjectItemCaseSensitive(op, "seconds"));
    double scale = BAR_WIDTH, width = fmin(share.median, 1.0) * scale,
           flops = cli_bench_number(op, "flops");
    double middle = y + height / 2;
    if (s.count == 0) return;
    cli_page_put(page, "<rect class=\"c%d\" x=%d y=%.1f width=%.1f height=%.1f rx=2 />", colour,
                 LABELS, y, fmax(width, 1), height);
    if (share.count > 1)
        cli_page_put(page, "<line class=whisker x1=%.1f y1=%.1f x2=%.1f y2=%.1f />",
                     LABELS + fmin(share.low, 1) * scale, middle,
                     LABELS + fmin(share.high, 1) * scale, middle);
    cli_page_put(page, "<text x=%d y=%.1f>%.1f%% &#160; %s %s", LABELS + BAR_WIDTH + 10, middle + 4,
                 100 * share.median, cli_seconds_text(s.median).text,
                 cli_spread_text(s.count, s.median, s.low, s.high).text);
    if (flops > 0)
        cli_page_put(page, " &#160; %.3g GFLOP/s</text>", flops / s.median * 1e-9);
    else
        cli_page_put(page, " &#160; %.3g GB/s</text>",
                     cli_bench_number(op, "bytes") / s.median * 1e-9);
}

static int count_cases(const struct cli_page *page, const char *op) {
    const cJSON *entry;
    int cases = 0;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(page->reports[0], "ops")) {
        cases += strcmp(cli_bench_string(entry, "op"), op) == 0;
    }
    return cases;
}

// Puts the bars of one case, one for each report.
static void put_case(struct cli_page *page, const cJSON *entry, double y, double each) {
    const char *op = cli_bench_string(entry, "op");
    char name[49], label[144];
    fum_text_escape(name, sizeof name, cli_bench_string(entry, "name"),
                    strlen(cli_bench_string(entry, "name")));
    snprintf(label, sizeof label, "%s, %s", name, cli_show(cli_bench_string(entry, "type")).text);
    cli_page_put(page,
                 "<rect class=track x=%d y=%.1f width=%d height=%.1f rx=2 /><text x=%d y=%.1f "
                 "text-anchor=end>",
                 LABELS, y + 3, BAR_WIDTH, each - 6, LABELS - 10, y + each / 2 + 4);
    cli_page_text(page, label);
    cli_page_put(page, "</text>");
    for (int i = 0; i < page->count; i++) {
        const cJSON *match = i ? cli_bench_match(page->reports[i], "ops", entry) : entry;
        if (!match) continue;
        if (page->count > 1)
            put_bar(page, match, i + 1, y + 3 + THIN * i, THIN - 2);
        else
            put_bar(page, match, kind_of(op) + 1, y + 3, each - 6);
    }
}

static double share_of_roof(const cJSON *entry) {
    return cli_bench_samples(cJSON_GetObjectItemCaseSensitive(entry, "of_roof")).median;
}

// Returns the case after `last`, by share and then by place in the report; NULL: none.
static const cJSON *next_case(const struct cli_page *page, const char *op, const cJSON *last) {
    const cJSON *entry, *best = NULL;
    bool past = false; // `last` in the report
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(page->reports[0], "ops")) {
        double share = share_of_roof(entry), least = last ? share_of_roof(last) : -1;
        bool later = share > least || (share >= least && past);
        past = past || entry == last;
        if (strcmp(cli_bench_string(entry, "op"), op) == 0 && later &&
            (!best || share < share_of_roof(best)))
            best = entry;
    }
    return best;
}

void cli_page_bars(struct cli_page *page, const char *op) {
    const cJSON *entry = NULL;
    double each = page->count > 1 ? THIN * page->count + 8 : ROW, y = 0;
    cli_page_put(page, "<h3>");
    cli_page_text(page, op);
    cli_page_put(page, "</h3>\n<div class=scroll><svg viewBox=\"0 0 %d %.0f\" role=img>",
                 BARS_WIDTH, each * count_cases(page, op) + 4);
    while ((entry = next_case(page, op, entry)) != NULL) {
        put_case(page, entry, y, each);
        y += each;
    }
    cli_page_put(page, "</svg></div>\n");
}

// ---- models ----

void cli_page_model(struct cli_page *page, const cJSON *model) {
    double steps = cli_bench_number(model, "steps");
    const struct {
        const char *name;
        double seconds;
    } parts[] = {
        {"text", cli_bench_samples(cJSON_GetObjectItemCaseSensitive(model, "text")).median},
        {"steps",
         steps * cli_bench_samples(cJSON_GetObjectItemCaseSensitive(model, "step")).median},
        {"decode", cli_bench_samples(cJSON_GetObjectItemCaseSensitive(model, "decode")).median},
    };
    double sum = parts[0].seconds + parts[1].seconds + parts[2].seconds, x = 0;
    if (!(sum > 0)) return;
    cli_page_put(page, "<p class=legend>A picture of %.0f steps: ", steps);
    for (int i = 0; i < 3; i++)
        cli_page_put(page, "<span><i class=\"b%d\"></i>%s %s</span> ", i + 1, parts[i].name,
                     cli_seconds_text(parts[i].seconds).text);
    cli_page_put(page, "</p>\n<div class=scroll><svg viewBox=\"0 0 %d 34\" role=img>", BARS_WIDTH);
    for (int i = 0; i < 3; i++) {
        double width = parts[i].seconds / sum * BARS_WIDTH;
        cli_page_put(
            page, "<rect class=\"c%d\" x=%.1f y=2 width=%.1f height=28><title>%s %s</title></rect>",
            i + 1, x, fmax(width - 1, 0), parts[i].name, cli_seconds_text(parts[i].seconds).text);
        x += width;
    }
    cli_page_put(page, "</svg></div>\n");
}
