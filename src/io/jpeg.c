// SPDX-License-Identifier: MIT
// Reads JPEG through libjpeg-turbo, and turns pictures upright as their EXIF orientation says.
#include "base/error.h"
#include "base/macros.h"
#include "io/exif_text.h"
#include "io/image_config.h"
#include "io/image_format.h"
#include "io/jpeg_turn.h"

#include <string.h>

static bool probe(const uint8_t *begin, size_t bytes) {
    return bytes >= 3 && begin[0] == 0xff && begin[1] == 0xd8 && begin[2] == 0xff;
}

// Finds the text in the EXIF block, which is in one of the segments before the picture.
static bool find_text(const struct fum_image_file *file, const char *key, char **text) {
    enum { EXIF_SEGMENT = 0xe1, SCAN = 0xda, LEAST = 4 };
    const uint8_t *data = file->data;
    bool good = true;
    *text = NULL;
    for (size_t at = 2; good && !*text && at <= file->bytes && file->bytes - at >= LEAST;) {
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
        if (data[at] != 0xff || data[at + 1] == SCAN || length < 2 || length > file->bytes - at - 2)
            break;
        const struct fum_exif_block block = {data + at + 4, length - 2};
        if (data[at + 1] == EXIF_SEGMENT) good = fum_exif_find_text(block, key, text);
        at += length + 2;
    }
    return good;
}

#ifdef FUM_HAS_JPEG

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

enum { MAX_SCANS = 200, EXIF_MARKER = JPEG_APP0 + 1 };

// libjpeg reports errors by a call that must not return, which here jumps back to `failed`.
struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors; // knows its reader through jpeg.client_data
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    enum fum_result result;
    char message[JMSG_LENGTH_MAX];
    uint8_t *pixels;
};

static void fail(struct reader *r, enum fum_result result, const char *message) {
    r->result = result;
    snprintf(r->message, sizeof r->message, "%s", message);
    longjmp(r->failed, 1);
}

static void on_error(j_common_ptr jpeg) {
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    bool memory = jpeg->err->msg_code == JERR_OUT_OF_MEMORY;
    fail(jpeg->client_data, memory ? FUM_ERR_NOMEM : FUM_ERR_FORMAT, text);
}

// Makes errors of the warnings after which a part of the picture would be grey.
static void on_message(j_common_ptr jpeg, int level) {
    int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER))
        fail(jpeg->client_data, FUM_ERR_FORMAT, "cut off or damaged");
}

// Refuses progressive pictures of too many scans, each of which takes as long as a whole picture.
static void on_progress(j_common_ptr jpeg) {
    const struct reader *r = jpeg->client_data;
    if (r->jpeg.input_scan_number > MAX_SCANS)
        fail(jpeg->client_data, FUM_ERR_FORMAT, "too many scans");
}

static int orientation_of(const struct reader *r) {
    for (jpeg_saved_marker_ptr m = r->jpeg.marker_list; m; m = m->next)
        if (m->marker == EXIF_MARKER) return fum_jpeg_orientation(m->data, m->data_length);
    return 1;
}

// Reads the header and chooses the colours: grey, red-green-blue, or the four inks of print.
static void read_header(struct reader *r, const struct fum_image_file *file) {
    static const struct {
        J_COLOR_SPACE from, to;
    } spaces[] = {{JCS_GRAYSCALE, JCS_GRAYSCALE},
                  {JCS_RGB, JCS_RGB},
                  {JCS_YCbCr, JCS_RGB},
                  {JCS_CMYK, JCS_CMYK},
                  {JCS_YCCK, JCS_CMYK}};
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.progress = &r->progress;
    r->progress.progress_monitor = on_progress;
    jpeg_save_markers(&r->jpeg, EXIF_MARKER, 0xffff);
    jpeg_mem_src(&r->jpeg, file->data, (unsigned long)file->bytes);
    jpeg_read_header(&r->jpeg, TRUE);
    for (size_t i = 0; i < FUM_COUNT(spaces); i++) {
        if (r->jpeg.jpeg_color_space != spaces[i].from) continue;
        r->jpeg.out_color_space = spaces[i].to;
        if (file->refuse_inks && spaces[i].to == JCS_CMYK)
            fail(r, FUM_ERR_UNSUPPORTED, "its colours are inks (CMYK): convert it to RGB first");
        return;
    }
    fail(r, FUM_ERR_UNSUPPORTED, "its colours are of an unknown kind");
}

