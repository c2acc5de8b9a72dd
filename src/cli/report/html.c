// SPDX-License-Identifier: MIT
// Writes the benchmark's report as one page that needs nothing else: tables, a roofline plot, bars.
#include "page.h"

#include "../output.h"

#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{--bg:#fff;--fg:#1c2330;--dim:#667085;--line:#e3e7ee;--track:#eef1f6;--card:#f7f8fb;--c1:"
    "#3b6fd4;"
    "--c2:#d9722b;--c3:#2f9e6e;--c4:#a04bc2;--c5:#8a94a6;--c6:#c2a200;--c7:#c93a5b;--c8:#1f9bb0}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161d;--fg:#e6eaf2;--dim:#98a2b3;--line:#"
    "2b3340;--track:#1e2530;"
    "--card:#1a202a;--c1:#6b9bff;--c2:#f2985a;--c3:#57c795;--c4:#c98be6;--c5:#8d98ab;--c6:#e0c341;-"
    "-c7:#f0708f;"
    "--c8:#52c7da}}\n"
    "body{font:15px/1.5 system-ui,-apple-system,\"Segoe "
    "UI\",Roboto,sans-serif;background:var(--bg);color:var(--fg);"
    "max-width:1000px;margin:0 auto;padding:24px 20px 60px}\n"
    "h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:40px 0 "
    "8px}h3{font-size:15px;margin:20px 0 6px}\n"
    "p{margin:6px 0;color:var(--dim)}\n"
    ".tiles{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px "
    "16px;min-width:130px}"
    ".tile b{display:block;font-size:20px}.tile span{color:var(--dim);font-size:13px}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:"
    "tabular-nums}"
    "th,td{text-align:right;padding:4px 10px;border-bottom:1px solid "
    "var(--line);white-space:nowrap}"
    "th:first-child,td:first-child,td.what{text-align:left}td.what{color:var(--dim)}"
    "th{font-weight:600;color:var(--dim)}\n"
    "svg{width:100%;min-width:760px;height:auto;display:block}svg "
    "text{fill:var(--fg);font-size:12px}"
    "svg text.axis{fill:var(--dim);font-size:13px}\n"
    ".grid{stroke:var(--line)}.roof{stroke:var(--fg);stroke-width:2}"
    ".whisker{stroke:var(--fg);stroke-width:1.5;opacity:.7}"
    ".track{fill:var(--track)}.point{opacity:.85;stroke:var(--bg)}\n"
    ".legend span{display:inline-block;margin-right:18px}"
    ".legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}\n";

static void put_head(struct cli_page *page) {
    cli_page_put(page, "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                       "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
                       "<meta name=color-scheme content=\"light dark\">\n<title>fumarole bench: ");
    cli_page_text(page, cli_bench_string(
                            cJSON_GetObjectItemCaseSensitive(page->reports[0], "device"), "name"));
    cli_page_put(page, "</title>\n<style>\n%s", style);
    for (int i = 1; i <= CLI_BENCH_MAX_REPORTS; i++)
        cli_page_put(page,
                     ".c%d{fill:var(--c%d)}.b%d{background:var(--c%d)}.l%d{stroke:var(--c%d)}", i,
                     i, i, i, i, i);
    cli_page_put(page, "time{white-space:nowrap}\n</style>\n</head>\n<body>\n");
}

static void put_device_line(struct cli_page *page, const cJSON *report) {
    const cJSON *device = cJSON_GetObjectItemCaseSensitive(report, "device");
    double low = cli_bench_number(device, "clock_mhz_lowest"),
           high = cli_bench_number(device, "clock_mhz_highest");
    cli_page_text(page, cli_bench_string(device, "driver"));
    cli_page_put(page, " &#183; Vulkan ");
    cli_page_text(page, cli_bench_string(device, "vulkan"));
    cli_page_put(page, " &#183; %.1f GiB", cli_bench_number(device, "memory_bytes") / 1073741824);
    if (high > 0)
        cli_page_put(page, high - low < 0.5 ? " &#183; %.0f MHz" : " &#183; %.0f to %.0f MHz", low,
                     high);
    cli_page_put(page, " &#183; fumarole ");
    cli_page_text(page, cli_bench_string(report, "fumarole"));
    cli_page_put(page, " &#183; <time>");
    cli_page_text(page, cli_bench_string(report, "date"));
    cli_page_put(page, "</time>");
    if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(report, "complete")))
        cli_page_put(page, " &#183; <b>stopped early</b>");
}

static void put_title(struct cli_page *page) {
    cli_page_put(page, "<h1>");
    for (int i = 0; i < page->count; i++) {
        const cJSON *device = cJSON_GetObjectItemCaseSensitive(page->reports[i], "device");
        if (page->count > 1) cli_page_put(page, "%s%c: ", i ? "<br>" : "", 'A' + i);
        cli_page_text(page, cli_bench_string(device, "name"));
    }
    cli_page_put(page, "</h1>\n");
    for (int i = 0; i < page->count; i++) {
        cli_page_put(page, "<p>");
        if (page->count > 1) {
            cli_page_put(page, "%c, ", 'A' + i);
            cli_page_text(page, page->names[i]);
            cli_page_put(page, ": ");
        }
        put_device_line(page, page->reports[i]);
        cli_page_put(page, "</p>\n");
    }
}

