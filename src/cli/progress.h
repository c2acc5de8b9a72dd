// Progress of long work on standard error: a bar on a terminal, plain lines in a pipe.
#ifndef FUM_CLI_PROGRESS_H
#define FUM_CLI_PROGRESS_H

#include <stdbool.h>

struct cli_progress {
    bool bar, quiet;
    int last;       // what was shown last
    double started; // seconds; of the step 0
};

void cli_progress_begin(struct cli_progress *progress, bool quiet);
// `done` of `total` steps of `what` are finished. The clock starts with done 0, or with the first call.
void cli_progress_step(struct cli_progress *progress, const char *what, int done, int total);
// Clears the bar, so that lines can follow.
void cli_progress_end(struct cli_progress *progress);

#endif
