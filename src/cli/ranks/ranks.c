// SPDX-License-Identifier: MIT
// Joins the ranks of a launcher, or is one rank alone.
#include "ranks.h"

#include "../cli.h"
#include "exchange.h"

#include <stdlib.h>

struct ranks {
    const struct ranks_exchange *exchange; // NULL: this rank is alone
    struct ranks_place place;
};

// Where launchers say how many processes they started. srun sets the number of its step; a batch
// script, which is one process, has only that of its job.
static const char *const size_variables[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                             "SLURM_STEP_NUM_TASKS", "MPI_LOCALNRANKS"};

// Returns how many processes the launcher started; 1: there is none, 0: it does not say.
static int read_launched(void) {
    for (size_t i = 0; i < sizeof size_variables / sizeof *size_variables; i++) {
        const char *text = getenv(size_variables[i]);
        int count = text ? atoi(text) : 0;
        if (count > 0) return count;
    }
    return getenv("PMIX_RANK") ? 0 : 1;
}

// Checks that MPI sees as many processes as the launcher says.
static bool check_count(const struct ranks_place *place, int launched) {
    if (launched <= 1 || place->count == launched) return true;
    cli_fail("the launcher started %d processes, but MPI sees %d: start them with mpirun, or with "
             "srun --mpi=pmix or --mpi=pmi2, and the MPI that this program was built with",
             launched, place->count);
    return false;
}

// Opens MPI and joins. Prints the error on failure.
static bool join_others(struct ranks *ranks, int launched) {
    char why[256] = "";
    const struct ranks_exchange *exchange = ranks_open_exchange();
    if (!exchange) return false;
    if (!exchange->begin(&ranks->place, why, sizeof why)) {
        cli_fail("cannot join the other ranks: %s", why);
        return false;
    }
    ranks->exchange = exchange;
    if (check_count(&ranks->place, launched)) return true;
    exchange->end(CLI_FAILED);
    return false;
}

struct ranks *ranks_begin(void) {
    struct ranks *ranks = calloc(1, sizeof *ranks);
    int launched = read_launched();
    if (!ranks) {
        cli_fail("no memory for ranks");
        return NULL;
    }
    ranks->place = (struct ranks_place){.count = 1};
    if (launched == 1 || join_others(ranks, launched)) return ranks;
    free(ranks);
    return NULL;
}

int ranks_end(struct ranks **ranks, int status) {
    struct ranks *r = ranks ? *ranks : NULL;
    if (!r) return status;
    if (r->exchange) status = r->exchange->end(status);
    free(r);
    *ranks = NULL;
    return status;
}

int ranks_index(const struct ranks *ranks) {
    return ranks->place.index;
}

int ranks_count(const struct ranks *ranks) {
    return ranks->place.count;
}

int ranks_local(const struct ranks *ranks) {
    return ranks->place.local;
}

bool ranks_gone(struct ranks *ranks, int index) {
    return ranks->exchange && ranks->exchange->is_gone(index);
}

bool ranks_send(struct ranks *ranks, int to, const void *data, size_t bytes) {
    return ranks->exchange && ranks->exchange->send(to, data, bytes);
}

bool ranks_receive(struct ranks *ranks, int *from, void **data, size_t *bytes) {
    return ranks->exchange && ranks->exchange->receive(from, data, bytes);
}

bool ranks_sum(struct ranks *ranks, float *values, size_t count) {
    return !ranks->exchange || ranks->exchange->sum(values, count);
}
