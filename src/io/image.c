// SPDX-License-Identifier: MIT
#include "io/image.h"

#include "base/error.h"
#include "base/macros.h"
#include "io/image_format.h"

enum { MAX_FILE_BYTES = 512 << 20, BEGIN_BYTES = 64 << 10 };

static const struct fum_image_format *const formats[] = {
    &fum_image_png,
    &fum_image_jpeg,
    &fum_image_webp,
    &fum_image_bmp,
};

void fum_bitmap_free(struct fum_bitmap *bitmap) {
    fum_free(bitmap->pixels);
    *bitmap = (struct fum_bitmap){0};
}

enum fum_result fum_image_write_png(const char *path, const struct fum_picture *picture,
                                    struct fum_error *err) {
    uint8_t *png = NULL;
    size_t bytes = 0;
    enum fum_result result = fum_image_encode_png(picture, &png, &bytes, err);
    if (result) {
        fum_error_prefix(err, "cannot write %s", path);
        return result;
    }
    result = fum_file_save(path, png, bytes, err);
    fum_free(png);
    return result;
}

// ---- channels ----

// Returns the luminance of a pixel, as Pillow computes it (ITU-R 601-2).
static uint8_t grey_of(const uint8_t *rgb) {
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

// Converts one pixel. Transparency is dropped, or set to opaque where there was none.
static void convert_pixel(const uint8_t *from, int have, uint8_t *to, int need) {
    if (need < 3) {
        to[0] = have < 3 ? from[0] : grey_of(from);
    } else {
        for (int c = 0; c < 3; c++) to[c] = from[have < 3 ? 0 : c];
    }
    if (need == 2 || need == 4) to[need - 1] = have == 2 || have == 4 ? from[have - 1] : 255;
}

enum fum_result fum_bitmap_convert(const struct fum_bitmap *from, int channels,
                                   struct fum_bitmap *to, struct fum_error *err) {
    size_t count = (size_t)from->width * (size_t)from->height;
    uint8_t *pixels = fum_alloc(count, (size_t)channels);
    if (!pixels)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture of %dx%d", from->width,
                             from->height);
    for (size_t i = 0; i < count; i++)
        convert_pixel(from->pixels + i * (size_t)from->channels, from->channels,
                      pixels + i * (size_t)channels, channels);
    *to = (struct fum_bitmap){pixels, from->width, from->height, channels};
    return FUM_OK;
}

// ---- reading ----

// Finds the format of a file by its first bytes.
static enum fum_result find_format(const struct fum_image_file *file,
                                   const struct fum_image_format **format, struct fum_error *err) {
    if (file->bytes > MAX_FILE_BYTES)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: %zu bytes are over the limit for a picture",
                             file->where, file->bytes);
    for (size_t i = 0; i < FUM_COUNT(formats); i++) {
        if (!formats[i]->probe(file->data, file->bytes)) continue;
        *format = formats[i];
        if (formats[i]->decode) return FUM_OK;
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: a %s picture, which this build cannot read: it was built "
                             "without %s",
                             file->where, formats[i]->name, formats[i]->missing);
    }
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: not a picture in PNG, JPEG, WebP or BMP",
                         file->where);
}

const uint8_t *fum_image_find_exif(const struct fum_image_file *file, size_t *bytes) {
    const struct fum_image_format *format = NULL;
    if (find_format(file, &format, NULL) || !format->find_exif) return NULL;
    return format->find_exif(file, bytes);
}

enum fum_result fum_image_decode(const struct fum_image_file *file, int channels,
                                 struct fum_bitmap *bitmap, char **parameters,
                                 struct fum_error *err) {
    const struct fum_image_format *format = NULL;
    struct fum_bitmap decoded = {0};
    *bitmap = (struct fum_bitmap){0};
    if (parameters) *parameters = NULL;
    enum fum_result result = find_format(file, &format, err);
    if (!result) result = format->decode(file, &decoded, err);
    if (result) return result;
    if (channels && channels != decoded.channels) {
        result = fum_bitmap_convert(&decoded, channels, bitmap, err);
        fum_bitmap_free(&decoded);
        if (result) return result;
    } else {
        *bitmap = decoded;
    }
    if (!parameters || format->find_text(file, "parameters", parameters)) return FUM_OK;
    fum_bitmap_free(bitmap);
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its parameters", file->where);
}

bool fum_image_find_text(const struct fum_image_file *file, const char *key, char **text) {
    *text = NULL;
    for (size_t i = 0; i < FUM_COUNT(formats); i++)
        if (formats[i]->probe(file->data, file->bytes))
            return formats[i]->find_text(file, key, text);
    return true;
}

enum fum_result fum_image_measure(const struct fum_image_file *file, struct fum_bitmap *size,
                                  struct fum_error *err) {
    const struct fum_image_format *format = NULL;
    *size = (struct fum_bitmap){0};
    enum fum_result result = find_format(file, &format, err);
    return result ? result : format->measure(file, size, err);
}

enum fum_result fum_image_load(struct fum_image_file *file, char **bytes, struct fum_error *err) {
    size_t count = 0;
    enum fum_result result = fum_file_read(file->where, MAX_FILE_BYTES, bytes, &count, err);
    file->data = (const uint8_t *)*bytes;
    file->bytes = count;
    return result;
}

enum fum_result fum_image_read(const char *path, int channels, struct fum_bitmap *bitmap,
                               char **parameters, struct fum_error *err) {
    struct fum_image_file file = {.where = path};
    char *bytes = NULL;
    *bitmap = (struct fum_bitmap){0};
    if (parameters) *parameters = NULL;
    enum fum_result result = fum_image_load(&file, &bytes, err);
    if (!result) result = fum_image_decode(&file, channels, bitmap, parameters, err);
    fum_free(bytes);
    return result;
}

// Measures the picture from a file's first bytes, which hold the header of most.
static bool measure_begin(const struct fum_file *file, const char *path, struct fum_bitmap *size) {
    uint64_t bytes = FUM_MIN(fum_file_size(file), (uint64_t)BEGIN_BYTES);
    uint8_t *data = fum_alloc((size_t)bytes, 1);
    bool good = data && !fum_file_read_at(file, 0, bytes, data, NULL);
    const struct fum_image_file begin = {.data = data, .bytes = (size_t)bytes, .where = path};
    good = good && !fum_image_measure(&begin, size, NULL);
    fum_free(data);
    return good;
}

enum fum_result fum_image_read_size(const char *path, struct fum_bitmap *size,
                                    struct fum_error *err) {
    char *bytes = NULL;
    size_t count = 0;
    struct fum_file *opened = NULL;
    *size = (struct fum_bitmap){0};
    enum fum_result result = fum_file_open(&opened, path, err);
    bool found = !result && measure_begin(opened, path, size);
    fum_file_close(&opened);
    if (result || found) return result;
    result = fum_file_read(path, MAX_FILE_BYTES, &bytes, &count, err);
    if (result) return result;
    const struct fum_image_file file = {
        .data = (const uint8_t *)bytes, .bytes = count, .where = path};
    result = fum_image_measure(&file, size, err);
    fum_free(bytes);
    return result;
}
