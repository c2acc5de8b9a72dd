// SPDX-License-Identifier: MIT
// The processes that mpirun or srun started for one task. A program that was started alone is one
// rank.
#ifndef FUM_CLI_RANKS_H
#define FUM_CLI_RANKS_H

#include <stdbool.h>
#include <stddef.h>

// One thread at a time, which may be any.
struct ranks;

// Joins the other ranks. MPI is opened only if a launcher's environment names others.
// Prints the error and returns NULL on failure, as in a build without MPI.
struct ranks *ranks_begin(void);
// Reports to the others the exit status of this rank, waits until all have ended, and leaves.
// Returns the largest status.
int ranks_end(struct ranks **ranks, int status);

int ranks_index(const struct ranks *ranks);
int ranks_count(const struct ranks *ranks);
int ranks_local(const struct ranks *ranks); // among those of this machine, for its device
// Returns the device that this rank is to open, as --device names it. It is the given one, or else
// one of the machine's GPUs by the local rank. It may lie in `text`, or be NULL: the best one.
const char *ranks_choose_device(const struct ranks *ranks, const char *given, char text[16]);
// True if that rank has ended or was killed. Messages that it sent before may still be waiting. One
// that was killed on another machine is noticed when something is sent to it.
bool ranks_gone(struct ranks *ranks, int index);

// Sends a text to a rank. Returns false if that rank is gone, or memory is out.
bool ranks_send(struct ranks *ranks, int to, const void *data, size_t bytes);
// Takes the next message from any rank; *data is to be freed with free(). Returns false if there is
// none yet.
bool ranks_receive(struct ranks *ranks, int *from, void **data, size_t *bytes);
// Adds up the values of all ranks, in the order of ranks, so that all get the same bits. All ranks
// must call it. Returns false if one is gone, or memory is out.
bool ranks_sum(struct ranks *ranks, float *values, size_t count);

#endif
