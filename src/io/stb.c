// SPDX-License-Identifier: MIT
// The implementation of stb_image and stb_image_write, the one file where their warnings are off.
#include "io/stb.h"

#include <zlib.h>

// stb_image_write takes no context and forgets the compressed rows when the allocation after them
// fails. That one block is remembered here while a picture is written.
static _Thread_local uint8_t *packed_rows;

static void write_free(void *p) {
    if (p == packed_rows) packed_rows = NULL;
    fum_free(p);
}

// Packs rows with zlib's compressor. stb's own assumes that memory never runs out, and packs less
// well.
static uint8_t *pack_rows(uint8_t *rows, int bytes, int *packed_bytes, int level) {
    uLongf room = compressBound((uLong)bytes);
    uint8_t *packed = fum_alloc(room, 1);
    if (!packed || compress2(packed, &room, rows, (uLong)bytes, level) != Z_OK) {
        fum_free(packed);
        return NULL;
    }
    *packed_bytes = (int)room; // at most the limits' 256 MiB and a little
    packed_rows = packed;
    return packed;
}

#if defined(__GNUC__)
#pragma GCC diagnostic ignored \
    "-Wunused-function" // reported at the end of the file, so not inside the push
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#endif

#define STBI_MALLOC(bytes)     fum_alloc(bytes, 1)
#define STBI_REALLOC(p, bytes) fum_realloc(p, bytes, 1)
#define STBI_FREE(p)           fum_free(p)
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_ASSERT(x) ((void)0)
#if __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#else
#include <stb_image.h> // some systems have no folder for it
#endif

#define STBIW_MALLOC(bytes)     fum_alloc((size_t)(bytes), 1)
#define STBIW_REALLOC(p, bytes) fum_realloc(p, (size_t)(bytes), 1)
#define STBIW_FREE(p)           write_free(p)
#define STBIW_ZLIB_COMPRESS     pack_rows
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_ASSERT(x) ((void)0)
#if __has_include(<stb/stb_image_write.h>)
#include <stb/stb_image_write.h>
#else
#include <stb_image_write.h>
#endif

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

bool fum_stb_read_bmp(const uint8_t *bmp, int bytes, struct fum_bitmap *bitmap, const char **why) {
    struct fum_bitmap b = {0};
    b.pixels = stbi_load_from_memory(bmp, bytes, &b.width, &b.height, &b.channels, 0);
    *why = b.pixels ? NULL : stbi_failure_reason();
    if (b.pixels) *bitmap = b;
    return b.pixels != NULL;
}

uint8_t *fum_stb_write_png(const struct fum_picture *picture, size_t *bytes) {
    int length = 0;
    uint8_t *png = stbi_write_png_to_mem(picture->pixels, 0, picture->width, picture->height,
                                         picture->channels, &length);
    if (!png) write_free(packed_rows);
    *bytes = (size_t)length;
    return png;
}
