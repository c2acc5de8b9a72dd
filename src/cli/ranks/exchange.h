// SPDX-License-Identifier: MIT
// Defines what a module for the exchange between ranks offers. It is opened at run time, so that
// the program itself needs no MPI.
#ifndef FUM_CLI_RANKS_EXCHANGE_H
#define FUM_CLI_RANKS_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

// Where this process stands among the ranks.
struct ranks_place {
    int index, count;
    int local; // among the ranks of its machine
};

// One thread at a time calls.
struct ranks_exchange {
    // Joins the others. False: `why` says what failed.
    bool (*begin)(struct ranks_place *place, char *why, size_t why_size);
    // Reports to the others this rank's exit status, waits for theirs, and leaves. Returns the
    // largest.
    int (*end)(int status);
    bool (*is_gone)(int rank);
    bool (*send)(int to, const void *data, size_t bytes);
    bool (*receive)(int *from, void **data, size_t *bytes);
    bool (*sum)(float *values, size_t count);
};

// The symbol of the module that has the record.
#define RANKS_EXCHANGE_SYMBOL "ranks_exchange_mpi"

// Opens the module. Prints the error and returns NULL on failure.
const struct ranks_exchange *ranks_open_exchange(void);

#endif
