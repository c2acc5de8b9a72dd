// SPDX-License-Identifier: MIT
// Shows the progress of long work on standard error: a bar on a terminal, plain lines in a pipe.
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
    double work_started; // when what is being compiled or decoded began
    double piece_line;   // when the last line about it was written in a pipe
    bool piece_lines;    // there was one
    // Estimate the time left: seconds of a step (0: the mean of the steps seen here), and of the
    // work after the steps.
    double step_seconds, later_seconds;
};

void cli_progress_begin(struct cli_progress *progress, bool quiet);
// Shows that step `done` of `total` of `what` is finished, with `rest` more steps to come. Call it
// after every step.
void cli_progress_step(struct cli_progress *progress, const char *what, int done, int total,
                       long rest);
// Shows the bytes of a component that are loaded, first and last call included. A pipe gets only
// the last line. Components that load in no time are skipped unless `verbose`.
void cli_progress_load(struct cli_progress *progress, const char *component, uint64_t done,
                       uint64_t total, bool verbose);
// Shows the kernels of a component that are compiled, first and last call included. In a pipe there
// is a line every second or so and one at the end; what takes less is not mentioned unless
// `verbose`.
void cli_progress_compile(struct cli_progress *progress, const char *component, int done, int total,
                          bool verbose);
// Pieces of a step or a decoding ("decoding", "step 3/20") that are done. In a pipe there is a line
// after `interval` seconds without one. left: seconds until everything is done; 0: unknown.
struct cli_pieces {
    const char *what;
    int done, total;
    double interval, left;
};
void cli_progress_pieces(struct cli_progress *progress, const struct cli_pieces *pieces);
// Shows that a step of a training is done. In a pipe there is a line every few seconds, and one for
// the last step.
struct fum_training_step;
void cli_progress_training(struct cli_progress *progress, const struct fum_training_step *step);
// Shows that `done` of `total` pictures of several devices are finished. In a pipe there is a line
// every few seconds. `left`: seconds until all are; 0: unknown.
void cli_progress_pictures(struct cli_progress *progress, int done, int total, double left);
// Clears the bar, so that lines can follow; steps may go on afterwards.
void cli_progress_clear(struct cli_progress *progress);

#endif
