#define _POSIX_C_SOURCE 200809L

#include "base/thread.h"

#include <unistd.h>

int fum_cpu_count(void) {
#ifdef _SC_NPROCESSORS_ONLN
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 64 ? 64 : (int)n;
#else
    return 4;
#endif
}
