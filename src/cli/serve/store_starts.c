// SPDX-License-Identifier: MIT
// Counts how often a job was begun and not ended, so that one that ends the server is given up.
#include "store_inside.h"

#include "crash.h"

#include <string.h>
#include <unistd.h>

// Stores the path of the file that marks a crash.
static bool find_mark(const struct store *store, char path[CLI_PATH_BYTES]) {
    return snprintf(path, CLI_PATH_BYTES, "%s/crashed", store->dir) < CLI_PATH_BYTES;
}

int store_open_starts(struct store *store) {
    char path[CLI_PATH_BYTES];
    if (!find_mark(store, path)) return cli_fail("the path of --state is too long");
    bool crashed = access(path, F_OK) == 0;
    enum store_result result = STORE_OK;
    if (crashed)
        result = store_run(store, "UPDATE jobs SET crashes = crashes + 1 WHERE drawing", "");
    if (!result) result = store_run(store, "UPDATE jobs SET drawing = 0 WHERE drawing", "");
    // On a full disk they are counted at the next start.
    if (!result && crashed) unlink(path);
    crash_watch(path);
    return 0;
}

enum store_result store_begin(struct store *store, const char *id) {
    return store_change(store, "UPDATE jobs SET starts = starts + 1, drawing = 1 WHERE id = ?", "t",
                        id);
}

enum store_result store_put_back(struct store *store, const char *id) {
    return store_change(
        store, "UPDATE jobs SET starts = max(starts - 1, 0), drawing = 0 WHERE id = ?", "t", id);
}

enum store_result store_give_up(struct store *store, const struct store_limits *limits) {
    return store_change(store,
                        "UPDATE jobs SET state = 'failed', finished = ?, error = ?,"
                        " fields = NULL WHERE state = 'queued' AND (crashes >= ? OR starts >= ?)",
                        "rtii", limits->finished, limits->error, (int64_t)limits->crashes,
                        (int64_t)limits->starts);
}
