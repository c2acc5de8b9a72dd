// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L

#include "base/thread.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <unistd.h>
#endif

int fum_cpu_count(void) {
    long n = 4; // if the system does not report it
#if defined(_WIN32)
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    n = (long)info.dwNumberOfProcessors;
#elif defined(_SC_NPROCESSORS_ONLN)
    n = sysconf(_SC_NPROCESSORS_ONLN);
#endif
    if (n < 1) return 1;
    return n > 64 ? 64 : (int)n;
}
