// SPDX-License-Identifier: MIT
// Writes files on POSIX systems as fumarole/file.h specifies.
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#define _GNU_SOURCE // O_PATH
#include "base/file_system.h"

#include "base/error.h"
#include "base/require.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_LINKS = 40,      // as the system allows
    MAX_TRIES = 100,     // of names for the unfinished file
    STALE_SECONDS = 600, // younger unfinished files are never removed
    MAX_SCANNED = 1 << 16,
};

// Names of unfinished files are short, so that they fit wherever the name itself fits. 16 digits
// stand between the two.
#define PART_START ".fumarole-"
#define PART_END   ".part"
enum { PART_DIGITS = 16, PART_BYTES = sizeof PART_START + PART_DIGITS + sizeof PART_END };

struct fum_file_writer {
    struct fum_write_buffer buffer; // first: see file_system.h
    char *path;                     // as given, for errors
    char *name;                     // the name to write, with links resolved
    size_t base;                    // where the last part of `name` begins
    bool named;                     // by the user
    bool through;                   // opened under its own name at the first write
    int folder;                     // of `name`; -1: not needed
    int fd;                         // -1: not open yet
    char part[PART_BYTES];          // the unfinished file in the folder; "": none
    size_t made; // length of `name` from which on its folders were made here; 0: none
};

static enum fum_result write_error(const fum_file_writer *w, struct fum_error *err) {
    return fum_system_error(err, "write", w->path);
}

static enum fum_result no_memory(const char *path, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", path);
}

static size_t base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

// ---- links ----

// Returns the path that a link at `path` leads to, or NULL with errno set.
static char *read_link(const char *path) {
    char target[4096];
    ssize_t n = readlink(path, target, sizeof target);
    if (n >= (ssize_t)sizeof target) errno = ENAMETOOLONG;
    if (n < 0 || n >= (ssize_t)sizeof target) return NULL;
    size_t head = target[0] == '/' ? 0 : base_of(path), bytes = head + (size_t)n + 1;
    char *joined = fum_alloc(bytes, 1);
    if (!joined) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(joined, path, head);
    memcpy(joined + head, target, (size_t)n);
    joined[bytes - 1] = 0;
    return joined;
}

// Follows links to the name of the file itself. Returns it in memory of its own, or NULL with errno
// set. *links counts the links. Stops in /proc, whose links name open files, which are written
// through.
static char *follow_links(const char *path, int *links) {
    struct stat st;
    char *name = fum_strdup(path);
    if (!name) errno = ENOMEM;
    for (*links = 0; name && strncmp(name, "/proc/", 6) != 0; ++*links) {
        if (lstat(name, &st) != 0 || !S_ISLNK(st.st_mode)) break;
        char *next = *links < MAX_LINKS ? read_link(name) : NULL;
        if (*links >= MAX_LINKS) errno = ELOOP;
        fum_free(name);
        name = next;
    }
    return name;
}

// ---- folders ----

// Returns the folder of `name`, freed with fum_free, or NULL when memory is out.
static char *folder_of(const fum_file_writer *w) {
    if (!w->base) return fum_strdup(".");
    char *dir = fum_strdup(w->name);
    if (dir) dir[w->base > 1 ? w->base - 1 : 1] = 0;
    return dir;
}

// Makes the missing folders of `dir`, and notes the first.
static bool make_folders(fum_file_writer *w, char *dir) {
    for (size_t i = 1;; i++) {
        char at = dir[i];
        if (at && at != '/') continue;
        dir[i] = 0;
        bool made = mkdir(dir, 0777) == 0, good = made || errno == EEXIST;
        if (made && !w->made) w->made = i;
        dir[i] = at;
        if (!good || !at) return good;
    }
}

// Removes the folders that were made here and are still empty.
static void remove_folders(fum_file_writer *w) {
    for (size_t i = w->base; w->made && i-- > w->made;) {
        if (w->name[i] != '/') continue;
        w->name[i] = 0;
        rmdir(w->name);
    }
}

// Opens the folder: to sync it later if it is readable, else only to name files in it.
static int open_folder(const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
#ifdef O_PATH
    if (fd < 0 && errno == EACCES) fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
#endif
    return fd;
}

