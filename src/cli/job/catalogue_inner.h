// SPDX-License-Identifier: MIT
// A catalogue while it is made.
#ifndef FUM_CLI_JOB_CATALOGUE_INNER_H
#define FUM_CLI_JOB_CATALOGUE_INNER_H

#include "catalogue.h"

#include <pthread.h>
#include <stdatomic.h>

struct catalogue_row {
    struct catalogue_entry entry;
    char *file; // the last part of the path, with its ending
    bool slow;  // its hash takes a while
};

struct catalogue_shelf {
    struct catalogue_row **rows; // in the order of names
    size_t count;
    char *folder; // NULL: none
};

struct catalogue {
    struct catalogue_shelf shelves[CATALOGUE_KINDS];
    const struct fum_log *log;
    pthread_t thread; // computes slow hashes
    bool running;
    atomic_bool stop;
    void **owned; // texts of entries
    size_t num_owned;
    // Texts that the thread makes: as many as two for each model.
    char **made;
    size_t num_made;
};

// Keeps memory as long as the catalogue, and returns it; NULL: memory is out, or it is NULL.
void *catalogue_own(struct catalogue *catalogue, void *memory);
// Adds what a path leads to. The name is that of the file, without its ending. NULL: memory is out,
// or *taken says that an entry has that name already.
struct catalogue_row *catalogue_add(struct catalogue *catalogue, enum catalogue_kind kind,
                                    const char *path, bool *taken);
// Adds it under the name of a folder that it lies in.
struct catalogue_row *catalogue_add_within(struct catalogue *catalogue, enum catalogue_kind kind,
                                           const char *path, const char *folder, bool *taken);
// Writes a line to the log.
void catalogue_log(const struct catalogue *catalogue, const char *fmt, ...) FUM_PRINTF(2, 3);

// Adds the models of -m, and what lies in the folders. Returns 0, or prints the error and returns
// an exit status.
int catalogue_list(struct catalogue *catalogue, const struct catalogue_params *params);
// Stores a model's hash and its title.
bool catalogue_set_hash(struct catalogue *catalogue, struct catalogue_row *row, const char *hash);

#endif