// Puts the main figures of one report on top. Those of several are in the tables.
static void put_tiles(struct cli_page *page) {
    static const char *const wanted[] = {"fma f32", "fma f16", "copy", "shared memory", "dispatch"};
    const cJSON *limit, *model;
    if (page->count > 1) return;
    cli_page_put(page, "<div class=tiles>");
    for (int i = 0; i < 5; i++) {
        cJSON_ArrayForEach(limit, cJSON_GetObjectItemCaseSensitive(page->reports[0], "limits")) {
            if (strcmp(cli_bench_string(limit, "name"), wanted[i]) != 0) continue;
            cli_page_put(
                page, "<div class=tile><b>%.4g ",
                cli_bench_samples(cJSON_GetObjectItemCaseSensitive(limit, "value")).median);
            cli_page_text(page, cli_bench_string(limit, "unit"));
            cli_page_put(page, "</b><span>%s</span></div>", wanted[i]);
        }
    }
    cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(page->reports[0], "models")) {
        struct cli_samples step =
            cli_bench_samples(cJSON_GetObjectItemCaseSensitive(model, "step"));
        if (step.count == 0) continue;
        cli_page_put(page, "<div class=tile><b>%s</b><span>", cli_seconds_text(step.median).text);
        cli_page_text(page, cli_bench_label("models", model).text);
        cli_page_put(page, ", a step</span></div>");
    }
    cli_page_put(page, "</div>\n");
}

// A row of a table: one member of an entry.
struct row {
    const char *section;
    const cJSON *entry; // of the first report
    const char *key;
    const char *unit; // "" for seconds, "%" for shares
    bool lower_is_better;
};

static void put_value(struct cli_page *page, const struct cli_samples *s, const char *unit) {
    if (s->count == 0)
        cli_page_put(page, "&#8211;");
    else if (strcmp(unit, "%") == 0)
        cli_page_put(page, "%.1f%%", 100 * s->median);
    else if (unit[0])
        cli_page_put(page, "%.4g %s", s->median, unit);
    else
        cli_page_put(page, "%s", cli_seconds_text(s->median).text);
}

// Puts a cell for each report: its value and, after the first, the ratio to that one.
static void put_cells(struct cli_page *page, const struct row *row) {
    double first = 0;
    for (int i = 0; i < page->count; i++) {
        const cJSON *match =
            i ? cli_bench_match(page->reports[i], row->section, row->entry) : row->entry;
        struct cli_samples s = cli_bench_samples(cJSON_GetObjectItemCaseSensitive(match, row->key));
        cli_page_put(page, "<td>");
        put_value(page, &s, row->unit);
        if (i == 0)
            first = s.median;
        else if (first > 0 && s.median > 0)
            cli_page_put(page, " &#215;%.2f",
                         row->lower_is_better ? first / s.median : s.median / first);
        cli_page_put(page, "</td><td>%s</td>",
                     cli_spread_text(s.count, s.median, s.low, s.high).text);
    }
}

static void put_column_heads(struct cli_page *page, const char *first) {
    cli_page_put(page, "<tr><th>%s</th>", first);
    for (int i = 0; i < page->count; i++) {
        if (page->count > 1)
            cli_page_put(page, "<th>%c</th><th>spread</th>", 'A' + i);
        else
            cli_page_put(page, "<th>median</th><th>spread</th>");
    }
}

static void put_limits(struct cli_page *page) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(page->reports[0], "limits"), *limit;
    if (cJSON_GetArraySize(list) == 0) return;
    cli_page_put(page, "<h2>Limits of the device</h2>\n<div class=scroll><table>");
    put_column_heads(page, "");
    cli_page_put(page, "<th></th></tr>\n");
    cJSON_ArrayForEach(limit, list) {
        char unit[24];
        fum_text_escape(unit, sizeof unit, cli_bench_string(limit, "unit"),
                        strlen(cli_bench_string(limit, "unit")));
        for (char *c = unit; *c; c++)
            if (*c == '<' || *c == '&' || *c == '%') *c = '?';
        cli_page_put(page, "<tr><td>");
        cli_page_text(page, cli_bench_string(limit, "name"));
        cli_page_put(page, "</td>");
        struct row row = {"limits", limit, "value", unit, false};
        row.lower_is_better =
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(limit, "lower_is_better"));
        put_cells(page, &row);
        cli_page_put(page, "<td class=what>");
        cli_page_text(page, cli_bench_string(limit, "what"));
        cli_page_put(page, "</td></tr>\n");
    }
    cli_page_put(page, "</table></div>\n");
}

