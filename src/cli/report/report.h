// SPDX-License-Identifier: MIT
// Declares what the files of `fumarole bench` share. A report is JSON from the moment it is
// written: the page and the comparison read nothing else.
#ifndef FUM_CLI_REPORT_REPORT_H
#define FUM_CLI_REPORT_REPORT_H

#include "../cli.h"

#include <fumarole/bench.h>

enum { CLI_BENCH_FORMAT = 1, CLI_BENCH_MAX_REPORTS = 8 };

// ---- the terminal ----

// A number with its unit in few letters: "12.3 ms".
struct cli_text {
    char text[48];
};
struct cli_text cli_seconds_text(double seconds);
// Returns the decimals that show a value of 1 or more in three digits.
int cli_decimals(double value);
// Returns half the distance of the quartiles as "±3%", or "" for a single value.
struct cli_text cli_spread_text(int count, double median, double low, double high);
void cli_bench_print(const struct fum_bench_report *report, const struct fum_device_info *info);

// ---- clocks ----

// A device's clock in MHz while the benchmark runs, as the system states it; 0: unknown.
struct cli_clock {
    double lowest, highest;
    double sampled; // time of the last sample, in seconds of fum_time_now
};
// Samples the clock, at most once a second.
void cli_clock_sample(struct cli_clock *clock, const struct fum_device_info *info);

// ---- reports ----

// Returns the report as JSON, or NULL when out of memory.
cJSON *cli_bench_json(const struct fum_bench_report *report, const struct fum_device_info *info,
                      const struct cli_clock *clock);
// Reads and checks a report. NULL: the error was printed.
cJSON *cli_bench_read(const char *path);
// Reads one from its text; `path` names it in errors.
cJSON *cli_bench_parse(const char *path, const char *text, size_t bytes);
int cli_bench_write_json(const char *path, const cJSON *report);
// Returns one page for one report, or for several side by side under their names. Free it with
// free; NULL: out of memory.
char *cli_bench_html(const cJSON *const *reports, const char *const *names, int count);
// Writes that page.
int cli_bench_write_html(const char *path, const cJSON *const *reports, const char *const *names,
                         int count);

// Median and quartiles of a member of a report's entry; count 0 when it has none.
struct cli_samples {
    int count;
    double median, low, high;
};
struct cli_samples cli_bench_samples(const cJSON *samples);
double cli_bench_number(const cJSON *object, const char *key);
const char *cli_bench_string(const cJSON *object, const char *key); // "" when there is none
// Returns the entry of another report with the same identifying members, or NULL.
const cJSON *cli_bench_match(const cJSON *report, const char *section, const cJSON *entry);
// The title of an entry: "conv2d 3x3 320 to 320 at 64, f32".
struct cli_label {
    char text[288];
};
struct cli_label cli_bench_label(const char *section, const cJSON *entry);

// Prints reports side by side on the terminal. Returns an exit status.
int cli_bench_compare(const cJSON *const *reports, const char *const *names, int count);

#endif
