// SPDX-License-Identifier: MIT
// Runs a fuzz target without libFuzzer. drive COUNT [SEED [SECONDS]] gives it COUNT inputs that the
// seed decides; with SECONDS, as many as fit into that time. Half of them are short. An input
// that ends the process is printed, and one that takes a minute ends it.
#define _DEFAULT_SOURCE // signals that restart calls
#include "fitted.h"

#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 96 };

static uint64_t state;
static unsigned long done;
static uint8_t input[MAX_BYTES];
static size_t input_bytes;

static uint32_t next_random(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

// Zero bytes are the plain choice, so that most inputs have few changes.
static void make_input(void) {
    uint32_t zeros = next_random() % 3;
    input_bytes = next_random() % (next_random() % 2 ? MAX_BYTES + 1 : 24);
    for (size_t i = 0; i < input_bytes; i++)
        input[i] = next_random() % 3 < zeros ? 0 : (uint8_t)next_random();
}

// Prints the input and lets the signal end the process, with calls that a signal handler may make.
static void show_input(int number) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * MAX_BYTES + 1];
    for (size_t i = 0; i < input_bytes; i++) {
        text[2 * i] = digits[input[i] >> 4];
        text[2 * i + 1] = digits[input[i] & 15];
    }
    text[2 * input_bytes] = '\n';
    ssize_t written =
        write(STDERR_FILENO, "input: ", 7) + write(STDERR_FILENO, text, 2 * input_bytes + 1);
    (void)written;
    signal(number, SIG_DFL);
    raise(number);
}

enum { WATCH_SECONDS = 30 };

// Ends the process if no input ended since the last call, 30 seconds ago.
static void watch(int number) {
    static unsigned long before = ULONG_MAX;
    if (before == done) show_input(number == SIGALRM ? SIGABRT : number);
    before = done;
    alarm(WATCH_SECONDS);
}

static volatile sig_atomic_t stopped;

// Ctrl-C ends the run after the input at hand, so that what was done is counted.
static void stop(int number) {
    (void)number;
    stopped = 1;
}

// drive =HEX: that input alone, as it was printed.
static void run_one(const char *hex) {
    unsigned byte = 0;
    for (; input_bytes < MAX_BYTES && sscanf(hex + 2 * input_bytes, "%2x", &byte) == 1;
         input_bytes++)
        input[input_bytes] = (uint8_t)byte;
    LLVMFuzzerTestOneInput(input, input_bytes);
}

int main(int argc, char **argv) {
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    time_t end = argc > 3 ? time(NULL) + atol(argv[3]) : 0;
    const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], show_input);
    if (argc > 1 && argv[1][0] == '=') {
        run_one(argv[1] + 1);
        return 0;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    signal(SIGALRM, watch);
    alarm(WATCH_SECONDS);
    for (; !stopped && (end ? time(NULL) < end : done < count); done++) {
        make_input();
        // of its exact size, for the address sanitizer
        uint8_t *copy = malloc(input_bytes ? input_bytes : 1);
        if (!copy) return 1;
        memcpy(copy, input, input_bytes);
        LLVMFuzzerTestOneInput(copy, input_bytes);
        free(copy);
    }
    double seconds = (double)clock() / CLOCKS_PER_SEC;
    fprintf(stderr, "%lu inputs, %.0f per second of CPU time\n", done, (double)done / seconds);
    // Weights that no longer fit would let every model end at the first check.
    bool reached = fitted_counts.made < 10 || fitted_counts.done > fitted_counts.made / 5;
    if (!reached) fprintf(stderr, "fuzzing: too few of the models work to the end\n");
    return reached ? 0 : 1;
}
