// SPDX-License-Identifier: MIT
// Reads and writes the texts in a block of EXIF, where pictures other than PNG carry what they were
// made with. The parameters are the comment, the request is a note of the maker.
#ifndef FUM_IO_EXIF_TEXT_H
#define FUM_IO_EXIF_TEXT_H

#include <fumarole/core.h>

struct fum_exif_block {
    const uint8_t *data; // begins with the byte order, or has "Exif" and two zeros before it
    size_t bytes;
};
// Finds the text with this key, "parameters" or FUM_IMAGE_REQUEST_KEY, as UTF-8, freed with
// fum_free. *text is NULL if the block has none. Returns false when memory is out.
bool fum_exif_find_text(struct fum_exif_block block, const char *key, char **text);

struct fum_exif_texts {
    const char *parameters;
    const char *request; // NULL: none
};
// Returns a block, from the byte order on, with these texts. The UserComment is in UTF-16, as
// piexif writes it for A1111. Freed with fum_free. NULL: memory is out.
uint8_t *fum_exif_write(const struct fum_exif_texts *texts, size_t *bytes);

#endif
