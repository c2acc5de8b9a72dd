// SPDX-License-Identifier: MIT
// Keeps two processes from writing to one folder.
#define _DEFAULT_SOURCE // flock

#include "cli.h"

#if defined(_WIN32)

bool cli_lock_folder(const char *dir, int *lock) {
    (void)dir;
    *lock = -1;
    return true;
}

void cli_unlock_folder(int *lock) {
    *lock = -1;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

bool cli_lock_folder(const char *dir, int *lock) {
    *lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return true;
    cli_unlock_folder(lock);
    return false;
}

void cli_unlock_folder(int *lock) {
    if (*lock >= 0) close(*lock);
    *lock = -1;
}

#endif
