// SPDX-License-Identifier: MIT
// Reading PNG by libpng, which checks the sums of a file that others may have made or damaged.
#include "base/alloc.h"
#include "base/error.h"
#include "io/image_format.h"
#include "io/png.h"
#include "io/png_text.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// ---- without decoding ----

// Finds the EXIF block, and its length, or NULL.
static const uint8_t *find_exif(const struct fum_image_file *png, size_t *bytes) {
    for (size_t at = FUM_PNG_SIGNATURE; png->bytes - at >= 12;) {
        const uint8_t *chunk = png->data + at;
        *bytes = get32(chunk);
        if (*bytes > png->bytes - at - 12) return NULL;
        if (!memcmp(chunk + 4, "eXIf", 4)) return chunk + 8;
        at += *bytes + 12;
    }
    return NULL;
}

static enum fum_result check_png(const struct fum_image_file *png, struct fum_error *err) {
    const uint8_t *data = png->data;
    if (png->bytes < FUM_PNG_IHDR_END || memcmp(data, fum_png_signature, FUM_PNG_SIGNATURE) ||
        memcmp(data + 12, "IHDR", 4))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: not a PNG file", png->where);
    return fum_image_check_size(png, get32(data + 16), get32(data + 20), err);
}

static bool probe(const uint8_t *begin, size_t bytes) {
    return bytes >= FUM_PNG_SIGNATURE && !memcmp(begin, fum_png_signature, FUM_PNG_SIGNATURE);
}

static enum fum_result measure(const struct fum_image_file *png, struct fum_bitmap *size,
                               struct fum_error *err) {
    static const int channels[] = {1, 0, 3, 3, 2, 0, 4}; // of the header's types of colour
    enum fum_result result = check_png(png, err);
    if (result) return result;
    uint8_t type = png->data[25];
    if (type >= sizeof channels / sizeof *channels || !channels[type])
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: no PNG has colours of type %d", png->where,
                             type);
    size->width = (int)get32(png->data + 16);
    size->height = (int)get32(png->data + 20);
    size->channels = channels[type];
    return FUM_OK;
}

// ---- decoding ----

// libpng reports errors by a call that must not return, which here jumps back to `failed`.
struct reader {
    jmp_buf failed;
    const struct fum_image_file *file;
    size_t at; // of the bytes that were read
    uint8_t *pixels;
    png_bytep *rows;
    bool no_memory;
    char message[128];
};

static void on_error(png_structp png, png_const_charp message) {
    struct reader *r = png_get_error_ptr(png);
    snprintf(r->message, sizeof r->message, "%s", message);
    longjmp(r->failed, 1);
}

// Drops a warning, after which the picture is whole.
static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t bytes) {
    struct reader *r = png_get_mem_ptr(png);
    void *p = fum_alloc(bytes, 1);
    r->no_memory = r->no_memory || !p;
    return p;
}

static void on_free(png_structp png, png_voidp p) {
    (void)png;
    fum_free(p);
}

static void on_read(png_structp png, png_bytep to, size_t bytes) {
    struct reader *r = png_get_io_ptr(png);
    if (bytes > r->file->bytes - r->at) png_error(png, "cut off");
    memcpy(to, r->file->data + r->at, bytes);
    r->at += bytes;
}

// Reads the header, and chooses 8 bits a channel: grey or red-green-blue, with alpha if there is
// any.
static void read_header(png_structp png, png_infop info) {
    png_set_read_fn(png, png_get_error_ptr(png), on_read);
    // Profiles, texts and times are not used; colours that stand for transparent ones are.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(png, info);
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

// Stores the pixels, whose size was checked before, in reader->pixels.
static void read_pixels(png_structp png, png_infop info) {
    struct reader *r = png_get_error_ptr(png);
    size_t height = png_get_image_height(png, info), stride = png_get_rowbytes(png, info);
    r->pixels = fum_alloc(stride, height);
    r->rows = fum_alloc(height, sizeof *r->rows);
    r->no_memory = !r->pixels || !r->rows;
    if (r->no_memory) png_error(png, "no memory for its pixels");
    for (size_t y = 0; y < height; y++) r->rows[y] = r->pixels + y * stride;
    png_read_image(png, r->rows);
    png_read_end(png, NULL); // whose sums show damage, too
}

// Reads all. Returns false with a message in the reader.
static bool read_all(struct reader *r, png_structp png, png_infop info) {
    if (setjmp(r->failed)) return false;
    read_header(png, info);
    read_pixels(png, info);
    return true;
}

static enum fum_result decode(const struct fum_image_file *file, struct fum_bitmap *bitmap,
                              struct fum_error *err) {
    struct reader r = {.file = file, .message = "no memory"};
    enum fum_result result = check_png(file, err);
    if (result) return result;
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning, &r,
                                               on_alloc, on_free);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (info && read_all(&r, png, info)) {
        *bitmap =
            (struct fum_bitmap){r.pixels, (int)png_get_image_width(png, info),
                                (int)png_get_image_height(png, info), png_get_channels(png, info)};
    } else {
        bool memory = !info || r.no_memory;
        result = fum_error_set(err, memory ? FUM_ERR_NOMEM : FUM_ERR_FORMAT,
                               memory ? "%s: no memory to decode the PNG: %s"
                                      : "%s: cannot decode the PNG: %s",
                               file->where, r.message);
        fum_free(r.pixels);
    }
    fum_free(r.rows);
    png_destroy_read_struct(&png, &info, NULL);
    return result;
}

const struct fum_image_format fum_image_png = {
    .name = "PNG",
    .probe = probe,
    .measure = measure,
    .decode = decode,
    .find_text = fum_png_find_text,
    .find_exif = find_exif,
};
