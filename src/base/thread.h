// SPDX-License-Identifier: MIT
// What the machine offers to threads, which are pthreads here.
#ifndef FUM_BASE_THREAD_H
#define FUM_BASE_THREAD_H

// Processors that may run threads now, from 1 to 64.
int fum_cpu_count(void);

#endif
