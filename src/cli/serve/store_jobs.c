// SPDX-License-Identifier: MIT
// Keeps the rows of jobs and pictures.
#include "store_inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fumarole/file.h>

// Moves a job to its next picture, for which it was not begun yet.
static const char NEXT[] = "UPDATE jobs SET next = ?, starts = 0, crashes = 0 WHERE id = ?";

// ---- jobs ----

enum store_result store_add(struct store *store, const struct store_job *job) {
    return store_change(
        store,
        "INSERT INTO jobs (id, api, model, state, fields, parameters, seeds, created, next, count,"
        " key, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "tttttttriitt", job->id, job->api, job->model, job_state_name(job->state), job->fields,
        job->parameters, job->seeds, job->created, (int64_t)job->next, (int64_t)job->count,
        job->idempotency_key, job->hash);
}

// Copies a text of a row; one that does not fit, or NULL, becomes "".
static void copy_column(sqlite3_stmt *row, int column, char *text, size_t size) {
    const char *value = (const char *)sqlite3_column_text(row, column);
    size_t bytes = value ? strlen(value) : 0;
    if (bytes >= size) bytes = 0;
    if (bytes) memcpy(text, value, bytes);
    text[bytes] = 0;
}

// Steps to the only row of a statement.
static enum store_result step_once(struct store *store, sqlite3_stmt *row) {
    int code = row ? sqlite3_step(row) : SQLITE_ERROR;
    if (code == SQLITE_ROW) return STORE_OK;
    return code == SQLITE_DONE ? STORE_NONE : store_why(store);
}

enum store_result store_find_key(struct store *store, const char *key, char id[JOB_ID_BYTES],
                                 char hash[65]) {
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *row = store_prepare(store, "SELECT id, hash FROM jobs WHERE key = ?", "t", key);
    enum store_result result = step_once(store, row);
    if (result == STORE_OK) {
        copy_column(row, 0, id, JOB_ID_BYTES);
        copy_column(row, 1, hash, 65);
    }
    sqlite3_finalize(row);
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result store_copy_fields(struct store *store, const char *id, char **fields) {
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *row = store_prepare(
        store, "SELECT fields FROM jobs WHERE id = ? AND fields IS NOT NULL", "t", id);
    enum store_result result = step_once(store, row);
    const char *text = result == STORE_OK ? (const char *)sqlite3_column_text(row, 0) : NULL;
    *fields = text ? cli_copy(text) : NULL;
    if (result == STORE_OK && !*fields) result = STORE_FAILED;
    sqlite3_finalize(row);
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result store_set_next(struct store *store, const char *job, int next) {
    return store_change(store, NEXT, "it", (int64_t)next, job);
}

enum store_result store_finish(struct store *store, const char *id, enum job_state state,
                               const double times[2], const char *error) {
    return store_change(
        store,
        "UPDATE jobs SET state = ?, started = ?, finished = ?, error = ?, fields = NULL"
        " WHERE id = ?",
        "trrtt", job_state_name(state), times[0], times[1], error, id);
}

enum store_result store_count(struct store *store, long counts[JOB_STATES]) {
    enum job_state state;
    int code = SQLITE_ERROR;
    memset(counts, 0, JOB_STATES * sizeof *counts);
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *row = store_prepare(store, "SELECT state, count(*) FROM jobs GROUP BY state", "");
    while (row && (code = sqlite3_step(row)) == SQLITE_ROW)
        if (job_state_find((const char *)sqlite3_column_text(row, 0), &state))
            counts[state] = (long)sqlite3_column_int64(row, 1);
    enum store_result result = code == SQLITE_DONE ? STORE_OK : store_why(store);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&store->lock);
    return result;
}

// ---- visiting jobs ----

// Reads the pictures of a job. Returns their number, or -1: memory is out or the store failed.
static int read_pictures(struct store *store, const char *job, struct store_picture **pictures) {
    int count = 0, capacity = 0, code = SQLITE_ERROR;
    sqlite3_stmt *row = store_prepare(store,
                                      "SELECT id, place, seed, width, height, sha256 FROM pictures"
                                      " WHERE job = ? ORDER BY place",
                                      "t", job);
    while (row && (code = sqlite3_step(row)) == SQLITE_ROW) {
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 4;
            void *more = realloc(*pictures, (size_t)capacity * sizeof **pictures);
            if (!more) break;
            *pictures = more;
        }
        struct store_picture *picture = &(*pictures)[count++];
        copy_column(row, 0, picture->id, sizeof picture->id);
        picture->index = sqlite3_column_int(row, 1);
        picture->seed = (uint64_t)sqlite3_column_int64(row, 2);
        picture->width = sqlite3_column_int(row, 3);
        picture->height = sqlite3_column_int(row, 4);
        copy_column(row, 5, picture->sha256, sizeof picture->sha256);
    }
    sqlite3_finalize(row);
    return code == SQLITE_DONE ? count : -1;
}

