// SPDX-License-Identifier: MIT
// Writes files that appear whole, as fumarole writes its own: pictures, latents, traces, reports.
// One thread at a time may use a writer. Functions may be called from any number of threads.
#ifndef FUMAROLE_FILE_H
#define FUMAROLE_FILE_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// A file while it is written. It appears under its name only when it is complete. Until then it has
// a unique name in the same folder (".fumarole-….part"); it is flushed to disk and renamed.
// fum_file_abort, or a crash, leaves the old file. Missing folders of the path are made.
//
// An existing file keeps its permissions. It is replaced, so other hard links to it keep the old
// bytes. A link is followed, so its target is replaced and the link stays. Devices and pipes are
// written through. So are files that may be written but not replaced, because their folder is
// read-only or they are mounted by themselves.
// "-" is standard output.
typedef struct fum_file_writer fum_file_writer;

// Begins a file. Fails with FUM_ERR_IO, which names the path and the reason, FUM_ERR_NOMEM, or
// FUM_ERR_NO_SPACE. *writer is then NULL.
FUM_API enum fum_result fum_file_begin(fum_file_writer **writer, const char *path,
                                       struct fum_error *err);
// Appends `bytes` bytes. After a failure only fum_file_abort makes sense.
FUM_API enum fum_result fum_file_write(fum_file_writer *writer, const void *data, size_t bytes,
                                       struct fum_error *err);
// Finishes the file, or discards it. Both free the writer and set it to NULL. A NULL writer is
// ignored. A failed commit discards the file.
FUM_API enum fum_result fum_file_commit(fum_file_writer **writer, struct fum_error *err);
FUM_API void fum_file_abort(fum_file_writer **writer);

// Begins, writes and commits a file of `bytes` bytes.
FUM_API enum fum_result fum_file_save(const char *path, const void *data, size_t bytes,
                                      struct fum_error *err);

// The content of a file in memory. Zero to begin with; free it with fum_bytes_free.
struct fum_bytes {
    uint8_t *data;
    size_t count;
};
FUM_API void fum_bytes_free(struct fum_bytes *bytes);

enum { FUM_SHA256_TEXT = 65 };
// Writes the SHA-256 of bytes as 64 lower-case hexadecimal digits.
FUM_API void fum_sha256_text(const void *data, size_t bytes, char text[FUM_SHA256_TEXT]);
// Writes that of a file. Errors: FUM_ERR_IO, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_file_sha256(const char *path, char text[FUM_SHA256_TEXT],
                                        struct fum_error *err);

// Appends to a file of the program's own, such as a log, which is created if it is missing. A line
// that a crash cut off may stay at its end.
FUM_API enum fum_result fum_file_append(const char *path, const void *data, size_t bytes,
                                        struct fum_error *err);

// Checks that fum_file_begin will succeed, before the work whose result is to be written. Leaves no
// trace.
FUM_API enum fum_result fum_file_check(const char *path, struct fum_error *err);

// Removes the unfinished files of killed programs from the folder of `path`. A file that another
// program may still be writing stays.
FUM_API void fum_file_clean(const char *path);
// Removes all of them but those that are open somewhere, in a folder that one program writes to.
FUM_API void fum_file_clean_own(const char *path);

// Kinds of files that a path leads to. Links are followed.
enum fum_file_kind {
    FUM_FILE_NONE = 0,
    FUM_FILE_REGULAR,
    FUM_FILE_FOLDER,
    FUM_FILE_OTHER, // a device, pipe or socket
};
// Stores the kind. Fails with FUM_ERR_IO if it is unknown, such as in a folder that may not be
// entered.
FUM_API enum fum_result fum_file_look(const char *path, enum fum_file_kind *kind,
                                      struct fum_error *err);

// Identifies the file that fum_file_begin would write. Equal for two paths to the same file,
// whether or not it exists.
struct fum_file_identity {
    uint64_t device, file; // of the file, or of the nearest existing folder
    uint64_t name;         // hash of the path below that folder; 0 for an existing file
};
// Stores the identity. Returns false for a path without one that matters: a device, which any
// number of outputs may share.
FUM_API bool fum_file_identify(const char *path, struct fum_file_identity *identity);

#ifdef __cplusplus
}
#endif

#endif
