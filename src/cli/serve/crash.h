// SPDX-License-Identifier: MIT
// Marks a crash of the process in a file, for the process after it.
#ifndef FUM_CLI_SERVE_CRASH_H
#define FUM_CLI_SERVE_CRASH_H

#include <stdbool.h>

// Makes the file, which must not be there yet, when a fault ends the process. One file at a time.
// False: the path is too long.
bool crash_watch(const char *path);
void crash_watch_end(void);

// Gives the calling thread a second stack, on which a fault is marked even if the first one
// overflows. Without memory for it such a fault leaves no mark.
void crash_watch_thread(void);
void crash_watch_thread_end(void);

#endif
