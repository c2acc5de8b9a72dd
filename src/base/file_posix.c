// SPDX-License-Identifier: MIT
// Inspects and reads files on POSIX systems.
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#include "base/file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fum_file {
    int fd;
    uint64_t size;
    struct fum_file_stamp stamp;
    char *path;
};

// Systems cap one read below 2 GiB.
#define READ_BYTES (UINT64_C(1) << 30)

static enum fum_result io_error(struct fum_error *err, const char *doing, const char *path) {
    return fum_error_set(err, FUM_ERR_IO, "cannot %s %s: %s", doing, path, strerror(errno));
}

// Returns when the file last changed, in nanoseconds: within a second it may change twice.
static int64_t modified_at(const struct stat *st) {
#if defined(__APPLE__)
    int64_t nanoseconds = st->st_mtimensec;
#else
    int64_t nanoseconds = st->st_mtim.tv_nsec;
#endif
    return (int64_t)st->st_mtime * 1000000000 + nanoseconds;
}

static enum fum_result check_regular(const struct stat *st, const char *path,
                                     struct fum_error *err) {
    if (S_ISREG(st->st_mode)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_IO, "cannot read %s: it is %s", path,
                         S_ISDIR(st->st_mode) ? "a folder" : "not a regular file");
}

enum fum_result fum_file_open(struct fum_file **file, const char *path, struct fum_error *err) {
    struct stat st;
    enum fum_result result = FUM_OK;
    struct fum_file *f = *file = fum_calloc(1, sizeof *f);
    if (f) {
        f->fd = -1;
        f->path = fum_strdup(path);
    }
    if (!f || !f->path) {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory to open %s", path);
        goto error;
    }
    // The kind is checked before opening, since opening a device can have effects, and again
    // afterwards, since the file may be replaced.
    if (stat(path, &st) != 0) result = io_error(err, "open", path);
    if (!result) result = check_regular(&st, path, err);
    if (result) goto error;
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        result = io_error(err, "open", path);
        goto error;
    }
    if ((result = check_regular(&st, path, err))) goto error;
    f->size = (uint64_t)st.st_size;
    f->stamp = (struct fum_file_stamp){
        .device = (uint64_t)st.st_dev,
        .file = (uint64_t)st.st_ino,
        .size = f->size,
        .modified = modified_at(&st),
    };
    return FUM_OK;
error:
    fum_file_close(file);
    return result;
}

void fum_file_close(struct fum_file **file) {
    if (!file || !*file) return;
    if ((*file)->fd >= 0) close((*file)->fd);
    fum_free((*file)->path);
    fum_free(*file);
    *file = NULL;
}

uint64_t fum_file_size(const struct fum_file *file) {
    return file->size;
}

struct fum_file_stamp fum_file_stamp(const struct fum_file *file) {
    return file->stamp;
}

static enum fum_result shrunk(const struct fum_file *file, struct fum_error *err) {
    struct stat st;
    if (fstat(file->fd, &st) != 0) return io_error(err, "read", file->path);
    return fum_error_set(
        err, FUM_ERR_IO, "cannot read %s: it now has %llu bytes, not %llu; is it being replaced?",
        file->path, (unsigned long long)st.st_size, (unsigned long long)file->size);
}

enum fum_result fum_file_read_at(const struct fum_file *file, uint64_t offset, uint64_t bytes,
                                 void *to, struct fum_error *err) {
    uint8_t *p = to;
    while (bytes) {
        ssize_t n =
            pread(file->fd, p, (size_t)(bytes < READ_BYTES ? bytes : READ_BYTES), (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(err, "read", file->path);
        if (n == 0) return shrunk(file, err);
        p += n;
        offset += (uint64_t)n;
        bytes -= (uint64_t)n;
    }
    return FUM_OK;
}

enum fum_result fum_file_look(const char *path, enum fum_file_kind *kind, struct fum_error *err) {
    struct stat st;
    *kind = FUM_FILE_NONE;
    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR ? FUM_OK : io_error(err, "open", path);
    if (S_ISREG(st.st_mode))
        *kind = FUM_FILE_REGULAR;
    else
        *kind = S_ISDIR(st.st_mode) ? FUM_FILE_FOLDER : FUM_FILE_OTHER;
    return FUM_OK;
}

enum fum_result fum_path_make_dir(const char *path, struct fum_error *err) {
    return mkdir(path, 0777) == 0 || errno == EEXIST ? FUM_OK
                                                     : io_error(err, "create folder", path);
}

double fum_time_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}
