// SPDX-License-Identifier: MIT
// Prepares the process: its three standard descriptors and the signals that stop it.
#define _POSIX_C_SOURCE 200809L

#include "cli.h"

#include <stdlib.h>

#if !defined(_WIN32)
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#endif

// ---- descriptors ----

void cli_open_descriptors(void) {
#if !defined(_WIN32)
    for (int fd = 0; fd <= 2; fd++) {
        bool closed = fcntl(fd, F_GETFD) < 0 && errno == EBADF;
        // open() takes the lowest free number, which is this one.
        if (closed && open("/dev/null", fd ? O_WRONLY : O_RDONLY) < 0)
            exit(CLI_FAILED); // there is nowhere to print why
    }
#endif
}

// ---- signals ----

static volatile sig_atomic_t first_signal, second_signal, held;

static void end_at_once(int number) {
    signal(number, SIG_DFL);
    raise(number);
}

static void on_signal(int number) {
#if defined(_WIN32)
    signal(number, on_signal); // Windows forgets a handler once it has run
#endif
    if (!first_signal) {
        first_signal = number;
        return;
    }
#if defined(SIGXFSZ)
    if (number == SIGXFSZ) // the write that caused it fails, which suffices
        return;
#endif
    if (held)
        second_signal = number;
    else
        end_at_once(number);
}

#if defined(_WIN32)

static void catch_signal(int number) {
    signal(number, on_signal);
}

void cli_catch_interrupt(void) {
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
}

void cli_ignore_pipes(void) {}

void cli_interrupt_reads(bool interrupt) {
    (void)interrupt;
}

#else

static void catch_signal(int number) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

// Leaves signals ignored that were so at the start, as nohup does with SIGHUP. Shells ignore the
// SIGINT of background jobs too, but those may be stopped by one.
void cli_catch_interrupt(void) {
    static const int numbers[] = {SIGTERM, SIGHUP, SIGXFSZ};
    catch_signal(SIGINT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            catch_signal(numbers[i]);
    }
}

void cli_ignore_pipes(void) {
    signal(SIGPIPE, SIG_IGN);
}

void cli_interrupt_reads(bool interrupt) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler != on_signal) continue;
        action.sa_flags = interrupt ? 0 : SA_RESTART;
        sigaction(numbers[i], &action, NULL);
    }
}

#endif

void cli_hold_signals(bool hold) {
    held = hold;
    if (!hold && second_signal) end_at_once(second_signal);
}

bool cli_interrupted(void) {
    return first_signal != 0;
}

bool cli_cancel(void *user) {
    (void)user;
    return cli_interrupted();
}

int cli_interrupted_status(void) {
    return 128 + (first_signal ? first_signal : SIGINT);
}
