// SPDX-License-Identifier: MIT
// Exchanges messages and sums with the other ranks through MPI: a module of its own.
//
// A rank may end early or be killed while others wait for it. So nothing waits inside MPI: requests
// are tested, and in between the others are watched. Each rank reports its end in a message; one
// that was killed is seen by its process number where it ran on this machine.
#define _POSIX_C_SOURCE 200809L

#include "exchange.h"

#include <mpi.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TAG_DATA = 1, TAG_END };
// The values that are exchanged at once, which bounds the memory of a sum.
enum { SUM_VALUES = 1 << 22 };

// A process, as others on its machine can watch it.
struct process {
    char machine[MPI_MAX_PROCESSOR_NAME];
    long long space; // of its process numbers; 0: unknown
    long long number;
};

// A message that is on its way.
struct letter {
    struct letter *next;
    MPI_Request request;
    char data[];
};

static MPI_Comm all = MPI_COMM_NULL;
static struct ranks_place here;
static struct process *processes; // of every rank
static bool *gone;                // of every rank: it ended or was killed
static bool killed;               // a rank is gone that did not report its end
static int worst_status;          // of the ranks that have ended
static struct letter *letters;
static bool unfinished; // a sum was given up, whose requests MPI still has
static struct timespec watched;

// ---- watching ----

static double seconds_since(const struct timespec *then) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + 1e-9 * (double)(now.tv_nsec - then->tv_nsec);
}

static void describe_process(struct process *process) {
    struct stat space;
    int length;
    memset(process, 0, sizeof *process);
    MPI_Get_processor_name(process->machine, &length);
    if (stat("/proc/self/ns/pid", &space) == 0) process->space = (long long)space.st_ino;
    process->number = getpid();
}

static bool is_near(int rank) {
    return !strcmp(processes[rank].machine, processes[here.index].machine);
}

// True if a process of this machine has vanished. Those of other process spaces cannot be seen.
static bool has_vanished(int rank) {
    const struct process *it = &processes[rank], *own = &processes[here.index];
    if (!is_near(rank) || !own->space || it->space != own->space) return false;
    return kill((pid_t)it->number, 0) < 0 && errno == ESRCH;
}

// Takes the ends that other ranks have reported.
static void take_ends(void) {
    int there = 0, status;
    MPI_Status from;
    while (!MPI_Iprobe(MPI_ANY_SOURCE, TAG_END, all, &there, &from) && there) {
        if (MPI_Recv(&status, 1, MPI_INT, from.MPI_SOURCE, TAG_END, all, MPI_STATUS_IGNORE)) return;
        gone[from.MPI_SOURCE] = true;
        if (status > worst_status) worst_status = status;
    }
}

// Notices which ranks are gone. Processes are looked at ten times a second.
static void watch_others(void) {
    take_ends();
    if (seconds_since(&watched) < 0.1) return;
    clock_gettime(CLOCK_MONOTONIC, &watched);
    for (int i = 0; i < here.count; i++) {
        if (gone[i] || !has_vanished(i)) continue;
        take_ends(); // it may have reported its end just before
        killed = killed || !gone[i];
        gone[i] = true;
    }
}

static bool is_gone(int rank) {
    watch_others();
    return gone[rank];
}

static bool is_any_gone(void) {
    watch_others();
    for (int i = 0; i < here.count; i++)
        if (gone[i]) return true;
    return false;
}

// Waits between two looks, longer the more looks there were.
static void pause_after(int looks) {
    if (looks < 1000) {
        sched_yield();
        return;
    }
    const struct timespec time = {.tv_nsec = looks < 10000 ? 50000 : 2000000};
    nanosleep(&time, NULL);
}

// Waits for a request. Returns false if it failed, or a rank is gone.
static bool finish_request(MPI_Request *request) {
    for (int looks = 0;; looks++) {
        int done = 0;
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE)) break;
        if (done) return true;
        if (looks % 64 == 63 && is_any_gone()) {
            // Its last part may have come just now.
            if (!MPI_Test(request, &done, MPI_STATUS_IGNORE) && done) return true;
            break;
        }
        pause_after(looks);
    }
    unfinished = true;
    return false;
}

// ---- joining ----

// Learns of all processes.
static bool meet_others(void) {
    processes = calloc((size_t)here.count, sizeof *processes);
    gone = calloc((size_t)here.count, sizeof *gone);
    if (!processes || !gone) return false;
    struct process own;
    describe_process(&own);
    int size = (int)sizeof own;
    if (MPI_Allgather(&own, size, MPI_BYTE, processes, size, MPI_BYTE, all)) return false;
    for (int i = 0; i < here.index; i++) here.local += is_near(i);
    return true;
}

static bool begin(struct ranks_place *place, char *why, size_t why_size) {
    int given;
    clock_gettime(CLOCK_MONOTONIC, &watched);
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &given) ||
        MPI_Comm_dup(MPI_COMM_WORLD, &all)) {
        snprintf(why, why_size, "MPI does not start");
        return false;
    }
    MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(all, &here.index);
    MPI_Comm_size(all, &here.count);
    if (!meet_others()) {
        snprintf(why, why_size, "no answer from all of %d ranks", here.count);
        return false;
    }
    *place = here;
    return true;
}

// ---- messages ----

// Frees the messages that have left. Messages to a rank that is gone stay.
static void free_letters(void) {
    for (struct letter **at = &letters; *at;) {
        struct letter *letter = *at;
        int done = 0;
        if (MPI_Test(&letter->request, &done, MPI_STATUS_IGNORE) || !done) {
            at = &letter->next;
            continue;
        }
        *at = letter->next;
        free(letter);
    }
}

