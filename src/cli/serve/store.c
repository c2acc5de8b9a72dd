// SPDX-License-Identifier: MIT
// Opens the store: its folder, its lock, its tables, and the pictures that belong to them.
#define _DEFAULT_SOURCE // flock, DT_REG
#define _POSIX_C_SOURCE 200809L
#include "store_inside.h"

#include "crash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    SCHEMA_VERSION = 2,
    CACHE_KIB = 2048,
    CHECKPOINT_PAGES = 64,
    LOG_BYTES = 1 << 20,   // of the write-ahead log, once a longer one was needed
    BUSY_MS = 5000,        // waits that long for another reader of the file
    ROOM_BYTES = 64 << 10, // kept free for the records of jobs at work
};

static const char SCHEMA[] =
    "CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " api TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL, fields TEXT,"
    " parameters TEXT NOT NULL, seeds TEXT NOT NULL, error TEXT, created REAL NOT NULL,"
    " started REAL, finished REAL, next INTEGER NOT NULL, count INTEGER NOT NULL,"
    " key TEXT UNIQUE, hash TEXT);"
    "CREATE INDEX jobs_by_state ON jobs (state, number);"
    "CREATE TABLE pictures (id TEXT NOT NULL PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs (id),"
    " place INTEGER NOT NULL, seed INTEGER NOT NULL, width INTEGER NOT NULL,"
    " height INTEGER NOT NULL, sha256 TEXT NOT NULL);"
    "CREATE UNIQUE INDEX pictures_by_job ON pictures (job, place);";
// What version 2 adds: starts and crashes without a picture since, and whether it is being drawn.
static const char SCHEMA_2[] = "ALTER TABLE jobs ADD COLUMN starts INTEGER NOT NULL DEFAULT 0;"
                               "ALTER TABLE jobs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;"
                               "ALTER TABLE jobs ADD COLUMN drawing INTEGER NOT NULL DEFAULT 0;";

// ---- folders ----

// Makes a folder and those above it. Prompts are private, so others may not read it.
static bool make_folder(const char *path) {
    char *copy = cli_copy(path);
    bool good = copy != NULL;
    for (char *at = copy; good && at;) {
        at = strchr(at + 1, '/');
        if (at) *at = 0;
        good = mkdir(copy, 0700) == 0 || errno == EEXIST || errno == EISDIR;
        if (at) *at = '/';
    }
    free(copy);
    return good;
}

// Locks the folder for as long as the process lives, or the store is open.
static int lock_folder(struct store *store) {
    if (!make_folder(store->dir) || !make_folder(store->pictures))
        return cli_fail("cannot make the folder %s: %s", store->pictures, strerror(errno));
    store->folder = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0) return cli_fail("cannot open %s: %s", store->dir, strerror(errno));
    if (flock(store->folder, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno == EWOULDBLOCK)
        return cli_fail("another server uses the state folder %s (give this one another --state)",
                        store->dir);
    return cli_fail("cannot lock %s: %s", store->dir, strerror(errno));
}

bool store_picture_path(const struct store *store, const char *id, char path[CLI_PATH_BYTES]) {
    return snprintf(path, CLI_PATH_BYTES, "%s/%s.png", store->pictures, id) < CLI_PATH_BYTES;
}

bool store_has_room(struct store *store, size_t bytes) {
    struct statvfs disk;
    if (fstatvfs(store->folder, &disk) != 0) return true; // writing will show
    return (unsigned long long)disk.f_bavail * disk.f_frsize >= ROOM_BYTES + 2ULL * bytes;
}

// ---- pictures ----

// True if the file is a recorded picture.
static bool is_recorded(struct store *store, const char *name) {
    size_t bytes = strlen(name);
    char id[PICTURE_ID_BYTES];
    if (bytes < 5 || strcmp(name + bytes - 4, ".png") != 0 || bytes - 4 >= sizeof id) return false;
    memcpy(id, name, bytes - 4);
    id[bytes - 4] = 0;
    sqlite3_stmt *row = store_prepare(store, "SELECT 1 FROM pictures WHERE id = ?", "t", id);
    bool recorded = !row || sqlite3_step(row) != SQLITE_DONE; // in doubt it is kept
    sqlite3_finalize(row);
    return recorded;
}

