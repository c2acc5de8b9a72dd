// Progress of long work on standard error: a bar on a terminal, plain lines in a pipe.
#ifndef FUM_CLI_PROGRESS_H
#define FUM_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_progress {
    bool bar, quiet;
    int calls;      // steps seen
    double started; // when the first step was done
    bool drawn;     // something is to be cleared
    double load_started, load_drawn;
};

void cli_progress_begin(struct cli_progress *progress, bool quiet);
// Step `done` of `total` of `what` is finished; `rest` more steps follow those. Call it after every step.
void cli_progress_step(struct cli_progress *progress, const char *what, int done, int total, long rest);
// Bytes of a part that are loaded, first and last call included. In a pipe only the end is told. Parts that load in no
// time are passed over unless `verbose`.
void cli_progress_load(struct cli_progress *progress, const char *part, uint64_t done, uint64_t total, bool verbose);
// Clears the bar, so that lines can follow; steps may go on afterwards.
void cli_progress_clear(struct cli_progress *progress);

#endif
