// SPDX-License-Identifier: MIT
// Prints reports side by side: of devices, or of versions on one device.
#include "report.h"

#include "../output.h"

#include <math.h>
#include <string.h>

enum { LABEL_WIDTH = 41, MIN_CHANGE = 3 }; // columns; percent within which nothing has changed

// A member of an entry that is compared.
struct measure {
    const char *section, *key, *title;
    bool lower_is_better;
};
static const struct measure measures[] = {
    {"limits", "value", NULL, false}, // each has its own lower_is_better
    {"ops", "seconds", NULL, true},       {"models", "text", "text", true},
    {"models", "step", "step", true},     {"models", "decode", "decode", true},
    {"models", "encode", "encode", true},
};
enum { NUM_MEASURES = sizeof measures / sizeof *measures };

struct tally {
    int faster, slower, compared;
    // of the ratios of operations, and of their shares of the fma rate: for geometric means
    double log_sum, log_shares;
    int ops, shares;
};

static struct cli_text value_text(const char *unit, double value) {
    struct cli_text out;
    char shown[16];
    if (!unit[0]) return cli_seconds_text(value);
    fum_text_escape(shown, sizeof shown, unit, strlen(unit));
    snprintf(out.text, sizeof out.text, "%.*f %s", cli_decimals(value), value, shown);
    return out;
}

// Returns 1 for faster, -1 for slower, 0 within the spread of both.
static int change(const struct cli_samples *a, const struct cli_samples *b, bool lower_is_better) {
    double limit = 1 + MIN_CHANGE / 100.0;
    bool less = b->high < a->low && b->median * limit < a->median;
    bool more = b->low > a->high && b->median > a->median * limit;
    int rise = more - less;
    return lower_is_better ? -rise : rise;
}

// An entry of the first report with its counterpart in another.
struct pair {
    const struct measure *measure;
    const cJSON *first, *other; // the entries
    struct cli_samples a, b;    // their values
    bool same_device, lower_is_better;
};

static bool same_device(const cJSON *a, const cJSON *b) {
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(a, "device"),
                *y = cJSON_GetObjectItemCaseSensitive(b, "device");
    return strcmp(cli_bench_string(x, "name"), cli_bench_string(y, "name")) == 0;
}

static struct cli_samples samples_of(const cJSON *entry, const char *key) {
    return cli_bench_samples(cJSON_GetObjectItemCaseSensitive(entry, key));
}

static bool is_op(const struct pair *p) {
    return strcmp(p->measure->section, "ops") == 0;
}

// Returns how a pair changed, as change() does. On one device the share of the fma rate must have
// changed too: a busy machine slows that as much as the rest.
static int change_of(const struct pair *p) {
    int by_time = change(&p->a, &p->b, p->lower_is_better);
    if (by_time == 0 || !is_op(p) || !p->same_device) return by_time;
    struct cli_samples s = samples_of(p->first, "of_fma"), t = samples_of(p->other, "of_fma");
    if (s.count == 0 || t.count == 0) return by_time;
    return change(&s, &t, false) == by_time ? by_time : 0;
}

static void count_pair(struct tally *tally, const struct pair *p, double ratio, int changed) {
    tally->compared++;
    tally->faster += changed > 0;
    tally->slower += changed < 0;
    if (!is_op(p)) return;
    tally->log_sum += log(ratio);
    tally->ops++;
    struct cli_samples first = samples_of(p->first, "of_fma"),
                       other = samples_of(p->other, "of_fma");
    if (!(first.median > 0 && other.median > 0)) return;
    tally->log_shares += log(other.median / first.median);
    tally->shares++;
}

static void print_pair(const struct pair *p, struct tally *tally) {
    static const char *const marks[] = {"!", " ", "+"}; // slower, within the spread, faster
    FILE *out = cli_report_stream();
    if (p->b.count == 0 || p->b.median <= 0 || p->a.median <= 0) {
        cli_put(out, "  %12s %9s", "-", "");
        return;
    }
    double ratio = p->lower_is_better ? p->a.median / p->b.median : p->b.median / p->a.median;
    int changed = change_of(p);
    cli_put(out, "  %12s x%-6.2f %s",
            value_text(cli_bench_string(p->first, "unit"), p->b.median).text, ratio,
            marks[changed + 1]);
    count_pair(tally, p, ratio, changed);
}

static void print_label(const struct measure *m, const cJSON *entry) {
    char label[320], shown[LABEL_WIDTH + 1];
    snprintf(label, sizeof label, "%s%s%s", cli_bench_label(m->section, entry).text,
             m->title ? ", " : "", m->title ? m->title : "");
    fum_text_escape(shown, sizeof shown, label, strlen(label));
    cli_put(cli_report_stream(), "  %-*s", LABEL_WIDTH, shown);
}

