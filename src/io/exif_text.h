// SPDX-License-Identifier: MIT
// Reads the comment in a block of EXIF, where pictures other than PNG carry their parameters.
#ifndef FUM_IO_EXIF_TEXT_H
#define FUM_IO_EXIF_TEXT_H

#include <fumarole/core.h>

// Returns the UserComment of a block (from the byte order on, or with "Exif" and two zeros before
// it) as UTF-8, freed with fum_free. NULL: it has none, or memory is out.
char *fum_exif_comment(const uint8_t *block, size_t bytes);

#endif
