// SPDX-License-Identifier: MIT
// Writes pictures in the format that their name stands for.
#include "io/image_writer.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/require.h"
#include "base/text.h"
#include "io/image_format.h"
#include "io/resize.h"

#include <string.h>

static const struct fum_image_writer png_writer = {
    .name = "PNG", .endings = {".png"}, .encode = fum_image_encode_png};
static const struct fum_image_writer *const writers[] = {&png_writer, &fum_image_jpeg_writer,
                                                         &fum_image_webp_writer};

// True if a name ends so, in any letter case, and has something before it.
static bool ends_in(const char *path, const char *ending) {
    size_t length = strlen(path), tail = strlen(ending);
    if (length <= tail) return false;
    for (size_t i = 0; i < tail; i++) {
        char c = path[length - tail + i];
        if (c >= 'A' && c <= 'Z') c = (char)(c | 32);
        if (c != ending[i]) return false;
    }
    return true;
}

// Returns the format of a name, or NULL.
static const struct fum_image_writer *find_writer(const char *path) {
    for (size_t i = 0; i < FUM_COUNT(writers); i++)
        for (const char *const *e = writers[i]->endings; *e; e++)
            if (ends_in(path, *e)) return writers[i];
    return NULL;
}

enum fum_result fum_image_check_ending(const char *path, struct fum_error *err) {
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    const struct fum_image_writer *writer = find_writer(path);
    if (!writer)
        return fum_error_set(err, FUM_ERR_ARG,
                             "pictures are written as .png, .jpg, .jpeg or .webp, not \"%s\"",
                             fum_text_show(path).text);
    if (writer->encode) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: this build writes no %s, since it was built without %s", path,
                         writer->name, writer->missing);
}

// Lays a picture with transparency over white, for formats that have none.
static enum fum_result flatten(const struct fum_picture *picture, struct fum_bitmap *flat,
                               struct fum_error *err) {
    size_t count = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    *flat = (struct fum_bitmap){fum_alloc(count, 1), picture->width, picture->height,
                                picture->channels};
    if (!flat->pixels) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    memcpy(flat->pixels, picture->pixels, count);
    fum_bitmap_flatten(flat);
    return FUM_OK;
}

static enum fum_result encode(const struct fum_image_writer *writer,
                              const struct fum_picture *picture, uint8_t **bytes, size_t *count,
                              struct fum_error *err) {
    struct fum_picture opaque = *picture;
    struct fum_bitmap flat = {0};
    enum fum_result result = fum_image_check_size(&(struct fum_image_file){.where = writer->name},
                                                  picture->width, picture->height, err);
    if (!result && writer == &fum_image_jpeg_writer && picture->channels == 4) {
        result = flatten(picture, &flat, err);
        opaque.pixels = flat.pixels;
        opaque.channels = flat.channels;
    }
    if (!result) result = writer->encode(&opaque, bytes, count, err);
    fum_bitmap_free(&flat);
    return result;
}

enum fum_result fum_image_encode_as(const char *name, const struct fum_picture *picture,
                                    uint8_t **bytes, size_t *count, struct fum_error *err) {
    if (fum_require(name, "a name", err)) return FUM_ERR_ARG;
    const struct fum_image_writer *writer = find_writer(name);
    if (!writer || !writer->encode) return fum_image_check_ending(name, err);
    return encode(writer, picture, bytes, count, err);
}

enum fum_result fum_image_write(const char *path, const struct fum_picture *picture,
                                struct fum_error *err) {
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    const struct fum_image_writer *writer = find_writer(path);
    uint8_t *bytes = NULL;
    size_t count = 0;
    if (!writer) return fum_image_write_png(path, picture, err); // as for standard output
    if (!writer->encode) return fum_image_check_ending(path, err);
    enum fum_result result = encode(writer, picture, &bytes, &count, err);
    if (result)
        fum_error_prefix(err, "cannot write %s", path);
    else
        result = fum_file_save(path, bytes, count, err);
    fum_free(bytes);
    return result;
}
