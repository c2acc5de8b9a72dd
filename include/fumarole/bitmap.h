// SPDX-License-Identifier: MIT
// Pictures in memory: decoded from files of any format, scaled, and made into files again.
#ifndef FUMAROLE_BITMAP_H
#define FUMAROLE_BITMAP_H

#include <fumarole/file.h>

#ifdef __cplusplus
extern "C" {
#endif

// 8 bits per channel, rows from the top, no padding: width·height·channels bytes. Two or four
// channels end with transparency. Zero to begin with; free it with fum_bitmap_free.
struct fum_bitmap {
    uint8_t *pixels;
    int width, height, channels;
};
FUM_API void fum_bitmap_free(struct fum_bitmap *bitmap);

// The content of a picture's file: PNG, JPEG, WebP or BMP.
struct fum_bitmap_file {
    const void *data;
    size_t bytes;
    const char *name; // of the picture, for errors
    int channels;     // to convert to, 1 to 4; 0: as it is
    int max_pixels;   // 0: FUM_MAX_PIXELS
};
// Decodes a picture, turned as its EXIF says. The size is checked before anything is decoded.
// Errors: FUM_ERR_FORMAT, FUM_ERR_UNSUPPORTED, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_bitmap_decode(struct fum_bitmap *bitmap,
                                          const struct fum_bitmap_file *file,
                                          struct fum_error *err);

// Stores the size and the channels of that picture, without decoding it. The pixels stay NULL.
FUM_API enum fum_result fum_bitmap_measure(struct fum_bitmap *size,
                                           const struct fum_bitmap_file *file,
                                           struct fum_error *err);

enum fum_bitmap_filter { FUM_BITMAP_LANCZOS, FUM_BITMAP_NEAREST };
// Scales a picture to the width and height in *to, which gets the pixels. Transparency is scaled
// like a colour. Errors: FUM_ERR_ARG (a size that no picture has), FUM_ERR_NOMEM.
FUM_API enum fum_result fum_bitmap_resize(const struct fum_bitmap *from,
                                          enum fum_bitmap_filter filter, struct fum_bitmap *to,
                                          struct fum_error *err);

struct fum_bitmap_format {
    const char *name;       // "png", "jpeg" or "webp"
    int quality;            // of a JPEG or WebP, 1 to 100; 0: 90
    const char *parameters; // UTF-8 that the file carries, see metadata.h; NULL: none
};
// Makes the content of a file. A JPEG has white in place of transparency. Errors: FUM_ERR_ARG (the
// name, or the size), FUM_ERR_UNSUPPORTED (this build writes no such files), FUM_ERR_NOMEM.
FUM_API enum fum_result fum_bitmap_encode(const struct fum_bitmap *bitmap,
                                          const struct fum_bitmap_format *format,
                                          struct fum_bytes *bytes, struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
