// SPDX-License-Identifier: MIT
// Lists the types of elements in GGUF files. Only for gguf*.c.
#ifndef FUM_IO_GGUF_TYPES_H
#define FUM_IO_GGUF_TYPES_H

#include <fumarole/core.h>

struct fum_gguf_type {
    uint32_t number; // in files
    enum fum_dtype dtype;
    const char *title;
};

enum { FUM_GGUF_TYPES = 8 };
extern const struct fum_gguf_type fum_gguf_types[FUM_GGUF_TYPES];

#endif