static void read_rows(struct reader *r) {
    jpeg_start_decompress(&r->jpeg);
    size_t stride = (size_t)r->jpeg.output_width * (size_t)r->jpeg.output_components;
    r->pixels = fum_alloc(stride, r->jpeg.output_height);
    if (!r->pixels) fail(r, FUM_ERR_NOMEM, "no memory for its pixels");
    while (r->jpeg.output_scanline < r->jpeg.output_height) {
        JSAMPROW row = r->pixels + r->jpeg.output_scanline * stride;
        jpeg_read_scanlines(&r->jpeg, &row, 1);
    }
}

// Runs a part of the reading, and reports how it ended.
static enum fum_result attempt(struct reader *r, const struct fum_image_file *header_of,
                               const char *where, struct fum_error *err) {
    if (setjmp(r->failed))
        return fum_error_set(err, r->result, "%s: cannot decode the JPEG: %s", where, r->message);
    if (header_of)
        read_header(r, header_of);
    else
        read_rows(r);
    return FUM_OK;
}

static enum fum_result begin(struct reader *r, const struct fum_image_file *file,
                             struct fum_error *err) {
    *r = (struct reader){0};
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    r->jpeg.client_data = r;
    enum fum_result result = attempt(r, file, file->where, err);
    if (result) return result;
    return fum_image_check_size(file, r->jpeg.image_width, r->jpeg.image_height, err);
}

// Converts inks to red, green and blue in place. Values are stored inverted, as Adobe's programs
// and Pillow have it, so that each is the light that an ink lets through.
static void mix_inks(struct fum_bitmap *bitmap) {
    size_t count = (size_t)bitmap->width * (size_t)bitmap->height;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++) {
            unsigned light = bitmap->pixels[4 * i + c] * bitmap->pixels[4 * i + 3];
            bitmap->pixels[3 * i + c] = (uint8_t)((light + 127) / 255);
        }
    bitmap->channels = 3;
}

static enum fum_result decode(const struct fum_image_file *file, struct fum_bitmap *bitmap,
                              struct fum_error *err) {
    struct reader r;
    enum fum_result result = begin(&r, file, err);
    int orientation = orientation_of(&r);
    if (!result) result = attempt(&r, NULL, file->where, err);
    struct fum_bitmap found = {r.pixels, (int)r.jpeg.output_width, (int)r.jpeg.output_height,
                               r.jpeg.output_components};
    if (!result && found.channels == 4) mix_inks(&found);
    if (!result) result = fum_jpeg_turn(&found, orientation, err);
    jpeg_destroy_decompress(&r.jpeg);
    if (result)
        fum_bitmap_free(&found);
    else
        *bitmap = found;
    return result;
}

static enum fum_result measure(const struct fum_image_file *file, struct fum_bitmap *size,
                               struct fum_error *err) {
    struct reader r;
    enum fum_result result = begin(&r, file, err);
    if (!result) {
        bool aside = orientation_of(&r) >= 5;
        int width = (int)r.jpeg.image_width, height = (int)r.jpeg.image_height;
        size->width = aside ? height : width;
        size->height = aside ? width : height;
        size->channels = r.jpeg.out_color_space == JCS_GRAYSCALE ? 1 : 3;
    }
    jpeg_destroy_decompress(&r.jpeg);
    return result;
}

const struct fum_image_format fum_image_jpeg = {
    .name = "JPEG",
    .probe = probe,
    .find_text = find_text,
    .measure = measure,
    .decode = decode,
};

#else

const struct fum_image_format fum_image_jpeg = {
    .name = "JPEG",
    .probe = probe,
    .find_text = find_text,
    .missing = "libjpeg-turbo",
};

#endif
