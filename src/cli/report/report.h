// SPDX-License-Identifier: MIT
// What the files of `fumarole bench` share. A report is JSON from the moment it is written: the
// page and the comparison read nothing else.
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
// Half the distance of the quartiles, "±3%"; "" for a single value.
struct cli_text cli_spread_text(int count, double median, double low, double high);
void cli_bench_print(const struct fum_bench_report *report, const struct fum_device_info *info);

// ---- clocks ----

// What the system says of a device's clock, in MHz, while the benchmark runs; 0: nothing.
struct cli_clock {
    double lowest, highest;
    double sampled; // when, in seconds of fum_time_now
};
// Looks, once a second at the most.
void cli_clock_sample(struct cli_clock *clock, const struct fum_device_info *info);

// ---- reports ----

// The report as JSON; NULL: out of memory.
cJSON *cli_bench_json(const struct fum_bench_report *report, const struct fum_device_info *info,
                      const struct cli_clock *clock);
// Reads and checks a report. NULL: the error was printed.
cJSON *cli_bench_read(const char *path);
int cli_bench_write_json(const char *path, const cJSON *report);
// One page for one report, or for several side by side; names[i] tells them apart.
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
// The entry of another report for the same thing: by the members that name it. NULL: none.
const cJSON *cli_bench_match(const cJSON *report, const char *section, const cJSON *entry);
// "conv2d 3x3 320 to 320 at 64, f32": what an entry is.
struct cli_label {
    char text[288];
};
struct cli_label cli_bench_label(const char *section, const cJSON *entry);

// `files` side by side on the terminal. An exit status.
int cli_bench_compare(const cJSON *const *reports, const char *const *names, int count);

#endif