static bool post(int to, int tag, const void *data, size_t bytes) {
    struct letter *letter = bytes <= INT_MAX ? malloc(sizeof *letter + bytes) : NULL;
    if (!letter) return false;
    if (bytes) memcpy(letter->data, data, bytes);
    if (MPI_Isend(letter->data, (int)bytes, MPI_BYTE, to, tag, all, &letter->request)) {
        free(letter);
        killed = gone[to] = true;
        return false;
    }
    letter->next = letters;
    letters = letter;
    return true;
}

static bool send_data(int to, const void *data, size_t bytes) {
    free_letters();
    return !is_gone(to) && post(to, TAG_DATA, data, bytes);
}

static bool receive_data(int *from, void **data, size_t *bytes) {
    int there = 0, size = 0;
    MPI_Message message;
    MPI_Status status;
    free_letters();
    watch_others();
    if (MPI_Improbe(MPI_ANY_SOURCE, TAG_DATA, all, &there, &message, &status) || !there)
        return false;
    MPI_Get_count(&status, MPI_BYTE, &size);
    // Without memory it would be lost: the rank cannot go on.
    if (!(*data = malloc((size_t)size + 1))) MPI_Abort(all, 1);
    if (MPI_Mrecv(*data, size, MPI_BYTE, &message, MPI_STATUS_IGNORE)) {
        free(*data);
        return false;
    }
    *from = status.MPI_SOURCE;
    *bytes = (size_t)size;
    return true;
}

// ---- sums ----

// Memory for sums, which stays: MPI still writes to that of a sum that was given up. Rank r adds up
// the r-th part of all ranks' values.
struct parts {
    int *first, *length; // of every rank's part
    int *from, *own;     // where every rank's values of this rank's part lie, and how many
    float *piece;        // the values that are exchanged at once
    float *values;       // every rank's, of this rank's part
};
static struct parts parts;

static void free_parts(void) {
    free(parts.first);
    free(parts.piece);
    free(parts.values);
    parts = (struct parts){0};
}

static bool create_parts(void) {
    size_t ranks = (size_t)here.count, most = SUM_VALUES / ranks + 1;
    if (parts.first) return true;
    parts.first = calloc(4 * ranks, sizeof *parts.first);
    parts.piece = malloc(SUM_VALUES * sizeof(float));
    parts.values = malloc(most * ranks * sizeof(float));
    if (!parts.first || !parts.piece || !parts.values) {
        free_parts();
        return false;
    }
    parts.length = parts.first + ranks;
    parts.from = parts.length + ranks;
    parts.own = parts.from + ranks;
    return true;
}

// Divides `count` values among the ranks.
static void divide(int count) {
    int each = count / here.count, more = count % here.count;
    for (int i = 0; i < here.count; i++) {
        parts.first[i] = i * each + (i < more ? i : more);
        parts.length[i] = each + (i < more);
    }
    for (int i = 0; i < here.count; i++) {
        parts.own[i] = parts.length[here.index];
        parts.from[i] = i * parts.own[i];
    }
}

// Fetches this rank's part of all ranks' values, adds them up in the order of ranks, and exchanges
// the sums.
static bool sum_piece(int count) {
    MPI_Request request;
    divide(count);
    if (MPI_Ialltoallv(parts.piece, parts.length, parts.first, MPI_FLOAT, parts.values, parts.own,
                       parts.from, MPI_FLOAT, all, &request) ||
        !finish_request(&request))
        return false;
    int length = parts.length[here.index];
    for (int rank = 1; rank < here.count; rank++)
        for (int i = 0; i < length; i++) parts.values[i] += parts.values[rank * length + i];
    return !MPI_Iallgatherv(parts.values, length, MPI_FLOAT, parts.piece, parts.length, parts.first,
                            MPI_FLOAT, all, &request) &&
           finish_request(&request);
}

static bool sum(float *values, size_t count) {
    bool good = !unfinished && create_parts();
    for (size_t at = 0; at < count && good; at += SUM_VALUES) {
        size_t rest = count - at, piece = rest < SUM_VALUES ? rest : SUM_VALUES;
        memcpy(parts.piece, values + at, piece * sizeof *values);
        good = sum_piece((int)piece);
        if (good) memcpy(values + at, parts.piece, piece * sizeof *values);
    }
    return good;
}

// ---- leaving ----

static bool have_all_ended(void) {
    watch_others();
    for (int i = 0; i < here.count; i++)
        if (!gone[i]) return false;
    return true;
}

// Reports this rank's end to the others and waits for theirs. Leaving MPI would
// wait for ever if a rank was killed.
static int end(int status) {
    worst_status = status > worst_status ? status : worst_status;
    gone[here.index] = true;
    for (int i = 0; i < here.count; i++)
        if (i != here.index && !(killed && gone[i])) post(i, TAG_END, &status, sizeof status);
    for (int looks = 0; !have_all_ended(); looks++) {
        free_letters();
        pause_after(looks);
    }
    if (!killed) {
        while (letters) free_letters();
        MPI_Finalize();
        free_parts();
    }
    free(processes);
    free(gone);
    return worst_status;
}

#pragma GCC visibility push(default)
extern const struct ranks_exchange ranks_exchange_mpi;
const struct ranks_exchange ranks_exchange_mpi = {begin,     end,          is_gone,
                                                  send_data, receive_data, sum};
#pragma GCC visibility pop
