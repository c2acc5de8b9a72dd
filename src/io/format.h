// SPDX-License-Identifier: MIT
// Formats of weight files as records: how a file of one is recognised and read.
#ifndef FUM_IO_FORMAT_H
#define FUM_IO_FORMAT_H

#include <fumarole/core.h>

#include "io/tensors.h"

enum { FUM_FORMAT_PROBE_BYTES = 32 }; // of a file's beginning, all that a probe gets

// One file that is read for a loader.
struct fum_format_file {
    const char *path;      // names it in errors
    size_t index;          // among the loader's files
    struct fum_view bytes; // all of it
};

struct fum_format {
    const char *name;   // as messages call a file of it: "a GGUF file"
    const char *magic;  // the first bytes of every file, magic_bytes of them; NULL: see probe
    size_t magic_bytes; // at most FUM_FORMAT_PROBE_BYTES
    // True if a file that begins with these bytes is of the format. NULL: compares the magic.
    bool (*probe)(const uint8_t *begin, size_t bytes);
    // Checks the file's header and adds its tensors. NULL: recognised only to be refused by name.
    enum fum_result (*parse)(struct fum_tensors *tensors, const struct fum_format_file *file,
                             struct fum_error *err);
};

#endif
