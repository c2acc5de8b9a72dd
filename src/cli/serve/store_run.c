// SPDX-License-Identifier: MIT
// Runs statements of the store and finds out why they fail.
#include "store_inside.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void store_log(const struct store *store, enum fum_log_level level, const char *fmt, ...) {
    char text[600], line[700];
    const struct fum_log *log = store->log;
    va_list args;
    if (!log || !log->fn || level > (log->level ? log->level : FUM_LOG_WARN)) return;
    va_start(args, fmt);
    int bytes = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (bytes < 0) return;
    fum_text_escape(line, sizeof line, text, strlen(text));
    log->fn(log->user, level, line);
}

// Returns the number of the system's last error with a file of the database, or with its log. The
// connection forgets that of a write that was cut short.
static int last_system_error(sqlite3 *db) {
    sqlite3_file *log = NULL;
    int system = sqlite3_system_errno(db);
    if (!system) sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &system);
    if (!system) sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods) log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &system);
    return system;
}

static bool is_no_space(int code, int system) {
    if ((code & 0xff) == SQLITE_FULL) return true;
    return (code & 0xff) == SQLITE_IOERR &&
           (system == ENOSPC || system == EDQUOT || system == EFBIG);
}

enum store_result store_why(struct store *store) {
    int code = sqlite3_extended_errcode(store->db);
    if (is_no_space(code, last_system_error(store->db))) return STORE_NO_SPACE;
    if (code == SQLITE_CONSTRAINT_UNIQUE) return STORE_USED;
    store_log(store, FUM_LOG_ERROR, "%s/jobs.sqlite: %s", store->dir, sqlite3_errmsg(store->db));
    return STORE_FAILED;
}

static int bind_value(sqlite3_stmt *statement, int at, char kind, va_list *args) {
    if (kind == 't')
        return sqlite3_bind_text(statement, at, va_arg(*args, const char *), -1, SQLITE_STATIC);
    if (kind == 'i') return sqlite3_bind_int64(statement, at, va_arg(*args, int64_t));
    double real = va_arg(*args, double);
    return real == 0 ? sqlite3_bind_null(statement, at) : sqlite3_bind_double(statement, at, real);
}

static sqlite3_stmt *prepare(struct store *store, const char *sql, const char *kinds,
                             va_list *args) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    for (int i = 0; !code && kinds[i]; i++) code = bind_value(statement, i + 1, kinds[i], args);
    if (!code) return statement;
    sqlite3_finalize(statement);
    return NULL;
}

sqlite3_stmt *store_prepare(struct store *store, const char *sql, const char *kinds, ...) {
    va_list args;
    va_start(args, kinds);
    sqlite3_stmt *statement = prepare(store, sql, kinds, &args);
    va_end(args);
    return statement;
}

static enum store_result run(struct store *store, const char *sql, const char *kinds,
                             va_list *args) {
    sqlite3_stmt *statement = prepare(store, sql, kinds, args);
    if (!statement) return store_why(store);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    enum store_result result = code == SQLITE_DONE ? STORE_OK : store_why(store);
    sqlite3_finalize(statement);
    return result;
}

enum store_result store_run(struct store *store, const char *sql, const char *kinds, ...) {
    va_list args;
    va_start(args, kinds);
    enum store_result result = run(store, sql, kinds, &args);
    va_end(args);
    return result;
}

enum store_result store_change(struct store *store, const char *sql, const char *kinds, ...) {
    va_list args;
    va_start(args, kinds);
    pthread_mutex_lock(&store->lock);
    enum store_result result = run(store, sql, kinds, &args);
    pthread_mutex_unlock(&store->lock);
    va_end(args);
    return result;
}
