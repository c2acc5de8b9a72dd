#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#include "base/file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum fum_result io_error(struct fum_error *err, const char *doing, const char *path) {
    return fum_error_set(err, FUM_ERR_IO, "cannot %s %s: %s", doing, path, strerror(errno));
}

enum fum_result fum_mapping_open(struct fum_mapping *mapping, const char *path, struct fum_error *err) {
    *mapping = (struct fum_mapping){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_error(err, "open", path);
    struct stat st;
    enum fum_result result = FUM_OK;
    if (fstat(fd, &st) != 0) {
        result = io_error(err, "read", path);
    } else if (!S_ISREG(st.st_mode)) {
        result = fum_error_set(err, FUM_ERR_IO, "cannot read %s: it is not a regular file", path);
    } else if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            result = io_error(err, "map", path);
        } else {
            mapping->data = p;
            mapping->size = (uint64_t)st.st_size;
        }
    }
    close(fd);
    return result;
}

void fum_mapping_close(struct fum_mapping *mapping) {
    if (mapping->data) munmap((void *)(uintptr_t)mapping->data, (size_t)mapping->size);
    *mapping = (struct fum_mapping){0};
}

void fum_mapping_release(const struct fum_mapping *mapping, uint64_t offset, uint64_t bytes) {
    if (!mapping->data) return;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = (offset + page - 1) / page * page, last = (offset + bytes) / page * page;
    if (last > first) madvise((void *)(uintptr_t)(mapping->data + first), (size_t)(last - first), MADV_DONTNEED);
}

enum fum_result fum_file_read(const char *path, size_t max_bytes, char **text, size_t *bytes, struct fum_error *err) {
    struct fum_mapping mapping;
    enum fum_result result = fum_mapping_open(&mapping, path, err);
    if (result) return result;
    if (mapping.size > max_bytes) {
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: %llu bytes, more than the %zu that such a file may have", path,
                               (unsigned long long)mapping.size, max_bytes);
    } else if (!(*text = fum_alloc((size_t)mapping.size + 1, 1))) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its %llu bytes", path,
                               (unsigned long long)mapping.size);
    } else {
        if (mapping.size) memcpy(*text, mapping.data, (size_t)mapping.size);
        (*text)[mapping.size] = 0;
        if (bytes) *bytes = (size_t)mapping.size;
    }
    fum_mapping_close(&mapping);
    return result;
}

struct fum_file_writer {
    int fd;
    char *path, *part; // part NULL: written through
};

enum fum_result fum_file_begin(struct fum_file_writer **writer, const char *path, struct fum_error *err) {
    struct fum_file_writer *w = fum_calloc(1, sizeof *w);
    *writer = w;
    if (!w) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
    w->fd = -1;
    struct stat st;
    bool through = lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
    size_t room = strlen(path) + 32;
    w->path = fum_strdup(path);
    w->part = through ? NULL : fum_alloc(room, 1);
    if (!w->path || (!w->part && !through)) {
        fum_file_abort(writer);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
    }
    if (fum_path_is_dir(path)) {
        fum_file_abort(writer);
        return fum_error_set(err, FUM_ERR_IO, "cannot write %s: it is a folder", path);
    }
    if (!through) snprintf(w->part, room, "%s.%ld.part", path, (long)getpid());
    w->fd = open(through ? path : w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        enum fum_result result = io_error(err, "write", path);
        fum_file_abort(writer);
        return result;
    }
    return FUM_OK;
}

enum fum_result fum_file_write(struct fum_file_writer *w, const void *data, size_t bytes, struct fum_error *err) {
    const char *p = data;
    while (bytes) {
        ssize_t n = write(w->fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(err, "write", w->path);
        p += n;
        bytes -= (size_t)n;
    }
    return FUM_OK;
}

enum fum_result fum_file_commit(struct fum_file_writer **writer, struct fum_error *err) {
    struct fum_file_writer *w = *writer;
    enum fum_result result = FUM_OK;
    if (fsync(w->fd) != 0 && errno != EINVAL && errno != EROFS) result = io_error(err, "write", w->path);
    if (close(w->fd) != 0 && !result) result = io_error(err, "write", w->path);
    w->fd = -1;
    if (!result && w->part && rename(w->part, w->path) != 0) result = io_error(err, "write", w->path);
    if (!result) {
        fum_free(w->part);
        w->part = NULL;
    }
    fum_file_abort(writer);
    return result;
}

void fum_file_abort(struct fum_file_writer **writer) {
    if (!writer || !*writer) return;
    struct fum_file_writer *w = *writer;
    if (w->fd >= 0) close(w->fd);
    if (w->part) unlink(w->part);
    fum_free(w->part);
    fum_free(w->path);
    fum_free(w);
    *writer = NULL;
}

bool fum_path_is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fum_path_is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *fum_path_join(fum_arena *arena, const char *dir, const char *name) {
    size_t n = strlen(dir);
    return fum_arena_printf(arena, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

enum fum_result fum_path_make_dirs(const char *path, struct fum_error *err) {
    char *copy = fum_strdup(path);
    if (!copy) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    enum fum_result result = FUM_OK;
    for (char *p = copy + 1; !result; p++) {
        if (*p != '/' && *p) continue;
        char at = *p;
        *p = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) result = io_error(err, "create folder", copy);
        *p = at;
        if (!at) break;
    }
    fum_free(copy);
    return result;
}

char *fum_path_cache_dir(fum_arena *arena) {
    const char *own = getenv("FUMAROLE_CACHE");
    if (own && *own) return fum_arena_strdup(arena, own);
    const char *xdg = getenv("XDG_CACHE_HOME");
    if (xdg && *xdg == '/') return fum_path_join(arena, xdg, "fumarole");
    const char *home = getenv("HOME");
    return home && *home ? fum_path_join(arena, home, ".cache/fumarole") : NULL;
}

double fum_time_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}
