// SPDX-License-Identifier: MIT
// What the files of the store share: the connection, and how statements are run. Functions below
// are called with the lock held.
#ifndef FUM_CLI_SERVE_STORE_INSIDE_H
#define FUM_CLI_SERVE_STORE_INSIDE_H

#include "store.h"

#include <pthread.h>
#include <sqlite3.h>

struct store {
    char *dir, *pictures;
    int folder; // `dir`, locked while the store is open; -1: not yet
    sqlite3 *db;
    pthread_mutex_t lock;
    const struct fum_log *log;
};

// Compiles a statement and binds a value for each letter of `kinds`. A t is a text, which may be
// NULL, an i an int64_t, an r a double whose 0 becomes NULL. Returns NULL on failure, see
// store_why.
sqlite3_stmt *store_prepare(struct store *store, const char *sql, const char *kinds, ...);
// Does the same, and runs it to its end.
enum store_result store_run(struct store *store, const char *sql, const char *kinds, ...);
// Does the same with the lock taken, for functions that run a single statement.
enum store_result store_change(struct store *store, const char *sql, const char *kinds, ...);
// Returns why the last call of SQLite failed, which is logged unless it is a full disk.
enum store_result store_why(struct store *store);

// Counts the crash of the last server, if it was one, and watches for that of this one. Returns 0,
// or prints the error and returns an exit status.
int store_open_starts(struct store *store);

void store_log(const struct store *store, enum fum_log_level level, const char *fmt, ...)
    FUM_PRINTF(3, 4);

// Stores the path of a picture's file. False: it does not fit.
bool store_picture_path(const struct store *store, const char *id, char path[CLI_PATH_BYTES]);

#endif
