// SPDX-License-Identifier: MIT
// Reads BMP: stb_image decodes, after checks of the size and of the bytes that it takes for
// granted.
#include "base/error.h"
#include "io/image_format.h"
#include "io/stb.h"

#include <string.h>

enum { CORE_HEADER = 12, INFO_HEADER = 40, FILE_HEADER = 14, LEAST = FILE_HEADER + CORE_HEADER };

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t get16(const uint8_t *p) {
    return (uint32_t)p[1] << 8 | p[0];
}

// What the headers say.
struct header {
    int64_t width, height;
    uint32_t offset, bits, compression;
};

static bool probe(const uint8_t *begin, size_t bytes) {
    if (bytes < FILE_HEADER + 4 || memcmp(begin, "BM", 2)) return false;
    uint32_t header = get32(begin + FILE_HEADER);
    return header == CORE_HEADER || (header >= INFO_HEADER && header <= 124);
}

static enum fum_result read_header(const struct fum_image_file *file, struct header *h,
                                   struct fum_error *err) {
    const uint8_t *p = file->data;
    bool core = file->bytes >= LEAST && get32(p + FILE_HEADER) == CORE_HEADER;
    *h = (struct header){0};
    if (file->bytes < (core ? LEAST : FILE_HEADER + INFO_HEADER))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: cannot decode the BMP: cut off",
                             file->where);
    h->offset = get32(p + 10);
    h->width = core ? (int64_t)get16(p + 18) : (int64_t)(int32_t)get32(p + 18);
    h->height = core ? (int64_t)get16(p + 20) : (int64_t)(int32_t)get32(p + 22);
    h->bits = get16(p + (core ? 24 : 28));
    h->compression = core ? 0 : get32(p + 30);
    if (h->height < 0) h->height = -h->height; // rows from the top
    return fum_image_check_size(file, h->width, h->height, err);
}

// Checks that all rows are there: stb_image would make missing ones of zeros.
static enum fum_result check_rows(const struct fum_image_file *file, const struct header *h,
                                  struct fum_error *err) {
    uint64_t stride = ((uint64_t)h->width * h->bits + 31) / 32 * 4;
    bool plain = h->compression == 0 || h->compression == 3;
    bool whole = h->offset >= LEAST && h->offset <= file->bytes &&
                 stride * (uint64_t)h->height <= file->bytes - h->offset;
    if (!plain || (h->bits != 1 && h->bits != 4 && h->bits != 8 && h->bits != 16 && h->bits != 24 &&
                   h->bits != 32))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: a BMP of %u bits with compression %u is not read", file->where,
                             h->bits, h->compression);
    if (whole) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: cannot decode the BMP: cut off", file->where);
}

static enum fum_result measure(const struct fum_image_file *file, struct fum_bitmap *size,
                               struct fum_error *err) {
    struct header h;
    enum fum_result result = read_header(file, &h, err);
    if (!result) *size = (struct fum_bitmap){NULL, (int)h.width, (int)h.height, 3};
    return result;
}

// Drops the fourth byte of pixels whose header gives it no meaning. stb_image takes it for alpha.
static void drop_fourth(struct fum_bitmap *bitmap) {
    size_t count = (size_t)bitmap->width * (size_t)bitmap->height;
    for (size_t i = 0; i < count; i++) memmove(bitmap->pixels + 3 * i, bitmap->pixels + 4 * i, 3);
    bitmap->channels = 3;
}

static enum fum_result decode(const struct fum_image_file *file, struct fum_bitmap *bitmap,
                              struct fum_error *err) {
    struct header h;
    const char *why = NULL;
    enum fum_result result = read_header(file, &h, err);
    if (!result) result = check_rows(file, &h, err);
    if (result) return result;
    if (fum_stb_read_bmp(file->data, (int)file->bytes, bitmap, &why)) {
        if (bitmap->channels == 4 && h.compression == 0) drop_fourth(bitmap);
        return FUM_OK;
    }
    bool memory = why && !strcmp(why, "outofmem");
    return fum_error_set(err, memory ? FUM_ERR_NOMEM : FUM_ERR_FORMAT,
                         "%s: cannot decode the BMP: %s", file->where, why ? why : "damaged");
}

// Finds nothing: a BMP has no place for texts.
static bool find_text(const struct fum_image_file *file, const char *key, char **text) {
    (void)file;
    (void)key;
    *text = NULL;
    return true;
}

const struct fum_image_format fum_image_bmp = {
    .name = "BMP",
    .probe = probe,
    .measure = measure,
    .decode = decode,
    .find_text = find_text,
};
