// The implementation of stb_image, the one file where its warnings are off.
#include "io/stb.h"

// A picture's bytes are checked before decoding, but a small file may still inflate without end: refuse that
// here.
enum { MAX_DECODED_BYTES = 1 << 30 };

static void *stb_alloc(size_t bytes) {
    return bytes > MAX_DECODED_BYTES ? NULL : fum_alloc(bytes, 1);
}

static void *stb_realloc(void *old, size_t bytes) {
    return bytes > MAX_DECODED_BYTES ? NULL : fum_realloc(old, bytes, 1);
}

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function" // told at the end of the file, so not inside the push
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

#define STBI_MALLOC(bytes)     stb_alloc(bytes)
#define STBI_REALLOC(p, bytes) stb_realloc(p, bytes)
#define STBI_FREE(p)           fum_free(p)
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_ASSERT(x) ((void)0)
#if __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#else
#include <stb_image.h> // some systems have no folder for it
#endif

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

uint8_t *fum_stb_read_png(const uint8_t *png, int bytes, int channels, int *width, int *height, int *found,
                          const char **why) {
    uint8_t *pixels = stbi_load_from_memory(png, bytes, width, height, found, channels);
    *why = pixels ? NULL : stbi_failure_reason();
    return pixels;
}
