// SPDX-License-Identifier: MIT
// Reads and writes the comment in a block of EXIF, where pictures other than PNG carry their
// parameters.
#ifndef FUM_IO_EXIF_TEXT_H
#define FUM_IO_EXIF_TEXT_H

#include <fumarole/core.h>

// Returns the UserComment of a block (from the byte order on, or with "Exif" and two zeros before
// it) as UTF-8, freed with fum_free. NULL: it has none, or memory is out.
char *fum_exif_comment(const uint8_t *block, size_t bytes);
// Returns a block, from the byte order on, with this UserComment in UTF-16, as piexif writes it for
// A1111. Freed with fum_free. NULL: memory is out.
uint8_t *fum_exif_write_comment(const char *text, size_t *bytes);

#endif
