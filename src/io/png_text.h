// SPDX-License-Identifier: MIT
// Reads the texts in a PNG.
#ifndef FUM_IO_PNG_TEXT_H
#define FUM_IO_PNG_TEXT_H

#include "io/image.h"

// Finds the first text with this key, of a tEXt, zTXt or iTXt chunk, as UTF-8, freed with fum_free.
// Damaged ones are passed, as long as what is decompressed stays within 16 MB together. The key
// "parameters" also finds the comment of an eXIf chunk. *text is NULL if there is none. Returns
// false when memory is out.
bool fum_png_find_text(const struct fum_image_file *file, const char *key, char **text);

#endif