static enum fum_result enter_folder(fum_file_writer *w, bool make, struct fum_error *err) {
    char *dir = folder_of(w);
    if (!dir) return no_memory(w->path, err);
    w->folder = open_folder(dir);
    if (w->folder < 0 && errno == ENOENT && make && make_folders(w, dir))
        w->folder = open_folder(dir);
    enum fum_result result = w->folder < 0 ? write_error(w, err) : FUM_OK;
    fum_free(dir);
    return result;
}

// ---- unfinished files ----

// Creates the unfinished file. It stays locked while it is open, which shows other programs that it
// is in use.
static bool create_part(fum_file_writer *w) {
    struct timespec now;
    for (int i = 0; i < MAX_TRIES; i++) {
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t mixed = ((uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec) ^
                         (uint64_t)getpid() << 40 ^ (uint64_t)(uintptr_t)w << 8;
        mixed = (mixed ^ mixed >> 31) * UINT64_C(0x9e3779b97f4a7c15);
        snprintf(w->part, sizeof w->part, PART_START "%016llx" PART_END, (unsigned long long)mixed);
        w->fd =
            openat(w->folder, w->part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno == EEXIST) continue;
        if (w->fd < 0) break;
        struct stat st;
        flock(w->fd, LOCK_EX | LOCK_NB); // a file system without locks keeps unfinished files
        if (fstat(w->fd, &st) == 0 && st.st_nlink > 0) return true;
        close(w->fd); // removed by another program before it was locked
        w->fd = -1;
    }
    w->part[0] = 0;
    return false;
}

static bool is_part(const char *name) {
    size_t start = sizeof PART_START - 1, end = start + PART_DIGITS;
    return !strncmp(name, PART_START, start) &&
           strspn(name + start, "0123456789abcdef") == PART_DIGITS && !strcmp(name + end, PART_END);
}

// Removes an unfinished file unless a program that still runs may be writing it, or it was written
// in the last `seconds`.
static void remove_if_dead(int folder, const char *name, int seconds) {
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    bool old = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
               st.st_uid == geteuid() && st.st_mtime <= time(NULL) - seconds;
    if (old && flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(folder, name, 0);
    close(fd);
}

static void remove_stale(int folder, int seconds) {
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0) close(fd);
    for (int i = 0; dir && i < MAX_SCANNED; i++) {
        const struct dirent *entry = readdir(dir);
        if (!entry) break;
        if (is_part(entry->d_name)) remove_if_dead(folder, entry->d_name, seconds);
    }
    if (dir) closedir(dir);
}

// ---- beginning ----

static enum fum_result create_writer(fum_file_writer **writer, const char *path, bool named,
                                     struct fum_error *err) {
    *writer = NULL;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    fum_file_writer *w = *writer = fum_calloc(1, sizeof *w);
    if (!w) return no_memory(path, err);
    w->named = named;
    w->fd = w->folder = -1;
    w->path = fum_strdup(path);
    return w->path ? FUM_OK : no_memory(path, err);
}

// Prepares to write through a file that cannot be replaced, such as a device. Refuses folders and
// sockets.
static enum fum_result begin_through(fum_file_writer *w, const struct stat *st,
                                     struct fum_error *err) {
    if (S_ISDIR(st->st_mode) || S_ISSOCK(st->st_mode))
        return fum_error_set(err, FUM_ERR_IO, "cannot write %s: it is a %s", w->path,
                             S_ISDIR(st->st_mode) ? "folder" : "socket");
    w->through = true;
    return faccessat(AT_FDCWD, w->name, W_OK, AT_EACCESS) == 0 ? FUM_OK : write_error(w, err);
}

static bool no_right_to_replace(void) {
    return errno == EACCES || errno == EPERM || errno == EROFS;
}

// Begins an unfinished file in the folder of `name`. Writes through if the folder does not allow
// it.
static enum fum_result begin_beside(fum_file_writer *w, bool there, bool make,
                                    struct fum_error *err) {
    if (!w->name[w->base])
        return fum_error_set(err, FUM_ERR_IO, "cannot write %s: it is a folder's name", w->path);
    if (there && faccessat(AT_FDCWD, w->name, W_OK, AT_EACCESS) != 0) return write_error(w, err);
    enum fum_result result = enter_folder(w, make, err);
    if (result || create_part(w)) return result;
    if (!there || !no_right_to_replace()) return write_error(w, err);
    w->through = true;
    return FUM_OK;
}

// Checks that the file can get its name, which may be too long, before the long work begins.
static enum fum_result check_name(const fum_file_writer *w, struct fum_error *err) {
    struct stat st;
    if (fstatat(w->folder, w->name + w->base, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT)
        return FUM_OK;
    return write_error(w, err);
}

// Begins a file that the user named.
static enum fum_result begin_named(fum_file_writer *w, struct fum_error *err) {
    struct stat st;
    int links = 0;
    if (!strcmp(w->path, "-")) {
        w->through = true;
        fflush(stdout); // earlier output comes first
        w->fd = dup(STDOUT_FILENO);
        return w->fd < 0 ? write_error(w, err) : FUM_OK;
    }
    w->name = follow_links(w->path, &links);
    if (!w->name) return errno == ENOMEM ? no_memory(w->path, err) : write_error(w, err);
    w->base = base_of(w->name);
    bool there = stat(w->name, &st) == 0;
    if (there && (!S_ISREG(st.st_mode) || !strncmp(w->name, "/proc/", 6)))
        return begin_through(w, &st, err);
    enum fum_result result = begin_beside(w, there, links == 0, err);
    return result || w->through ? result : check_name(w, err);
}

// Begins a file of the program's own.
static enum fum_result begin_own(fum_file_writer *w, struct fum_error *err) {
    struct stat st;
    if (!(w->name = fum_strdup(w->path))) return no_memory(w->path, err);
    w->base = base_of(w->name);
    if (lstat(w->name, &st) == 0 && S_ISDIR(st.st_mode)) return begin_through(w, &st, err);
    enum fum_result result = begin_beside(w, false, true, err);
    if (!result) result = check_name(w, err);
    if (!result) remove_stale(w->folder, STALE_SECONDS);
    return result;
}

static enum fum_result begin_writer(fum_file_writer **writer, const char *path, bool named,
                                    struct fum_error *err) {
    enum fum_result result = create_writer(writer, path, named, err);
    if (!result) result = named ? begin_named(*writer, err) : begin_own(*writer, err);
    if (result) fum_file_abort(writer);
    return result;
}

enum fum_result fum_file_begin(fum_file_writer **writer, const char *path, struct fum_error *err) {
    return begin_writer(writer, path, true, err);
}

enum fum_result fum_file_begin_own(fum_file_writer **writer, const char *path,
                                   struct fum_error *err) {
    return begin_writer(writer, path, false, err);
}

static void clean(const char *path, int seconds) {
    fum_file_writer *w = NULL;
    if (!fum_file_begin(&w, path, NULL) && w->folder >= 0) remove_stale(w->folder, seconds);
    fum_file_abort(&w);
}

void fum_file_clean(const char *path) {
    clean(path, STALE_SECONDS);
}

void fum_file_clean_own(const char *path) {
    clean(path, 0);
}

// ---- writing ----

static bool write_all(int fd, const uint8_t *p, size_t bytes) {
    while (bytes) {
        ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        p += n;
        bytes -= (size_t)n;
    }
    return true;
}

// Opens a file to write through. A pipe waits here for its reader.
static bool open_through(fum_file_writer *w) {
    struct stat st;
    w->fd = open(w->name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return w->fd >= 0 && fstat(w->fd, &st) == 0 &&
           (!S_ISREG(st.st_mode) || ftruncate(w->fd, 0) == 0);
}

enum fum_result fum_system_write(fum_file_writer *w, const void *data, size_t bytes,
                                 struct fum_error *err) {
    bool good = (w->fd >= 0 || open_through(w)) && write_all(w->fd, data, bytes);
    return good ? FUM_OK : write_error(w, err);
}

// ---- ending ----

// Gives the new file the permissions of the replaced one, and its owner if possible.
static bool keep_permissions(const fum_file_writer *w) {
    struct stat st;
    if (fstatat(w->folder, w->name + w->base, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode))
        return true;
    bool owned = fchown(w->fd, st.st_uid, st.st_gid) == 0; // before fchmod: it clears bits
    mode_t mode = st.st_mode & 0777;
    if (!owned && st.st_gid != getegid()) mode &= ~(mode_t)0070; // bits of another group
    // A file system without permissions has none to keep.
    return fchmod(w->fd, mode) == 0 || errno == EPERM || errno == ENOTSUP || errno == ENOSYS;
}

// Copies the bytes into a file that cannot be replaced, such as one that is mounted by itself.
static bool copy_over(const fum_file_writer *w) {
    uint8_t block[16384];
    int to = openat(w->folder, w->name + w->base, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool good = to >= 0 && lseek(w->fd, 0, SEEK_SET) == 0 && ftruncate(to, 0) == 0;
    while (good) {
        ssize_t n = read(w->fd, block, sizeof block);
        if (n == 0) break;
        if (n < 0 && errno == EINTR) continue;
        good = n > 0 && write_all(to, block, (size_t)n);
    }
    good = good && fsync(to) == 0;
    int why = errno;
    if (to >= 0) good = close(to) == 0 && good;
    errno = why;
    return good;
}

static bool sync_file(int fd) {
    // pipes, devices
    return fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP;
}

// Puts the finished file in place. A failed sync of the folder is ignored, since the file is
// complete and has its name.
static bool put_in_place(fum_file_writer *w) {
    const char *base = w->name + w->base;
    if (w->named && !keep_permissions(w)) return false;
    if (!sync_file(w->fd)) return false;
    if (renameat(w->folder, w->part, w->folder, base) == 0) {
        w->part[0] = 0;
        fsync(w->folder);
        return true;
    }
    int why = errno;
    if (w->named && (why == EBUSY || no_right_to_replace()) && copy_over(w)) return true;
    errno = why;
    return false;
}

enum fum_result fum_file_commit(fum_file_writer **writer, struct fum_error *err) {
    fum_file_writer *w = writer ? *writer : NULL;
    if (!w) return FUM_OK;
    enum fum_result result = fum_writer_flush(w, err);
    if (!result && !(w->part[0] ? put_in_place(w) : sync_file(w->fd))) result = write_error(w, err);
    if (!result) {
        w->made = 0;
        if (close(w->fd) != 0) result = write_error(w, err);
        w->fd = -1;
    }
    fum_file_abort(writer);
    return result;
}

void fum_file_abort(fum_file_writer **writer) {
    if (!writer || !*writer) return;
    fum_file_writer *w = *writer;
    if (w->part[0]) unlinkat(w->folder, w->part, 0);
    if (w->fd >= 0) close(w->fd);
    if (w->folder >= 0) close(w->folder);
    remove_folders(w);
    fum_free(w->name);
    fum_free(w->path);
    fum_free(w);
    *writer = NULL;
}

// ---- identity ----

static bool identity_of(const struct stat *st, struct fum_file_identity *identity) {
    *identity =
        (struct fum_file_identity){.device = (uint64_t)st->st_dev, .file = (uint64_t)st->st_ino};
    return !S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode);
}

// Hashes a missing path from `at` on. "." and repeated slashes do not count.
static uint64_t hash_rest(const char *at) {
    uint64_t h = 14695981039346656037u; // FNV-1a
    while (*at) {
        size_t n = strcspn(at, "/");
        bool counts = n > 1 || (n == 1 && *at != '.');
        for (size_t i = 0; counts && i < n; i++) h = (h ^ (uint8_t)at[i]) * 1099511628211u;
        if (counts) h = (h ^ '/') * 1099511628211u;
        at += n;
        at += strspn(at, "/");
    }
    return h;
}

// Finds the nearest existing folder above the file, and hashes the path below it.
static bool identify_missing(const char *name, char *folder, struct fum_file_identity *identity) {
    struct stat st;
    size_t at = base_of(name);
    for (;;) {
        memcpy(folder, name, at);
        folder[at] = 0;
        if (stat(at ? folder : ".", &st) == 0) break;
        if (!at) return false;
        folder[at - 1] = 0;
        at = base_of(folder);
    }
    identity_of(&st, identity);
    identity->name = hash_rest(name + at);
    return true;
}

bool fum_file_identify(const char *path, struct fum_file_identity *identity) {
    struct stat st;
    int links;
    if (!path) return false;
    if (!strcmp(path, "-")) {
        if (fstat(STDOUT_FILENO, &st) != 0 || !identity_of(&st, identity))
            *identity = (struct fum_file_identity){UINT64_MAX, STDOUT_FILENO, 0};
        return true;
    }
    char *name = follow_links(path, &links), *folder = name ? fum_alloc(strlen(name) + 1, 1) : NULL;
    bool known = false;
    if (folder)
        known = stat(name, &st) == 0 ? identity_of(&st, identity)
                                     : identify_missing(name, folder, identity);
    fum_free(folder);
    fum_free(name);
    return known;
}