// Puts the members of a model that are one number each.
static void put_model_text(struct cli_page *page, int report, const cJSON *model) {
    if (!model) return;
    cli_page_put(page, "<p>");
    if (page->count > 1) cli_page_put(page, "%c: ", 'A' + report);
    if (cli_bench_number(model, "pictures_per_second") > 0)
        cli_page_put(page, "%.4g pictures a second of %.0f steps; ",
                     cli_bench_number(model, "pictures_per_second"),
                     cli_bench_number(model, "steps"));
    if (cli_bench_number(model, "dispatches") > 0)
        cli_page_put(page, "a step is %.0f dispatches, %.0f barriers and %.4g GFLOP; ",
                     cli_bench_number(model, "dispatches"), cli_bench_number(model, "barriers"),
                     cli_bench_number(model, "step_flops") * 1e-9);
    if (cli_bench_number(model, "peak_bytes") > 0)
        cli_page_put(page,
                     "peak device memory %.0f MiB, of which planned: UNet %.0f, VAE's decoder %.0f "
                     "(the rest: text encoder, VAE's encoder, transfers). ",
                     cli_bench_number(model, "peak_bytes") / 1048576,
                     cli_bench_number(model, "planned_unet_bytes") / 1048576,
                     cli_bench_number(model, "planned_vae_bytes") / 1048576);
    cli_page_text(page, cli_bench_string(model, "note"));
    cli_page_put(page, "</p>\n");
}

static void put_model(struct cli_page *page, const cJSON *model) {
    static const struct {
        const char *key, *title, *unit;
    } rows[] = {{"text", "text, both prompts", ""},
                {"step", "step with guidance", ""},
                {"step_of_fma", "a step's share of fma f32", "%"},
                {"host", "of the host's processor in a step", ""},
                {"decode", "decode", ""},
                {"decode_of_fma", "a decode's share of fma f32", "%"},
                {"encode", "encode", ""}};
    cli_page_put(page, "<h3>");
    cli_page_text(page, cli_bench_label("models", model).text);
    cli_page_put(page, "</h3>\n");
    if (page->count == 1) cli_page_model(page, model);
    cli_page_put(page, "<div class=scroll><table>");
    put_column_heads(page, "");
    cli_page_put(page, "</tr>\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cli_page_put(page, "<tr><td>%s</td>", rows[i].title);
        struct row row = {"models", model, rows[i].key, rows[i].unit, !rows[i].unit[0]};
        put_cells(page, &row);
        cli_page_put(page, "</tr>\n");
    }
    cli_page_put(page, "</table></div>\n");
    for (int i = 0; i < page->count; i++)
        put_model_text(page, i, i ? cli_bench_match(page->reports[i], "models", model) : model);
}

static void put_models(struct cli_page *page) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(page->reports[0], "models"), *model;
    if (cJSON_GetArraySize(list) == 0) return;
    cli_page_put(page, "<h2>Models</h2>\n<p>With random weights, one picture at a time.</p>\n");
    cJSON_ArrayForEach(model, list) {
        put_model(page, model);
    }
}

static void put_operations(struct cli_page *page) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(page->reports[0], "ops"), *op, *earlier;
    if (cJSON_GetArraySize(list) == 0) return;
    cli_page_put(
        page,
        "<h2>Operations</h2>\n<p>Bars: share of the roofline, with both limits measured right "
        "before "
        "and after each repeat, lowest first. The line through the end of a bar is the middle half "
        "of the repeats. Times are medians, ± half the distance of their quartiles.</p>\n");
    if (page->count > 1) cli_page_legend(page);
    cJSON_ArrayForEach(op, list) {
        bool known = false;
        for (earlier = list->child; earlier != op && !known; earlier = earlier->next)
            known = strcmp(cli_bench_string(earlier, "op"), cli_bench_string(op, "op")) == 0;
        if (!known) cli_page_bars(page, cli_bench_string(op, "op"));
    }
    double left_out = cli_bench_number(page->reports[0], "ops_left_out");
    if (left_out > 0)
        cli_page_put(page, "<p>%.0f cases were left out for their time or size.</p>\n", left_out);
}

char *cli_bench_html(const cJSON *const *reports, const char *const *names, int count) {
    struct cli_page page = {.reports = reports, .names = names, .count = count};
    put_head(&page);
    put_title(&page);
    put_tiles(&page);
    cli_page_roofline(&page);
    put_models(&page);
    put_limits(&page);
    put_operations(&page);
    cli_page_put(&page, "</body>\n</html>\n");
    if (!page.failed) return page.text;
    free(page.text);
    return NULL;
}

int cli_bench_write_html(const char *path, const cJSON *const *reports, const char *const *names,
                         int count) {
    char *text = cli_bench_html(reports, names, count);
    int status = text ? cli_output_save_text(path, text) : cli_fail("out of memory for the page");
    free(text);
    return status;
}
