// Whole files: mapped for reading, replaced atomically for writing. The one file of src/base that knows the
// operating system's file calls.
#ifndef FUM_BASE_FILE_H
#define FUM_BASE_FILE_H

#include "base/alloc.h"

// A file mapped for reading. An empty file has data NULL and size 0.
struct fum_mapping {
    const uint8_t *data;
    uint64_t size;
};
enum fum_result fum_mapping_open(struct fum_mapping *mapping, const char *path, struct fum_error *err);
void fum_mapping_close(struct fum_mapping *mapping);
// Tells the system that these bytes will not be read again soon, so that a mapped model does not count as resident.
void fum_mapping_release(const struct fum_mapping *mapping, uint64_t offset, uint64_t bytes);

// Reads a whole text file of at most `max_bytes`, with a NUL after it. *text is the caller's, freed with fum_free.
enum fum_result fum_file_read(const char *path, size_t max_bytes, char **text, size_t *bytes, struct fum_error *err);

// A file that appears under its name only when it is complete: written beside it as "path.XXXXXX.part", flushed
// to disk, then renamed. fum_file_abort, or a crash, leaves what was at `path` before. A link, device or pipe of that name
// is written through, since a file renamed over it would take its place.
struct fum_file_writer;
enum fum_result fum_file_begin(struct fum_file_writer **writer, const char *path, struct fum_error *err);
enum fum_result fum_file_write(struct fum_file_writer *writer, const void *data, size_t bytes, struct fum_error *err);
enum fum_result fum_file_commit(struct fum_file_writer **writer, struct fum_error *err);
void fum_file_abort(struct fum_file_writer **writer);

bool fum_path_is_dir(const char *path);
bool fum_path_is_file(const char *path);
// "a/b" from "a" and "b", in the arena; NULL when memory is out.
char *fum_path_join(fum_arena *arena, const char *dir, const char *name);
// Creates a directory and its parents; an existing one is success.
enum fum_result fum_path_make_dirs(const char *path, struct fum_error *err);
// The user's cache folder of this program ($XDG_CACHE_HOME/fumarole or its like; $FUMAROLE_CACHE overrides), not
// created; NULL when there is none.
char *fum_path_cache_dir(fum_arena *arena);

#endif
