// SPDX-License-Identifier: MIT
#include "manifest.h"

#include "../job/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_MANIFEST_BYTES = 1 << 30 };

void manifest_name(char name[MANIFEST_NAME_BYTES], int line, int index) {
    snprintf(name, MANIFEST_NAME_BYTES, "%05d-%d.png", line, index);
}

// ---- reading ----

// Reads the numbers of a picture from the name of its file.
static bool read_name(const char *name, int *line, int *index) {
    char again[MANIFEST_NAME_BYTES];
    if (!name || sscanf(name, "%d-%d.png", line, index) != 2 || *line < 1 || *index < 0)
        return false;
    manifest_name(again, *line, *index);
    return strcmp(name, again) == 0;
}

// True if the file of a row is there with its hash.
static bool has_file(const struct manifest *manifest, const char *name, const char *sha256) {
    char found[FUM_SHA256_TEXT];
    char *path = cli_join(manifest->dir, name);
    bool same = path && sha256 && fum_file_sha256(path, found, NULL) == FUM_OK &&
                strcmp(found, sha256) == 0;
    free(path);
    return same;
}

static int add_entry(struct manifest *manifest, const struct manifest_entry *entry) {
    if (manifest->count == manifest->capacity) {
        size_t capacity = manifest->capacity ? 2 * manifest->capacity : 64;
        struct manifest_entry *grown = realloc(manifest->entries, capacity * sizeof *grown);
        if (!grown) return cli_fail("out of memory");
        manifest->entries = grown;
        manifest->capacity = capacity;
    }
    manifest->entries[manifest->count++] = *entry;
    return 0;
}

// Reads a row. Returns false if it is to leave the manifest.
static bool read_row(const struct manifest *manifest, const char *text, size_t bytes,
                     struct manifest_entry *entry) {
    struct job_json_error error;
    cJSON *row = NULL;
    if (job_json_read(&row, text, bytes, &error) != CLI_JSON_GOOD) return false;
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "file")),
               *sha256 = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "sha256"));
    const cJSON *line = cJSON_GetObjectItemCaseSensitive(row, "line"),
                *seed = cJSON_GetObjectItemCaseSensitive(row, "seed");
    bool good = read_name(name, &entry->line, &entry->index) && cJSON_IsNumber(line) &&
                line->valuedouble == entry->line && cJSON_IsNumber(seed) &&
                seed->valuedouble >= 0 && seed->valuedouble < 0x1p64 &&
                has_file(manifest, name, sha256);
    if (good) entry->seed = (uint64_t)seed->valuedouble;
    cJSON_Delete(row);
    return good;
}

// Reads the rows that stay, with their places in the text.
static int read_rows(struct manifest *manifest, const char *text, size_t bytes) {
    int status = 0;
    for (size_t at = 0; at < bytes && status == 0;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        struct manifest_entry entry = {.at = at,
                                       .bytes = end ? (size_t)(end - text) - at : bytes - at};
        if (read_row(manifest, text + at, entry.bytes, &entry))
            status = add_entry(manifest, &entry);
        at += entry.bytes + 1;
    }
    return status;
}

static int by_place(const void *a, const void *b) {
    const struct manifest_entry *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

// Sorts the entries and drops those of a picture that has one. Returns the bytes of all their rows.
static size_t sort_entries(struct manifest *manifest) {
    size_t kept = 0, bytes = 0;
    if (manifest->count)
        qsort(manifest->entries, manifest->count, sizeof *manifest->entries, by_place);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i],
                                    *before = &manifest->entries[kept ? kept - 1 : 0];
        if (kept && entry->line == before->line && entry->index == before->index) continue;
        bytes += entry->bytes + 1;
        manifest->entries[kept++] = *entry;
    }
    manifest->count = kept;
    return bytes;
}

