// SPDX-License-Identifier: MIT
// Writes JPEG through libjpeg-turbo, with the parameters in EXIF.
#include "base/error.h"
#include "io/exif_text.h"
#include "io/image_config.h"
#include "io/image_writer.h"

#ifdef FUM_HAS_JPEG

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { EXIF_MARKER = JPEG_APP0 + 1, MAX_MARKER = 65533, PREFIX = 6 };

// libjpeg reports errors by a call that must not return, which here jumps back to `failed`.
struct writer {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf failed;
    enum fum_result result;
    char message[JMSG_LENGTH_MAX];
    unsigned char *out;
    unsigned long bytes;
    uint8_t *exif; // with its prefix
    size_t exif_bytes;
    JSAMPROW row;
};

static void on_error(j_common_ptr jpeg) {
    struct writer *w = jpeg->client_data;
    jpeg->err->format_message(jpeg, w->message);
    bool memory = jpeg->err->msg_code == JERR_OUT_OF_MEMORY;
    w->result = memory ? FUM_ERR_NOMEM : FUM_ERR_UNSUPPORTED;
    longjmp(w->failed, 1);
}

static void on_message(j_common_ptr jpeg, int level) {
    (void)jpeg;
    (void)level;
}

static void write_picture(struct writer *w, const struct fum_picture *p) {
    bool grey = p->channels < 3;
    size_t stride = (size_t)p->width * (size_t)p->channels;
    jpeg_create_compress(&w->jpeg);
    jpeg_mem_dest(&w->jpeg, &w->out, &w->bytes);
    w->jpeg.image_width = (JDIMENSION)p->width;
    w->jpeg.image_height = (JDIMENSION)p->height;
    w->jpeg.input_components = grey ? 1 : 3;
    w->jpeg.in_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&w->jpeg);
    jpeg_set_quality(&w->jpeg, p->quality ? p->quality : FUM_IMAGE_QUALITY, TRUE);
    jpeg_start_compress(&w->jpeg, TRUE);
    if (w->exif && w->exif_bytes <= MAX_MARKER)
        jpeg_write_marker(&w->jpeg, EXIF_MARKER, w->exif, (unsigned)w->exif_bytes);
    while (w->jpeg.next_scanline < w->jpeg.image_height) {
        memcpy(w->row, p->pixels + (size_t)w->jpeg.next_scanline * stride, stride);
        jpeg_write_scanlines(&w->jpeg, &w->row, 1);
    }
    jpeg_finish_compress(&w->jpeg);
}

static enum fum_result attempt(struct writer *w, const struct fum_picture *picture,
                               struct fum_error *err) {
    if (setjmp(w->failed)) {
        // libjpeg has freed what `out` points to if the bytes outgrew it: here it says where they
        // are.
        if (w->jpeg.dest) w->jpeg.dest->term_destination(&w->jpeg);
        return fum_error_set(err, w->result, "cannot make a JPEG of %dx%d: %s", picture->width,
                             picture->height, w->message);
    }
    write_picture(w, picture);
    return FUM_OK;
}

// Writes the texts' block behind the name that a JPEG's marker has. The request is left out if both
// together are too long for a marker.
static bool add_exif(struct writer *w, const struct fum_picture *picture) {
    struct fum_exif_texts texts = {picture->parameters, picture->request};
    size_t bytes = 0;
    uint8_t *block = fum_exif_write(&texts, &bytes);
    if (block && texts.request && bytes + PREFIX > MAX_MARKER) {
        fum_free(block);
        texts.request = NULL;
        block = fum_exif_write(&texts, &bytes);
    }
    w->exif = block ? fum_alloc(bytes + PREFIX, 1) : NULL;
    if (w->exif) {
        memcpy(w->exif, "Exif\0\0", PREFIX);
        memcpy(w->exif + PREFIX, block, bytes);
        w->exif_bytes = bytes + PREFIX;
    }
    fum_free(block);
    return w->exif != NULL;
}

static enum fum_result encode(const struct fum_picture *picture, uint8_t **bytes, size_t *count,
                              struct fum_error *err) {
    struct writer w = {0};
    enum fum_result result = FUM_OK;
    w.jpeg.err = jpeg_std_error(&w.errors);
    w.errors.error_exit = on_error;
    w.errors.emit_message = on_message;
    w.jpeg.client_data = &w;
    w.row = fum_alloc((size_t)picture->width, (size_t)picture->channels);
    if (!w.row || (picture->parameters && !add_exif(&w, picture)))
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a JPEG");
    if (!result) result = attempt(&w, picture, err);
    jpeg_destroy_compress(&w.jpeg);
    if (!result && (*bytes = fum_alloc(w.bytes, 1))) memcpy(*bytes, w.out, w.bytes);
    if (!result && !*bytes) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a JPEG");
    *count = w.bytes;
    free(w.out); // libjpeg's
    fum_free(w.exif);
    fum_free(w.row);
    return result;
}

const struct fum_image_writer fum_image_jpeg_writer = {
    .name = "JPEG",
    .endings = {".jpg", ".jpeg"},
    .encode = encode,
};

#else

const struct fum_image_writer fum_image_jpeg_writer = {
    .name = "JPEG",
    .endings = {".jpg", ".jpeg"},
    .missing = "libjpeg-turbo",
};

#endif
