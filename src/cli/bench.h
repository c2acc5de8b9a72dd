// What the files of `fumarole bench` share.
#ifndef FUM_CLI_BENCH_H
#define FUM_CLI_BENCH_H

#include "cli.h"

#include <fumarole/bench.h>

// A time in the unit that suits it: "12.3 ms".
struct cli_text {
    char text[32];
};
struct cli_text cli_seconds_text(double seconds);
// Spread of the quartiles around the median, "±3%"; "" for a single value.
struct cli_text cli_spread_text(const struct fum_bench_samples *samples);

void cli_bench_print(const struct fum_bench_report *report, const struct fum_device_info *info);

#endif
