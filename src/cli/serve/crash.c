// SPDX-License-Identifier: MIT
#define _XOPEN_SOURCE 700
#include "crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { FAULTS = sizeof faults / sizeof *faults, STACK_BYTES = 64 << 10 };

static char marked[4096]; // path of the file
static struct sigaction before[FAULTS];
static _Thread_local void *stack; // for faults; NULL: none

// Makes the file, and lets the signal do what it did before. Calls only what signal handlers may.
static void mark(int signal) {
    int file = open(marked, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
    for (size_t i = 0; i < FAULTS; i++)
        if (faults[i] == signal) sigaction(signal, &before[i], NULL);
    raise(signal);
}

bool crash_watch(const char *path) {
    struct sigaction action = {.sa_handler = mark, .sa_flags = SA_ONSTACK};
    size_t bytes = strlen(path) + 1;
    if (bytes > sizeof marked) return false;
    memcpy(marked, path, bytes);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FAULTS; i++) sigaction(faults[i], &action, &before[i]);
    return true;
}

void crash_watch_end(void) {
    for (size_t i = 0; i < FAULTS && marked[0]; i++) sigaction(faults[i], &before[i], NULL);
    marked[0] = 0;
}

// Keeps a stack that the thread has already, such as that of a sanitizer.
void crash_watch_thread(void) {
    stack_t old;
    if (sigaltstack(NULL, &old) != 0 || !(old.ss_flags & SS_DISABLE)) return;
    stack = malloc(STACK_BYTES);
    if (stack) sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = STACK_BYTES}, NULL);
}

void crash_watch_thread_end(void) {
    if (!stack) return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(stack);
    stack = NULL;
}
