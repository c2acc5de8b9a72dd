// SPDX-License-Identifier: MIT
#include "model/model_hash.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "model/components.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 20, MAX_CACHE_BYTES = 512 };

// Smaller files are not cached: reading them again takes less time than the cache does.
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
    // How far it is: `file` files are known, and of the next one `sha` has taken `at` bytes.
    size_t file;
    uint64_t at;
    struct fum_sha256 sha;
    uint8_t *block;
    char result[FUM_SHA256_TEXT]; // "" until every file is known
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

// Writes the state of the file that an entry is valid for; its digest follows.
static void write_stamp(char text[MAX_CACHE_BYTES], const struct hashed_file *file) {
    struct fum_file_stamp s = fum_file_get_stamp(file->open);
    snprintf(text, MAX_CACHE_BYTES, "1 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " ", s.device,
             s.file, s.size, s.modified);
}

static bool is_digest(const char *text) {
    return strspn(text, "0123456789abcdef") == FUM_SHA256_TEXT - 1 &&
           text[FUM_SHA256_TEXT - 1] == '\n';
}

// Takes the digest from the cache, if it holds one of the file as it is now.
static void find_digest(struct hashed_file *file) {
    char stamp[MAX_CACHE_BYTES], *text = NULL;
    char *path = fum_file_size(file->open) < CACHED_BYTES ? NULL : entry_path(file);
    write_stamp(stamp, file);
    size_t n = strlen(stamp);
    if (path && !fum_file_read(path, MAX_CACHE_BYTES, &text, NULL, NULL) &&
        !strncmp(text, stamp, n) && is_digest(text + n)) {
        memcpy(file->digest, text + n, FUM_SHA256_TEXT - 1);
        file->from_cache = true;
    }
    fum_free(text);
    fum_free(path);
}

// Writes the digest to the cache. A cache that cannot be written only costs time, so failures are
// not reported.
static void store_digest(const struct hashed_file *file) {
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

// ---- the work, which allocates nothing ----

// Takes the next block of a file whose digest is not known. False if there is none left, or none
// that can be read.
static bool take_block(struct fum_model_hash *h) {
    while (h->file < h->count && h->files[h->file].digest[0]) h->file++;
    if (h->failed || h->file == h->count) return false;
    struct hashed_file *file = &h->files[h->file];
    uint64_t left = fum_file_size(file->open) - h->at,
             bytes = left < BLOCK_BYTES ? left : BLOCK_BYTES;
    if (!h->at) fum_sha256_begin(&h->sha);
    if (fum_file_read_at(file->open, h->at, bytes, h->block, NULL)) {
        h->failed = true;
        return false;
    }
    fum_sha256_add(&h->sha, h->block, (size_t)bytes);
    h->at += bytes;
    if (bytes == left) {
        fum_sha256_end(&h->sha, file->digest);
        h->at = 0;
    }
    return true;
}

static void *hash_thread(void *user) {
    struct fum_model_hash *h = user;
    while (!atomic_load(&h->stop) && take_block(h)) continue;
    return NULL;
}

static void combine_digests(struct fum_model_hash *h) {
    struct fum_sha256 sha;
    fum_sha256_begin(&sha);
    for (size_t i = 0; i < h->count; i++)
        fum_sha256_add(&sha, h->files[i].digest, FUM_SHA256_TEXT - 1);
    if (h->model->folder || h->count > 1)
        fum_sha256_end(&sha, h->result);
    else
        memcpy(h->result, h->files[0].digest, sizeof h->result);
    for (size_t i = 0; i < h->count; i++) store_digest(&h->files[i]);
}

// ---- from outside ----

static void add_files(struct fum_model_hash *h, const fum_loader *loader) {
    for (size_t i = 0; i < fum_loader_file_count(loader); i++)
        if (fum_loader_open_file(loader, i))
            h->files[h->count++] = (struct hashed_file){.path = fum_loader_file(loader, i),
                                                        .open = fum_loader_open_file(loader, i)};
}

// Returns the index-th loader of the model's own files, NULL past the last. Files that replace
// components of a single file are none of its.
static const fum_loader *find_loader(const fum_model *model, int index) {
    if (model->file) return index ? NULL : model->file;
    for (int i = 0; i < model->num_components; i++)
        if (model->components[i].own_loader && index-- == 0) return model->components[i].own_loader;
    return NULL;
}

static size_t count_files(const fum_model *model) {
    const fum_loader *loader;
    size_t count = 0;
    for (int i = 0; (loader = find_loader(model, i)); i++) count += fum_loader_file_count(loader);
    return count;
}

// Compares paths. All paths of a folder begin alike, so this is the order of their names in it.
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
    const fum_loader *loader;
    for (int i = 0; (loader = find_loader(model, i)); i++) add_files(h, loader);
    qsort(h->files, h->count, sizeof *h->files, by_path);
    for (size_t i = 0; i < h->count; i++) find_digest(&h->files[i]);
    h->failed = h->count == 0;
    // Without a thread the work is done when the result is needed.
    h->running = !h->failed && !pthread_create(&h->thread, NULL, hash_thread, h);
    return FUM_OK;
}

static void stop_thread(struct fum_model_hash *h) {
    atomic_store(&h->stop, true);
    if (h->running) pthread_join(h->thread, NULL);
    h->running = false;
}

const char *fum_model_hash_wait(struct fum_model_hash *h, bool (*go_on)(void *user), void *user) {
    if (!h) return NULL;
    stop_thread(h); // at the end of a block; the rest is done here, where it can be cancelled
    while (!h->result[0] && take_block(h))
        if (go_on && !go_on(user)) return NULL;
    if (!h->result[0] && !h->failed) combine_digests(h);
    return h->result[0] ? h->result : NULL;
}

enum fum_result fum_model_hash(const fum_model *model, char hash[65], bool (*go_on)(void *user),
                               void *user, struct fum_error *err) {
    struct fum_model_hash *h = NULL;
    enum fum_result result = fum_model_hash_begin(&h, model, err);
    if (result) return result;
    const char *digest = fum_model_hash_wait(h, go_on, user);
    if (digest)
        memcpy(hash, digest, FUM_SHA256_TEXT);
    else if (!h || h->failed)
        result = fum_error_set(err, FUM_ERR_IO, "%s: its weights cannot be read for their hash",
                               model->info.path);
    else
        result = fum_error_set(err, FUM_ERR_CANCELLED, "%s: its hash was not needed any more",
                               model->info.path);
    fum_model_hash_end(&h);
    return result;
}

void fum_model_hash_end(struct fum_model_hash **hash) {
    if (!hash || !*hash) return;
    stop_thread(*hash);
    fum_free((*hash)->files);
    fum_free((*hash)->block);
    fum_free(*hash);
    *hash = NULL;
}