static const char *text_of(sqlite3_stmt *row, int column) {
    return (const char *)sqlite3_column_text(row, column);
}

// Gives a row to the callback. *more: it is to get others.
static enum store_result visit_row(struct store *store, sqlite3_stmt *row, bool *more,
                                   bool (*fn)(void *user, const struct store_job *job),
                                   void *user) {
    struct store_picture *pictures = NULL;
    struct store_job job = {.id = text_of(row, 0),
                            .api = text_of(row, 1),
                            .model = text_of(row, 2),
                            .parameters = text_of(row, 4),
                            .seeds = text_of(row, 5),
                            .error = text_of(row, 6),
                            .created = sqlite3_column_double(row, 7),
                            .started = sqlite3_column_double(row, 8),
                            .finished = sqlite3_column_double(row, 9),
                            .next = sqlite3_column_int(row, 10),
                            .count = sqlite3_column_int(row, 11)};
    bool good = job.id && job.api && job.model && job.parameters && job.seeds &&
                job_state_find(text_of(row, 3), &job.state);
    if (good) job.num_pictures = read_pictures(store, job.id, &pictures);
    good = good && job.num_pictures >= 0;
    job.pictures = pictures;
    if (good) *more = fn(user, &job);
    free(pictures);
    return good ? STORE_OK : STORE_FAILED;
}

// Finds the number of a job, by which they are ordered.
static enum store_result find_number(struct store *store, const char *id, int64_t *number) {
    sqlite3_stmt *row = store_prepare(store, "SELECT number FROM jobs WHERE id = ?", "t", id);
    enum store_result result = step_once(store, row);
    if (result == STORE_OK) *number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return result;
}

static sqlite3_stmt *prepare_query(struct store *store, const struct store_query *query,
                                   int64_t before) {
    char sql[400];
    snprintf(sql, sizeof sql,
             "SELECT id, api, model, state, parameters, seeds, error, created, started, finished,"
             " next, count FROM jobs WHERE number < ?1%s%s ORDER BY number%s",
             query->state < 0 ? " AND ?2 IS NULL" : " AND state = ?2",
             query->id ? " AND id = ?3" : " AND ?3 IS NULL", query->oldest_first ? "" : " DESC");
    return store_prepare(store, sql, "itt", before,
                         query->state < 0 ? NULL : job_state_name((enum job_state)query->state),
                         query->id);
}

static enum store_result visit(struct store *store, const struct store_query *query,
                               bool (*fn)(void *user, const struct store_job *job), void *user) {
    int64_t before = INT64_MAX;
    int code = SQLITE_ERROR, rows = 0;
    bool more = true;
    enum store_result result = STORE_OK;
    if (query->after) result = find_number(store, query->after, &before);
    if (result) return result;
    sqlite3_stmt *row = prepare_query(store, query, before);
    while (row && !result && more && (code = sqlite3_step(row)) == SQLITE_ROW) {
        result = visit_row(store, row, &more, fn, user);
        rows++;
    }
    if (!row || (code != SQLITE_DONE && code != SQLITE_ROW)) result = store_why(store);
    sqlite3_finalize(row);
    return result == STORE_OK && query->id && !rows ? STORE_NONE : result;
}

