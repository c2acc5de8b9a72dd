// SPDX-License-Identifier: MIT
// Reports the processors that threads can use. Threads are pthreads here.
#ifndef FUM_BASE_THREAD_H
#define FUM_BASE_THREAD_H

// Returns the number of processors that may run threads now, from 1 to 64.
int fum_cpu_count(void);

#endif