// Writes the manifest again with the rows of the entries alone.
static int write_again(const struct manifest *manifest, const char *text) {
    struct fum_error err = {0};
    fum_file_writer *writer = NULL;
    enum fum_result result = fum_file_begin(&writer, manifest->path, &err);
    for (size_t i = 0; i < manifest->count && result == FUM_OK; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        result = fum_file_write(writer, text + entry->at, entry->bytes, &err);
        if (result == FUM_OK) result = fum_file_write(writer, "\n", 1, &err);
    }
    if (result == FUM_OK)
        result = fum_file_commit(&writer, &err);
    else
        fum_file_abort(&writer);
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

static int read_manifest(struct manifest *manifest) {
    size_t bytes = 0;
    char *text = cli_read_text(manifest->path, MAX_MANIFEST_BYTES, &bytes);
    if (!text) return CLI_FAILED;
    int status = read_rows(manifest, text, bytes);
    if (status == 0 && sort_entries(manifest) != bytes) status = write_again(manifest, text);
    free(text);
    return status;
}

// ---- the folder ----

int manifest_open(struct manifest *manifest, const char *dir) {
    struct fum_error err = {0};
    enum fum_file_kind kind = FUM_FILE_NONE;
    *manifest = (struct manifest){
        .dir = cli_copy(dir), .path = cli_join(dir, "manifest.jsonl"), .lock = -1};
    if (!manifest->dir || !manifest->path) return cli_fail("out of memory");
    enum fum_result result = fum_file_look(manifest->path, &kind, &err);
    // Makes the folder, too.
    if (result == FUM_OK && kind == FUM_FILE_NONE)
        result = fum_file_save(manifest->path, "", 0, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    if (!cli_lock_folder(manifest->dir, &manifest->lock))
        return cli_fail("%s: another batch is writing there", manifest->dir);
    fum_file_clean_own(manifest->path);
    return read_manifest(manifest);
}

void manifest_close(struct manifest *manifest) {
    cli_unlock_folder(&manifest->lock);
    free(manifest->dir);
    free(manifest->path);
    free(manifest->entries);
    *manifest = (struct manifest){.lock = -1};
}

static int compare_line(const void *key, const void *entry) {
    int wanted = *(const int *)key, line = ((const struct manifest_entry *)entry)->line;
    return (wanted > line) - (wanted < line);
}

const struct manifest_entry *manifest_find(const struct manifest *manifest, int line) {
    const struct manifest_entry *entry = NULL;
    if (manifest->count)
        entry = bsearch(&line, manifest->entries, manifest->count, sizeof *entry, compare_line);
    while (entry && entry > manifest->entries && entry[-1].line == line) entry--;
    return entry;
}

// ---- writing ----

// Returns the row as a line of text, to free with free().
static char *write_row(const struct manifest_row *row, const char *name) {
    cJSON *device = cJSON_CreateString(row->device);
    char *quoted = device ? cJSON_PrintUnformatted(device) : NULL;
    size_t size = quoted ? strlen(quoted) + strlen(name) + 250 : 0;
    char *text = quoted ? malloc(size) : NULL;
    if (text)
        snprintf(text, size,
                 "{\"line\":%d,\"file\":\"%s\",\"seed\":%llu,\"seconds\":%.3f,\"device\":%s,"
                 "\"rank\":%d,\"sha256\":\"%s\"}\n",
                 row->line, name, (unsigned long long)row->seed, row->seconds, quoted, row->rank,
                 row->sha256);
    cJSON_free(quoted);
    cJSON_Delete(device);
    return text;
}

enum fum_result manifest_add(const struct manifest *manifest, const struct manifest_row *row,
                             struct fum_error *err) {
    char name[MANIFEST_NAME_BYTES];
    manifest_name(name, row->line, row->index);
    char *path = cli_join(manifest->dir, name), *text = write_row(row, name);
    enum fum_result result = FUM_ERR_NOMEM;
    *err = (struct fum_error){FUM_ERR_NOMEM, "out of memory"};
    if (path && text) result = fum_file_save(path, row->png, row->bytes, err);
    if (result == FUM_OK) result = fum_file_append(manifest->path, text, strlen(text), err);
    free(path);
    free(text);
    return result;
}
