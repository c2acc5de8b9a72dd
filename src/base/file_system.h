// SPDX-License-Identifier: MIT
// Declares what file.c keeps of an open file, and what each operating system does for it:
// file_posix.c and file_write_posix.c, or file_windows.c.
#ifndef FUM_BASE_FILE_SYSTEM_H
#define FUM_BASE_FILE_SYSTEM_H

#include "base/file.h"

struct fum_file {
    char *path;
    uint64_t size;
    struct fum_file_stamp stamp;
    int fd;       // POSIX; -1: not open
    void *handle; // Windows; NULL: not open
};

// Opens file->path, a regular file, and fills in size and stamp. fum_file_close closes what a
// failure leaves open.
enum fum_result fum_system_open(struct fum_file *file, struct fum_error *err);
void fum_system_close(struct fum_file *file);
// Reads up to `bytes` bytes, as many as the system takes at once. *got is 0 at the end of the file.
enum fum_result fum_system_read(const struct fum_file *file, uint64_t offset, uint64_t bytes,
                                void *to, uint64_t *got);
// Returns the size that the file has now, for an error.
uint64_t fum_system_size(const struct fum_file *file);
// Sets "cannot open PATH: …" with the reason of the last system call.
enum fum_result fum_system_error(struct fum_error *err, const char *doing, const char *path);

// Calls `add` with every name in a folder until it returns false, which is a lack of memory.
enum fum_result fum_system_list(const char *dir, bool (*add)(void *user, const char *name),
                                void *user, struct fum_error *err);

// What a writer has not yet handed to the system. The first member of struct fum_file_writer.
struct fum_write_buffer {
    size_t used;
    uint8_t bytes[64 << 10];
};
// Writes the bytes at once, opening what is written through first.
enum fum_result fum_system_write(fum_file_writer *writer, const void *data, size_t bytes,
                                 struct fum_error *err);
// Hands the buffer to the system.
static inline enum fum_result fum_writer_flush(fum_file_writer *writer, struct fum_error *err) {
    struct fum_write_buffer *buffer = (struct fum_write_buffer *)(void *)writer;
    enum fum_result result = fum_system_write(writer, buffer->bytes, buffer->used, err);
    if (!result) buffer->used = 0;
    return result;
}

#endif
