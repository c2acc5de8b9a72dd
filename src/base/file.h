// SPDX-License-Identifier: MIT
// Reads files at any place and writes them whole. Only file_posix.c, file_write_posix.c and
// file_windows.c know the operating system's file calls.
#ifndef FUM_BASE_FILE_H
#define FUM_BASE_FILE_H

#include <fumarole/file.h>

#include "base/alloc.h"

// A regular file that is open for reading. Any number of threads may read from it at once. Files
// are not mapped, because a file that shrinks or a failing disk must be an error and not a signal.
struct fum_file;
// Opens a file. Never waits, since a pipe or device of that name is an error. On failure *file is
// NULL.
enum fum_result fum_file_open(struct fum_file **file, const char *path, struct fum_error *err);
void fum_file_close(struct fum_file **file);
uint64_t fum_file_size(const struct fum_file *file); // when it was opened
// Identifies a state of a file: which file it is, and when it last changed in the system's units.
// It differs after every write and replacement, as finely as the file system counts time.
struct fum_file_stamp {
    uint64_t device, file, size;
    int64_t modified;
};
struct fum_file_stamp fum_file_get_stamp(const struct fum_file *file); // when it was opened
// Reads `bytes` bytes from `offset` on. A file that ends before is an error.
enum fum_result fum_file_read_at(const struct fum_file *file, uint64_t offset, uint64_t bytes,
                                 void *to, struct fum_error *err);

// Reads a whole file of at most `max_bytes`, with a NUL after it. *text belongs to the caller. Free
// it with fum_free.
enum fum_result fum_file_read(const char *path, size_t max_bytes, char **text, size_t *bytes,
                              struct fum_error *err);

// Copies a file's bytes into one that is being written.
enum fum_result fum_file_copy_bytes(const struct fum_file *from, fum_file_writer *to,
                                    struct fum_error *err);
// Copies a file to a path, which it replaces once it is whole.
enum fum_result fum_file_copy(const char *from, const char *to, struct fum_error *err);

// Begins a file of the program's own, such as a cache, that the user did not name. Works as
// fum_file_begin, but replaces everything of its name except a folder. Follows no link and opens no
// pipe, since other users may be able to put them there.
enum fum_result fum_file_begin_own(fum_file_writer **writer, const char *path,
                                   struct fum_error *err);

// True if a file or folder may have this name. Also true if that is unknown, so that opening it
// reports why.
bool fum_path_may_exist(const char *path);
bool fum_path_is_dir(const char *path);
// Returns "a/b" for "a" and "b", in the arena, or NULL when memory is out.
char *fum_path_join(fum_arena *arena, const char *dir, const char *name);
// Creates one directory. An existing one is success.
enum fum_result fum_path_make_dir(const char *path, struct fum_error *err);
// Creates a directory and its parents. An existing one is success.
enum fum_result fum_path_make_dirs(const char *path, struct fum_error *err);
// The names in a folder, without "." and "..", sorted by their bytes.
struct fum_path_names {
    char **names; // in the arena
    size_t count, capacity;
};
enum fum_result fum_path_list(fum_arena *arena, const char *dir, struct fum_path_names *names,
                              struct fum_error *err);
// Removes a file of the program's own, or an empty folder. A missing one is success.
enum fum_result fum_path_remove(const char *path, struct fum_error *err);
// Returns the path of the user's cache folder of this program, or NULL if there is none. It is
// $XDG_CACHE_HOME/fumarole or the system's like, unless $FUMAROLE_CACHE is set. The folder may be
// missing.
char *fum_path_cache_dir(fum_arena *arena);

#endif