static void print_row(const struct measure *m, const cJSON *entry, const cJSON *const *reports,
                      int count, struct tally *tally) {
    struct pair p = {.measure = m,
                     .first = entry,
                     .a = samples_of(entry, m->key),
                     .lower_is_better = m->lower_is_better};
    bool known = false;
    if (strcmp(m->section, "limits") == 0)
        p.lower_is_better =
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(entry, "lower_is_better"));
    for (int i = 1; i < count; i++) known = known || cli_bench_match(reports[i], m->section, entry);
    if (p.a.count == 0 || !known) return;
    print_label(m, entry);
    cli_put(cli_report_stream(), " %12s",
            value_text(cli_bench_string(entry, "unit"), p.a.median).text);
    for (int i = 1; i < count; i++) {
        p.other = cli_bench_match(reports[i], m->section, entry);
        p.b = samples_of(p.other, m->key);
        p.same_device = same_device(reports[0], reports[i]);
        print_pair(&p, &tally[i]);
    }
    fprintf(cli_report_stream(), "\n");
}

static void print_heads(const cJSON *const *reports, const char *const *names, int count) {
    FILE *out = cli_report_stream();
    for (int i = 0; i < count; i++) {
        const cJSON *device = cJSON_GetObjectItemCaseSensitive(reports[i], "device");
        bool early = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(reports[i], "complete"));
        cli_put_line(out, "%c  %s: %s", 'A' + i, names[i], cli_bench_string(device, "name"));
        // Names of drivers are long: each has a line to itself.
        cli_put_line(out, "   %s", cli_bench_string(device, "driver"));
        cli_put_line(out, "   fumarole %s, %s%s", cli_bench_string(reports[i], "fumarole"),
                     cli_bench_string(reports[i], "date"), early ? ", stopped early" : "");
    }
}

static void print_column_heads(const char *title, int count) {
    FILE *out = cli_report_stream();
    fprintf(out, "\n%-*s %12s", LABEL_WIDTH + 2, title, "A");
    for (int i = 1; i < count; i++) cli_put(out, "  %12c %-9s", 'A' + i, "to A");
    fprintf(out, "\n");
}

static bool any_match(const char *section, const cJSON *const *reports, int count) {
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(reports[0], section)) {
        for (int i = 1; i < count; i++)
            if (cli_bench_match(reports[i], section, entry)) return true;
    }
    return false;
}

static void print_section(const char *section, const char *title, const cJSON *const *reports,
                          int count, struct tally *tally) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(reports[0], section), *entry;
    if (!any_match(section, reports, count)) return;
    print_column_heads(title, count);
    cJSON_ArrayForEach(entry, list) {
        for (int k = 0; k < NUM_MEASURES; k++)
            if (strcmp(measures[k].section, section) == 0)
                print_row(&measures[k], entry, reports, count, tally);
    }
}

// Counts the entries of `of` that the report `in` lacks.
static int count_unmatched(const cJSON *of, const cJSON *in) {
    static const char *const sections[] = {"limits", "ops", "models"};
    int missing = 0;
    for (int i = 0; i < 3; i++) {
        const cJSON *entry;
        cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(of, sections[i])) {
            missing += !cli_bench_match(in, sections[i], entry);
        }
    }
    return missing;
}

static void print_tally(const cJSON *const *reports, int i, const struct tally *tally) {
    FILE *out = cli_report_stream();
    int only_here = count_unmatched(reports[i], reports[0]);
    int only_there = count_unmatched(reports[0], reports[i]);
    cli_put_line(out, "%c to A: %d compared, %d faster (+), %d slower (!) beyond the spread",
                 'A' + i, tally->compared, tally->faster, tally->slower);
    if (tally->ops > 0)
        cli_put(out, "   operations x%.2f in the geometric mean", exp(tally->log_sum / tally->ops));
    if (tally->shares > 0)
        cli_put(out, ", x%.2f in shares of the fma rate", exp(tally->log_shares / tally->shares));
    if (tally->ops > 0) fprintf(out, "\n");
    if (only_there > 0) cli_put_line(out, "   %d only in A", only_there);
    if (only_here > 0) cli_put_line(out, "   %d only in %c", only_here, 'A' + i);
}

int cli_bench_compare(const cJSON *const *reports, const char *const *names, int count) {
    FILE *out = cli_report_stream();
    struct tally tally[CLI_BENCH_MAX_REPORTS] = {{0}};
    print_heads(reports, names, count);
    print_section("limits", "Limits", reports, count, tally);
    print_section("ops", "Operations", reports, count, tally);
    print_section("models", "Models", reports, count, tally);
    fprintf(out, "\n");
    for (int i = 1; i < count; i++) print_tally(reports, i, &tally[i]);
    fprintf(out,
            "x over 1: faster than A. Beyond the spread: the quartiles do not touch and the\n"
            "medians are over %d%% apart; of operations on the same device the share of the\n"
            "fma rate has changed likewise, so that a busy machine is no regression\n",
            MIN_CHANGE);
    return 0;
}
