// SPDX-License-Identifier: MIT
// Reads GGUF files of versions 2 and 3: a list of keys with values, a list of tensors, and the
// tensors' bytes. Reading goes through io/loader.h. Texts become the loader's metadata.
#ifndef FUM_IO_GGUF_H
#define FUM_IO_GGUF_H

#include "io/format.h"

// Refuses counts, lengths and ranges that the file does not hold, tensors that overlap, and rows
// that are no whole blocks. A type that is not read matters only where the tensor is needed.
extern const struct fum_format fum_format_gguf;

#endif