enum store_result store_each(struct store *store, const struct store_query *query,
                             bool (*fn)(void *user, const struct store_job *job), void *user) {
    pthread_mutex_lock(&store->lock);
    enum store_result result = visit(store, query, fn, user);
    pthread_mutex_unlock(&store->lock);
    return result;
}

// ---- pictures ----

static enum store_result record_picture(struct store *store, const char *job,
                                        const struct store_picture *picture) {
    enum store_result result = store_run(store, "BEGIN IMMEDIATE", "");
    if (result) return result;
    result = store_run(store, "INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)", "ttiiiit",
                       picture->id, job, (int64_t)picture->index, (int64_t)picture->seed,
                       (int64_t)picture->width, (int64_t)picture->height, picture->sha256);
    if (!result) result = store_run(store, NEXT, "it", (int64_t)picture->index + 1, job);
    if (!result) result = store_run(store, "COMMIT", "");
    if (result && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

enum store_result store_add_picture(struct store *store, const char *job,
                                    const struct store_picture *picture, const void *png,
                                    size_t bytes) {
    char path[CLI_PATH_BYTES];
    struct fum_error err = {0};
    if (!store_picture_path(store, picture->id, path)) return STORE_FAILED;
    enum fum_result saved = fum_file_save(path, png, bytes, &err);
    if (saved == FUM_ERR_NO_SPACE) return STORE_NO_SPACE;
    if (saved) {
        store_log(store, FUM_LOG_ERROR, "%s", err.text);
        return STORE_FAILED;
    }
    pthread_mutex_lock(&store->lock);
    enum store_result result = record_picture(store, job, picture);
    pthread_mutex_unlock(&store->lock);
    if (result) unlink(path);
    return result;
}

enum store_result store_find_picture(struct store *store, const char *picture_id,
                                     struct jobs_picture *picture) {
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *row =
        store_prepare(store, "SELECT sha256 FROM pictures WHERE id = ?", "t", picture_id);
    enum store_result result = step_once(store, row);
    if (result == STORE_OK) copy_column(row, 0, picture->sha256, sizeof picture->sha256);
    sqlite3_finalize(row);
    pthread_mutex_unlock(&store->lock);
    if (result == STORE_OK && !store_picture_path(store, picture_id, picture->path))
        result = STORE_FAILED;
    return result;
}

// Removes the row first: a file without one is removed at the next start, too.
static enum store_result delete_picture(struct store *store, const char *id) {
    char path[CLI_PATH_BYTES];
    enum store_result result = store_run(store, "DELETE FROM pictures WHERE id = ?", "t", id);
    if (result == STORE_OK && store_picture_path(store, id, path)) unlink(path);
    return result;
}

enum store_result store_delete_picture(struct store *store, const char *picture_id,
                                       char job[JOB_ID_BYTES]) {
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *row =
        store_prepare(store, "SELECT job FROM pictures WHERE id = ?", "t", picture_id);
    enum store_result result = step_once(store, row);
    if (result == STORE_OK) copy_column(row, 0, job, JOB_ID_BYTES);
    sqlite3_finalize(row);
    if (result == STORE_OK) result = delete_picture(store, picture_id);
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum store_result store_delete_pictures(struct store *store, const char *job) {
    struct store_picture *pictures = NULL;
    enum store_result result = STORE_OK;
    pthread_mutex_lock(&store->lock);
    int count = read_pictures(store, job, &pictures);
    if (count < 0) result = STORE_FAILED;
    for (int i = 0; i < count && !result; i++) result = delete_picture(store, pictures[i].id);
    pthread_mutex_unlock(&store->lock);
    free(pictures);
    return result;
}
