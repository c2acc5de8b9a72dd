#include "model/model_hash.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "model/model_parts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 20, MAX_CACHE_BYTES = 512 };

// A smaller file is read again sooner than a cache could answer for it.
#define CACHED_BYTES (UINT64_C(64) << 20)

struct hashed_file {
    const char *path; // belongs to the loader
    const struct fum_file *open;
    char digest[FUM_SHA256_TEXT]; // "" until it is known
    bool from_cache;
};

struct fum_model_hash {
    const fum_model *model;
    struct hashed_file *files;
    size_t count;
    uint8_t *block;
    char result[FUM_SHA256_TEXT];
    pthread_t thread;
    bool running, failed;
    atomic_bool stop;
};

// ---- the cache: a file per weight file, of one line ----

// Returns the name of the entry, freed with fum_free; NULL without a cache folder or memory.
static char *entry_path(const struct hashed_file *file) {
    char digest[FUM_SHA256_TEXT], name[32];
    struct fum_sha256 sha;
    fum_sha256_begin(&sha);
    fum_sha256_add(&sha, file->path, strlen(file->path));
    fum_sha256_end(&sha, digest);
    snprintf(name, sizeof name, "sha256-%.16s.txt", digest);
    fum_arena *arena = fum_arena_create();
    const char *dir = arena ? fum_path_cache_dir(arena) : NULL;
    const char *path = dir ? fum_path_join(arena, dir, name) : NULL;
    char *copy = path ? fum_strdup(path) : NULL;
    fum_arena_destroy(&arena);
    return copy;
}

// The state of the file that an entry holds for, and then its digest.
static void write_stamp(char text[MAX_CACHE_BYTES], const struct hashed_file *file) {
    struct fum_file_stamp s = fum_file_stamp(file->open);
    snprintf(text, MAX_CACHE_BYTES, "1 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " ", s.device, s.file,
             s.size, s.modified);
}

static bool is_digest(const char *text) {
    return strspn(text, "0123456789abcdef") == FUM_SHA256_TEXT - 1 && text[FUM_SHA256_TEXT - 1] == '\n';
}

static void look_up(struct hashed_file *file) {
    char stamp[MAX_CACHE_BYTES], *text = NULL;
    char *path = fum_file_size(file->open) < CACHED_BYTES ? NULL : entry_path(file);
    write_stamp(stamp, file);
    size_t n = strlen(stamp);
    if (path && !fum_file_read(path, MAX_CACHE_BYTES, &text, NULL, NULL) && !strncmp(text, stamp, n) &&
        is_digest(text + n)) {
        memcpy(file->digest, text + n, FUM_SHA256_TEXT - 1);
        file->from_cache = true;
    }
    fum_free(text);
    fum_free(path);
}

// A cache that cannot be written only costs time, so failures are not reported.
static void keep(const struct hashed_file *file) {
    char text[MAX_CACHE_BYTES];
    fum_file_writer *writer = NULL;
    if (file->from_cache || !file->digest[0] || fum_file_size(file->open) < CACHED_BYTES) return;
    char *path = entry_path(file);
    write_stamp(text, file);
    size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, "%s\n", file->digest);
    enum fum_result result = path ? fum_file_begin_own(&writer, path, NULL) : FUM_ERR_NOMEM;
    if (!result) result = fum_file_write(writer, text, strlen(text), NULL);
    if (!result) result = fum_file_commit(&writer, NULL);
    fum_file_abort(&writer);
    fum_free(path);
}

// ---- the thread, which allocates nothing ----

static bool read_digest(struct fum_model_hash *h, struct hashed_file *file) {
    struct fum_sha256 sha;
    uint64_t size = fum_file_size(file->open);
    fum_sha256_begin(&sha);
    for (uint64_t at = 0; at < size; at += BLOCK_BYTES) {
        uint64_t bytes = size - at < BLOCK_BYTES ? size - at : BLOCK_BYTES;
        if (atomic_load(&h->stop) || fum_file_read_at(file->open, at, bytes, h->block, NULL)) return false;
        fum_sha256_add(&sha, h->block, (size_t)bytes);
    }
    fum_sha256_end(&sha, file->digest);
    return true;
}

static void *hash_thread(void *user) {
    struct fum_model_hash *h = user;
    struct fum_sha256 sha;
    fum_sha256_begin(&sha);
    for (size_t i = 0; i < h->count; i++) {
        struct hashed_file *file = &h->files[i];
        if (!file->digest[0] && !read_digest(h, file)) {
            h->failed = true;
            return NULL;
        }
        fum_sha256_add(&sha, file->digest, FUM_SHA256_TEXT - 1);
    }
    if (h->model->folder)
        fum_sha256_end(&sha, h->result);
    else
        memcpy(h->result, h->files[0].digest, sizeof h->result);
    return NULL;
}

// ---- from outside ----

static void add_files(struct fum_model_hash *h, const fum_loader *loader) {
    for (size_t i = 0; loader && i < fum_loader_file_count(loader); i++)
        if (fum_loader_open_file(loader, i))
            h->files[h->count++] = (struct hashed_file){.path = fum_loader_file(loader, i),
                                                        .open = fum_loader_open_file(loader, i)};
}

static size_t count_files(const fum_model *model) {
    size_t count = model->file ? fum_loader_file_count(model->file) : 0;
    for (int i = 0; i < model->num_parts; i++)
        if (model->parts[i].own_loader) count += fum_loader_file_count(model->parts[i].own_loader);
    return count;
}

// All paths of a folder begin alike, so this is the order of their names in it.
static int by_path(const void *a, const void *b) {
    return strcmp(((const struct hashed_file *)a)->path, ((const struct hashed_file *)b)->path);
}

enum fum_result fum_model_hash_begin(struct fum_model_hash **hash, const fum_model *model,
                                     struct fum_error *err) {
    size_t count = count_files(model);
    *hash = NULL;
    if (!count) return FUM_OK;
    struct fum_model_hash *h = *hash = fum_calloc(1, sizeof *h);
    if (h) h->files = fum_calloc(count, sizeof *h->files);
    if (h) h->block = fum_alloc(BLOCK_BYTES, 1);
    if (!h || !h->files || !h->block) {
        fum_model_hash_end(hash);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to hash the model's files");
    }
    h->model = model;
    add_files(h, model->file);
    for (int i = 0; i < model->num_parts; i++) add_files(h, model->parts[i].own_loader);
    qsort(h->files, h->count, sizeof *h->files, by_path);
    for (size_t i = 0; i < h->count; i++) look_up(&h->files[i]);
    h->running = h->count > 0 && !pthread_create(&h->thread, NULL, hash_thread, h);
    if (!h->running && h->count > 0) hash_thread(h);
    return FUM_OK;
}

const char *fum_model_hash_wait(struct fum_model_hash *h) {
    if (!h) return NULL;
    if (h->running) {
        pthread_join(h->thread, NULL);
        h->running = false;
        for (size_t i = 0; i < h->count; i++) keep(&h->files[i]);
    }
    return h->failed || !h->result[0] ? NULL : h->result;
}

void fum_model_hash_end(struct fum_model_hash **hash) {
    if (!hash || !*hash) return;
    struct fum_model_hash *h = *hash;
    atomic_store(&h->stop, true);
    if (h->running) pthread_join(h->thread, NULL);
    fum_free(h->files);
    fum_free(h->block);
    fum_free(h);
    *hash = NULL;
}
