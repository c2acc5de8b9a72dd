// Writing PNG: rows filtered, compressed, and the chunks around them (PNG specification, 2nd edition).
#include "io/image.h"

#include "base/error.h"
#include "io/deflate.h"
#include "io/png.h"

#include <stdlib.h>
#include <string.h>

// CRC-32 of PNG, four bits at a time.
static uint32_t crc32_of(const uint8_t *p, size_t bytes) {
    static const uint32_t step[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;
    while (bytes--) {
        crc ^= *p++;
        crc = crc >> 4 ^ step[crc & 15];
        crc = crc >> 4 ^ step[crc & 15];
    }
    return ~crc;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

// Puts length, type and CRC around the `bytes` of data that stand at chunk + 8; returns the chunk's whole
// length.
static size_t close_chunk(uint8_t *chunk, const char *type, size_t bytes) {
    put32(chunk, (uint32_t)bytes);
    memcpy(chunk + 4, type, 4);
    put32(chunk + 8 + bytes, crc32_of(chunk + 4, bytes + 4));
    return bytes + 12;
}

// The next code point of UTF-8 text, 0xfffd for bytes that are none; *p moves on.
static uint32_t next_code_point(const uint8_t **p) {
    const uint8_t *s = *p;
    int more = s[0] < 0x80                   ? 0
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 1
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 2
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 3
                                             : -1;
    static const uint8_t lead[4] = {0x7f, 0x1f, 0x0f, 0x07};
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    (*p)++;
    if (more < 0) return 0xfffd;
    uint32_t c = s[0] & lead[more];
    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0xfffd;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0xfffd;
    *p += more;
    return c;
}

static bool fits_latin1(const char *text) {
    for (const uint8_t *p = (const uint8_t *)text; *p;)
        if (next_code_point(&p) > 0xff) return false;
    return true;
}

size_t fum_png_put_utf8(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[4] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (uint8_t)(lead[more] | c >> (6 * more));
    for (int i = 1; i <= more; i++) out[i] = (uint8_t)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return (size_t)more + 1;
}

enum { MAX_SIDE = 16384, MAX_PIXELS = 64 << 20 };

enum fum_result fum_png_check_size(const char *where, long long width, long long height,
                                   struct fum_error *err) {
    if (width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE && width * height <= MAX_PIXELS)
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: a picture of %lldx%lld is outside the limits (%d a side, %d pixels)", where,
                         width, height, MAX_SIDE, MAX_PIXELS);
}

// The whole chunk, freed with fum_free; NULL when memory is out.
static uint8_t *text_chunk(const char *key, const char *text, size_t *bytes) {
    bool latin1 = fits_latin1(text);
    size_t at = 8 + strlen(key) + 1;
    // Each byte of the text becomes at most the three of U+FFFD.
    uint8_t *chunk = fum_calloc(strlen(text) * 3 + at + 16, 1);
    if (!chunk) return NULL;
    memcpy(chunk + 8, key, at - 8);
    if (!latin1) at += 4; // zeros: not compressed, method 0, no language, no translated key
    for (const uint8_t *p = (const uint8_t *)text; *p;) {
        uint32_t c = next_code_point(&p);
        if (latin1)
            chunk[at++] = (uint8_t)c;
        else
            at += fum_png_put_utf8(chunk + at, c);
    }
    *bytes = close_chunk(chunk, latin1 ? "tEXt" : "iTXt", at - 8);
    return chunk;
}

static int paeth(int a, int b, int c) {
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

// One row by filter `type` (0 none, 1 sub, 2 up, 3 average, 4 Paeth). `above` is a row of zeros for the first
// one.
static void filter_row(uint8_t *out, const uint8_t *row, const uint8_t *above, size_t bytes, size_t step,
                       int type) {
    for (size_t i = 0; i < bytes; i++) {
        int left = i >= step ? row[i - step] : 0, corner = i >= step ? above[i - step] : 0, up = above[i];
        const int guess[5] = {0, left, up, (left + up) / 2, type == 4 ? paeth(left, up, corner) : 0};
        out[i] = (uint8_t)(row[i] - guess[type]);
    }
}

// All rows, each with the filter whose differences are smallest in sum, the usual choice. Freed with
// fum_free.
static uint8_t *filter_rows(const uint8_t *pixels, int height, size_t row_bytes, size_t step) {
    uint8_t *out = fum_alloc((size_t)height, row_bytes + 1), *row = fum_alloc(row_bytes, 1);
    uint8_t *zeros = fum_calloc(row_bytes, 1);
    for (int y = 0; out && row && zeros && y < height; y++) {
        const uint8_t *above = y ? pixels - row_bytes : zeros;
        uint8_t *at = out + (size_t)y * (row_bytes + 1);
        uint64_t least = UINT64_MAX;
        for (int type = 0; type < 5; type++) {
            uint64_t sum = 0;
            filter_row(row, pixels, above, row_bytes, step, type);
            for (size_t i = 0; i < row_bytes; i++) sum += (uint64_t)abs((int8_t)row[i]);
            if (sum >= least) continue;
            least = sum;
            at[0] = (uint8_t)type;
            memcpy(at + 1, row, row_bytes);
        }
        pixels += row_bytes;
    }
    if (!row || !zeros) {
        fum_free(out);
        out = NULL;
    }
    fum_free(row);
    fum_free(zeros);
    return out;
}

const uint8_t fum_png_signature[FUM_PNG_SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

enum fum_result fum_image_encode_png(const uint8_t *pixels, int width, int height, int channels,
                                     const char *parameters, uint8_t **png, size_t *bytes,
                                     struct fum_error *err) {
    static const uint8_t color_type[5] = {0, 0, 0, 2, 6};
    uint8_t *rows = NULL, *packed = NULL, *text = NULL, *out = NULL;
    size_t packed_bytes = 0, text_bytes = 0, row_bytes = (size_t)width * (size_t)channels;
    *png = NULL;
    if (channels != 1 && channels != 3 && channels != 4)
        return fum_error_set(err, FUM_ERR_ARG, "a PNG of %d channels is not possible; give 1, 3 or 4",
                             channels);
    enum fum_result result = fum_png_check_size("PNG", width, height, err);
    if (result) return result;
    rows = filter_rows(pixels, height, row_bytes, (size_t)channels);
    if (rows) packed = fum_deflate_zlib(rows, (size_t)height * (row_bytes + 1), &packed_bytes);
    if (packed && parameters) text = text_chunk("parameters", parameters, &text_bytes);
    if (packed && (text || !parameters))
        out = fum_calloc(FUM_PNG_SIGNATURE + 25 + text_bytes + packed_bytes + 24, 1);
    if (out) {
        size_t at = FUM_PNG_SIGNATURE;
        memcpy(out, fum_png_signature, at);
        put32(out + at + 8, (uint32_t)width);
        put32(out + at + 12, (uint32_t)height);
        out[at + 16] = 8;
        out[at + 17] = color_type[channels];
        at += close_chunk(out + at, "IHDR", 13);
        if (text) memcpy(out + at, text, text_bytes);
        at += text_bytes;
        memcpy(out + at + 8, packed, packed_bytes);
        at += close_chunk(out + at, "IDAT", packed_bytes);
        *bytes = at + close_chunk(out + at, "IEND", 0);
        *png = out;
    } else {
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a PNG of %dx%d", width, height);
    }
    fum_free(rows);
    fum_free(packed);
    fum_free(text);
    return result;
}
