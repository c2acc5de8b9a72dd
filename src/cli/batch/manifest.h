// SPDX-License-Identifier: MIT
// The folder of a batch: its pictures, and manifest.jsonl with a row for each.
#ifndef FUM_CLI_BATCH_MANIFEST_H
#define FUM_CLI_BATCH_MANIFEST_H

#include "../cli.h"

#include <fumarole/file.h>

// A picture that is there.
struct manifest_entry {
    int line, index; // of the picture in its line, from 0
    uint64_t seed;
    size_t at, bytes; // of its row, when the manifest was read
};

struct manifest {
    char *dir, *path;               // of the folder and of manifest.jsonl
    struct manifest_entry *entries; // of earlier runs, by line and index
    size_t count, capacity;
    int lock; // of the folder; below 0: none
};

// Opens a folder, which is made if need be, for one batch at a time. Rows that are damaged, and
// those whose file is missing or other than its hash, leave the manifest. So does what a killed run
// left. Returns 0, or prints the error and returns an exit status.
int manifest_open(struct manifest *manifest, const char *dir);
void manifest_close(struct manifest *manifest);
// Returns the first entry of a line; its others follow. NULL: the line has none.
const struct manifest_entry *manifest_find(const struct manifest *manifest, int line);

// A new picture.
struct manifest_row {
    int line, index;
    uint64_t seed;
    double seconds;
    const char *device;
    int rank;
    const char *sha256;
    const void *png;
    size_t bytes;
};
enum { MANIFEST_NAME_BYTES = 40 };
// Writes the name of a picture's file.
void manifest_name(char name[MANIFEST_NAME_BYTES], int line, int index);
// Writes a picture, and then its row. Both appear whole or not at all.
enum fum_result manifest_add(const struct manifest *manifest, const struct manifest_row *row,
                             struct fum_error *err);

#endif
