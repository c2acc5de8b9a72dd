// SPDX-License-Identifier: MIT
// The processes that mpirun or srun started for one task. A build without MPI, or a program that
// was started alone, is one rank.
#ifndef FUM_CLI_RANKS_H
#define FUM_CLI_RANKS_H

#include <stdbool.h>
#include <stddef.h>

struct ranks;

// Joins the other ranks. MPI is started only if a launcher's environment is there. Prints the error
// and returns NULL on failure.
struct ranks *ranks_begin(void);
// Leaves. `status`: the exit status of this rank; returns the largest of all.
int ranks_end(struct ranks **ranks, int status);

int ranks_index(const struct ranks *ranks);
int ranks_count(const struct ranks *ranks);
int ranks_local(const struct ranks *ranks); // among those of this machine, for its device

// Sends a text to a rank. Returns false if that rank is gone.
bool ranks_send(struct ranks *ranks, int to, const void *data, size_t bytes);
// Takes the next message from any rank; *data is to be freed. Returns false if there is none yet.
bool ranks_receive(struct ranks *ranks, int *from, void **data, size_t *bytes);
// Adds up the values of all ranks, in the order of ranks, so that all get the same bits.
bool ranks_sum(struct ranks *ranks, float *values, size_t count);

#endif
