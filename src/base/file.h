// SPDX-License-Identifier: MIT
// Files: read at any place, written whole. file_posix.c, file_write_posix.c and file_windows.c are
// the only code of the library that knows the operating system's file calls.
#ifndef FUM_BASE_FILE_H
#define FUM_BASE_FILE_H

#include <fumarole/file.h>

#include "base/alloc.h"

// A regular file that is open for reading; any number of threads may read from it at once. Files
// are not mapped: one that shrinks, or a disk that fails, must be an error and not a signal.
struct fum_file;
// Opens a file. Never waits: a pipe or device of that name is an error. On failure *file is NULL.
enum fum_result fum_file_open(struct fum_file **file, const char *path, struct fum_error *err);
void fum_file_close(struct fum_file **file);
uint64_t fum_file_size(const struct fum_file *file); // when it was opened
// Identifies a state of a file: which file it is and when it last changed, in units of the
// system's. Differs after every write and replacement, as finely as the file system counts time.
struct fum_file_stamp {
    uint64_t device, file, size;
    int64_t modified;
};
struct fum_file_stamp fum_file_stamp(const struct fum_file *file); // when it was opened
// Reads `bytes` bytes from `offset` on. An error when the file ends before.
enum fum_result fum_file_read_at(const struct fum_file *file, uint64_t offset, uint64_t bytes,
                                 void *to, struct fum_error *err);

// Reads a whole file of at most `max_bytes`, with a NUL after it. *text is the caller's, freed with
// fum_free.
enum fum_result fum_file_read(const char *path, size_t max_bytes, char **text, size_t *bytes,
                              struct fum_error *err);

// fum_file_begin for a file of the program's own, such as a cache, that the user did not name:
// whatever has its name except a folder is replaced. Follows no link and opens no pipe, since
// others may be able to put them there.
enum fum_result fum_file_begin_own(fum_file_writer **writer, const char *path,
                                   struct fum_error *err);

// True if a file or folder may have this name: also when that cannot be found out, so that opening
// it reports why.
bool fum_path_may_exist(const char *path);
bool fum_path_is_dir(const char *path);
// Returns "a/b" for "a" and "b", in the arena; NULL when memory is out.
char *fum_path_join(fum_arena *arena, const char *dir, const char *name);
// Creates one directory; an existing one is success.
enum fum_result fum_path_make_dir(const char *path, struct fum_error *err);
// Creates a directory and its parents; an existing one is success.
enum fum_result fum_path_make_dirs(const char *path, struct fum_error *err);
// Returns the user's cache folder of this program ($XDG_CACHE_HOME/fumarole or its like;
// $FUMAROLE_CACHE overrides), not created; NULL when there is none.
char *fum_path_cache_dir(fum_arena *arena);

#endif
