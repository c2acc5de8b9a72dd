// SPDX-License-Identifier: MIT
// Inspects and reads files on POSIX systems.
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#include "base/file_system.h"

#include "base/error.h"
#include "base/require.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Systems cap one read below 2 GiB.
#define READ_BYTES (UINT64_C(1) << 30)

enum fum_result fum_system_error(struct fum_error *err, const char *doing, const char *path) {
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return fum_error_set(err, full ? FUM_ERR_NO_SPACE : FUM_ERR_IO, "cannot %s %s: %s", doing, path,
                         strerror(errno));
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

enum fum_result fum_system_open(struct fum_file *f, struct fum_error *err) {
    struct stat st;
    // The kind is checked before opening, since opening a device can have effects, and again
    // afterwards, since the file may be replaced.
    if (stat(f->path, &st) != 0) return fum_system_error(err, "open", f->path);
    enum fum_result result = check_regular(&st, f->path, err);
    if (result) return result;
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) != 0) return fum_system_error(err, "open", f->path);
    result = check_regular(&st, f->path, err);
    if (result) return result;
    f->size = (uint64_t)st.st_size;
    f->stamp = (struct fum_file_stamp){
        .device = (uint64_t)st.st_dev,
        .file = (uint64_t)st.st_ino,
        .size = f->size,
        .modified = modified_at(&st),
    };
    return FUM_OK;
}

void fum_system_close(struct fum_file *file) {
    if (file->fd >= 0) close(file->fd);
}

enum fum_result fum_system_read(const struct fum_file *file, uint64_t offset, uint64_t bytes,
                                void *to, uint64_t *got) {
    size_t most = (size_t)(bytes < READ_BYTES ? bytes : READ_BYTES);
    ssize_t n;
    do n = pread(file->fd, to, most, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n < 0) return FUM_ERR_IO;
    *got = (uint64_t)n;
    return FUM_OK;
}

uint64_t fum_system_size(const struct fum_file *file) {
    struct stat st;
    return fstat(file->fd, &st) ? 0 : (uint64_t)st.st_size;
}

enum fum_result fum_file_look(const char *path, enum fum_file_kind *kind, struct fum_error *err) {
    struct stat st;
    *kind = FUM_FILE_NONE;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR ? FUM_OK : fum_system_error(err, "open", path);
    if (S_ISREG(st.st_mode))
        *kind = FUM_FILE_REGULAR;
    else
        *kind = S_ISDIR(st.st_mode) ? FUM_FILE_FOLDER : FUM_FILE_OTHER;
    return FUM_OK;
}

enum fum_result fum_path_make_dir(const char *path, struct fum_error *err) {
    return mkdir(path, 0777) == 0 || errno == EEXIST ? FUM_OK
                                                     : fum_system_error(err, "create folder", path);
}

enum fum_result fum_system_list(const char *dir, bool (*add)(void *user, const char *name),
                                void *user, struct fum_error *err) {
    DIR *folder = opendir(dir);
    const struct dirent *entry = NULL;
    bool good = true;
    if (!folder) return fum_system_error(err, "open folder", dir);
    errno = 0;
    while (good && (entry = readdir(folder)) != NULL) {
        good = add(user, entry->d_name);
        errno = 0;
    }
    enum fum_result result = FUM_OK;
    if (!good)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the names in %s", dir);
    else if (errno)
        result = fum_system_error(err, "read folder", dir);
    closedir(folder);
    return result;
}

enum fum_result fum_file_append(const char *path, const void *data, size_t bytes,
                                struct fum_error *err) {
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    const char *from = data;
    if (fd < 0) return fum_system_error(err, "write", path);
    while (bytes) {
        ssize_t done = write(fd, from, bytes);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) break;
        from += done;
        bytes -= (size_t)done;
    }
    enum fum_result result = bytes ? fum_system_error(err, "write", path) : FUM_OK;
    close(fd);
    return result;
}

enum fum_result fum_path_remove(const char *path, struct fum_error *err) {
    if (remove(path) == 0 || errno == ENOENT) return FUM_OK;
    return fum_system_error(err, "remove", path);
}

double fum_time_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}
