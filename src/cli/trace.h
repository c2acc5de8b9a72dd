// SPDX-License-Identifier: MIT
// --trace: the device's events as a JSON timeline, which chrome://tracing and Perfetto show.
#ifndef FUM_CLI_TRACE_H
#define FUM_CLI_TRACE_H

#include <fumarole/device.h>
#include <fumarole/file.h>

struct cli_trace {
    fum_file_writer *file; // NULL: none
    double started;
    bool any;
    enum fum_result result; // of writing so far
    struct fum_error error;
};

// Begins the file, which appears at the end, and takes the device's events from now on. 0 or an
// exit status, the error printed.
int cli_trace_begin(struct cli_trace *trace, const char *path, fum_device *device);
// Ends the timeline. Does nothing when it was not begun. 0 or an exit status.
int cli_trace_end(struct cli_trace *trace, fum_device *device);

#endif