// Removes files that no job has: a server was killed before it recorded them. A new store must not
// take the pictures of someone else for such.
static int clean_pictures(struct store *store, bool created) {
    DIR *dir = opendir(store->pictures);
    const struct dirent *entry = NULL;
    int status = 0;
    if (!dir) return cli_fail("cannot read %s: %s", store->pictures, strerror(errno));
    while (status == 0 && (errno = 0, entry = readdir(dir))) {
        struct stat file;
        if (fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(file.st_mode))
            continue;
        if (created)
            status = cli_fail("%s holds files, but %s/jobs.sqlite does not know them (move them "
                              "away, or give another --state)",
                              store->pictures, store->dir);
        else if (!is_recorded(store, entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            store_log(store, FUM_LOG_INFO, "removed %s/%s, which no job has", store->pictures,
                      entry->d_name);
    }
    if (status == 0 && errno)
        status = cli_fail("cannot read %s: %s", store->pictures, strerror(errno));
    closedir(dir);
    return status;
}

// ---- tables ----

static int fail_database(const struct store *store) {
    return cli_fail("%s/jobs.sqlite: %s", store->dir, sqlite3_errmsg(store->db));
}

static int read_version(struct store *store) {
    sqlite3_stmt *row = store_prepare(store, "PRAGMA user_version", "");
    int version = row && sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_int(row, 0) : -1;
    sqlite3_finalize(row);
    return version;
}

// Makes the tables unless they are there, and adds what older ones lack.
static int make_tables(struct store *store, bool *created) {
    char sql[sizeof SCHEMA + sizeof SCHEMA_2 + 80];
    int version = read_version(store);
    if (version < 0) return fail_database(store);
    if (version > SCHEMA_VERSION)
        return cli_fail("%s/jobs.sqlite is of a newer fumarole (version %d)", store->dir, version);
    *created = version == 0;
    if (version == SCHEMA_VERSION) return 0;
    snprintf(sql, sizeof sql, "BEGIN; %s%s PRAGMA user_version = %d; COMMIT;",
             *created ? SCHEMA : "", SCHEMA_2, SCHEMA_VERSION);
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) ? fail_database(store) : 0;
}

static int open_database(struct store *store, bool *created) {
    char path[CLI_PATH_BYTES], sql[300];
    if (snprintf(path, sizeof path, "%s/jobs.sqlite", store->dir) >= (int)sizeof path)
        return cli_fail("the path of --state is too long");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &store->db, flags, NULL)) return fail_database(store);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
             "PRAGMA cache_size = -%d; PRAGMA wal_autocheckpoint = %d;"
             "PRAGMA journal_size_limit = %d;",
             CACHE_KIB, CHECKPOINT_PAGES, LOG_BYTES);
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL)) return fail_database(store);
    return make_tables(store, created);
}

// ---- opening and closing ----

static struct store *create_store(const char *dir, const struct fum_log *log) {
    struct store *store = calloc(1, sizeof *store);
    if (!store) return NULL;
    store->folder = -1;
    store->log = log;
    if (pthread_mutex_init(&store->lock, NULL)) {
        free(store);
        return NULL;
    }
    store->dir = cli_copy(dir);
    store->pictures = cli_join(dir, "pictures");
    if (!store->dir || !store->pictures) store_close(&store);
    return store;
}

int store_open(struct store **opened, const char *dir, const struct fum_log *log) {
    bool created = false;
    struct store *store = *opened = create_store(dir, log);
    if (!store) return cli_fail("no memory to open %s", dir);
    int status = lock_folder(store);
    if (status == 0) status = open_database(store, &created);
    if (status == 0) status = clean_pictures(store, created);
    if (status == 0) status = store_open_starts(store);
    if (status != 0) store_close(opened);
    return status;
}

void store_close(struct store **opened) {
    struct store *store = *opened;
    if (!store) return;
    crash_watch_end();
    sqlite3_close(store->db);
    if (store->folder >= 0) close(store->folder);
    pthread_mutex_destroy(&store->lock);
    free(store->dir);
    free(store->pictures);
    free(store);
    *opened = NULL;
}
