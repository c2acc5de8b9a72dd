// SPDX-License-Identifier: MIT
// Reports side by side: of devices, or of versions on one device.
#include "report.h"

#include "../output.h"

#include <math.h>
#include <string.h>

enum { LABEL_WIDTH = 41, MIN_CHANGE = 3 }; // columns; percent that no one calls a change

// What of an entry is compared.
struct measure {
    const char *section, *key, *title;
    bool lower_is_better;
};
static const struct measure measures[] = {
    {"limits", "value", NULL, false}, // each says itself which way is better
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

static bool same_device(const cJSON *a, const cJSON *b) {
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(a, "device"),
                *y = cJSON_GetObjectItemCaseSensitive(b, "device");
    return strcmp(cli_bench_string(x, "name"), cli_bench_string(y, "name")) == 0;
}

// On one device the share of the fma rate must have changed too: a busy machine slows that as much
// as the rest.
static int change_of(const struct measure *m, const cJSON *first, const cJSON *other,
                     const cJSON *a, const cJSON *b, const struct cli_samples *x,
                     const struct cli_samples *y, bool lower_is_better) {
    int by_time = change(x, y, lower_is_better);
    if (by_time == 0 || strcmp(m->section, "ops") != 0 || !same_device(first, other))
        return by_time;
    struct cli_samples s = cli_bench_samples(cJSON_GetObjectItemCaseSensitive(a, "of_fma"));
    struct cli_samples t = cli_bench_samples(cJSON_GetObjectItemCaseSensitive(b, "of_fma"));
    if (s.count == 0 || t.count == 0) return by_time;
    return change(&s, &t, false) == by_time ? by_time : 0;
}

static void print_row(const struct measure *m, const cJSON *entry, const cJSON *const *reports,
                      int count, struct tally *tally) {
    FILE *out = cli_report_stream();
    struct cli_samples first = cli_bench_samples(cJSON_GetObjectItemCaseSensitive(entry, m->key));
    const char *unit = cli_bench_string(entry, "unit");
    bool limit = strcmp(m->section, "limits") == 0, op = strcmp(m->section, "ops") == 0;
    bool lower = limit ? cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(entry, "lower_is_better"))
                       : m->lower_is_better;
    char label[320], shown[LABEL_WIDTH + 1];
    bool known = false;
    for (int i = 1; i < count; i++) known = known || cli_bench_match(reports[i], m->section, entry);
    if (first.count == 0 || !known) return;
    snprintf(label, sizeof label, "%s%s%s", cli_bench_label(m->section, entry).text,
             m->title ? ", " : "", m->title ? m->title : "");
    fum_text_escape(shown, sizeof shown, label, strlen(label));
    static const char *const marks[] = {"!", " ", "+"}; // slower, within the spread, faster
    cli_put(out, "  %-*s %12s", LABEL_WIDTH, shown, value_text(unit, first.median).text);
    for (int i = 1; i < count; i++) {
        const cJSON *match = cli_bench_match(reports[i], m->section, entry);
        struct cli_samples other =
            cli_bench_samples(cJSON_GetObjectItemCaseSensitive(match, m->key));
        if (other.count == 0 || other.median <= 0 || first.median <= 0) {
            cli_put(out, "  %12s %9s", "-", "");
            continue;
        }
        double ratio = lower ? first.median / other.median : other.median / first.median;
        int changed = change_of(m, reports[0], reports[i], entry, match, &first, &other, lower);
        cli_put(out, "  %12s x%-6.2f %s", value_text(unit, other.median).text, ratio,
                marks[changed + 1]);
        tally[i].compared++;
        tally[i].faster += changed > 0;
        tally[i].slower += changed < 0;
        tally[i].log_sum += op ? log(ratio) : 0;
        tally[i].ops += op;
        struct cli_samples share =
            cli_bench_samples(cJSON_GetObjectItemCaseSensitive(entry, "of_fma"));
        struct cli_samples its =
            cli_bench_samples(cJSON_GetObjectItemCaseSensitive(match, "of_fma"));
        if (op && share.median > 0 && its.median > 0) {
            tally[i].log_shares += log(its.median / share.median);
            tally[i].shares++;
        }
    }
    fprintf(out, "\n");
}

static void print_heads(const cJSON *const *reports, const char *const *names, int count) {
    FILE *out = cli_report_stream();
    for (int i = 0; i < count; i++) {
        const cJSON *device = cJSON_GetObjectItemCaseSensitive(reports[i], "device");
        bool early = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(reports[i], "complete"));
        cli_put_line(out, "%c  %s: %s", 'A' + i, names[i], cli_bench_string(device, "name"));
        cli_put_line(out, "   %s, fumarole %s, %s%s", cli_bench_string(device, "driver"),
                     cli_bench_string(reports[i], "fumarole"), cli_bench_string(reports[i], "date"),
                     early ? ", stopped early" : "");
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

// How many entries of `of` the report `in` lacks.
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

int cli_bench_compare(const cJSON *const *reports, const char *const *names, int count) {
    FILE *out = cli_report_stream();
    struct tally tally[CLI_BENCH_MAX_REPORTS] = {{0}};
    print_heads(reports, names, count);
    print_section("limits", "Limits", reports, count, tally);
    print_section("ops", "Operations", reports, count, tally);
    print_section("models", "Models", reports, count, tally);
    fprintf(out, "\n");
    for (int i = 1; i < count; i++) {
        int only_here = count_unmatched(reports[i], reports[0]),
            only_there = count_unmatched(reports[0], reports[i]);
        cli_put_line(out, "%c to A: %d compared, %d faster (+), %d slower (!) beyond the spread",
                     'A' + i, tally[i].compared, tally[i].faster, tally[i].slower);
        if (tally[i].ops > 0)
            cli_put(out, "   operations x%.2f in the geometric mean",
                    exp(tally[i].log_sum / tally[i].ops));
        if (tally[i].shares > 0)
            cli_put(out, ", x%.2f in shares of the fma rate",
                    exp(tally[i].log_shares / tally[i].shares));
        if (tally[i].ops > 0) fprintf(out, "\n");
        if (only_there > 0) cli_put_line(out, "   %d only in A", only_there);
        if (only_here > 0) cli_put_line(out, "   %d only in %c", only_here, 'A' + i);
    }
    fprintf(out,
            "x over 1: faster than A. Beyond the spread: the quartiles do not touch and the\n"
            "medians are over %d%% apart; of operations on the same device the share of the\n"
            "fma rate has changed likewise, so that a busy machine is no regression\n",
            MIN_CHANGE);
    return 0;
}
