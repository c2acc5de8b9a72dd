// SPDX-License-Identifier: MIT
// Reads the texts in a PNG.
#ifndef FUM_IO_PNG_TEXT_H
#define FUM_IO_PNG_TEXT_H

#include "io/image.h"

// Returns the first text with this key, of a tEXt, zTXt or iTXt chunk, as UTF-8, freed with
// fum_free. The key "parameters" also finds the comment of an eXIf chunk. NULL: there is none, or
// memory is out.
char *fum_png_find_text(const struct fum_image_file *file, const char *key);

#endif
