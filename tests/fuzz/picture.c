// SPDX-License-Identifier: MIT
// Fuzz target of the readers of pictures. An input that begins as a picture does is one; others
// choose damage to a file of tests/data, or the fields of a BMP.
#include "io/image.h"
#include "samples.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(enum fum_result result, const struct fum_bitmap *bitmap,
                  const struct fum_error *err) {
    if (result ? bitmap->pixels || !err->text[0] : !bitmap->pixels) abort();
}

// Reads every pixel, so that a sanitizer checks them.
static void read_pixels(const struct fum_bitmap *b) {
    uint64_t bytes = (uint64_t)b->width * (uint64_t)b->height * (uint64_t)b->channels, sum = 0;
    for (uint64_t i = 0; i < bytes; i++) sum += b->pixels[i];
    if (sum > 255 * bytes) abort();
}

// Decodes a picture. What the header says must be what comes out.
static void try_decode(const struct fum_image_file *file, int channels) {
    struct fum_bitmap bitmap, measured;
    struct fum_error err = {0};
    char *parameters = NULL;
    enum fum_result result = fum_image_decode(file, channels, &bitmap, &parameters, &err);
    check(result, &bitmap, &err);
    if (!result) {
        read_pixels(&bitmap);
        bool same = !fum_image_measure(file, &measured, &err) && measured.width == bitmap.width &&
                    measured.height == bitmap.height;
        if (!same || (channels && bitmap.channels != channels)) abort();
    }
    fum_bitmap_free(&bitmap);
    fum_free(parameters);
}

static void try_upright(const struct fum_image_file *file) {
    struct fum_bitmap bitmap = {0};
    struct fum_error err = {0};
    enum fum_result result = fum_image_decode_upright(file, &bitmap, &err);
    check(result, &bitmap, &err);
    if (!result) read_pixels(&bitmap);
    fum_bitmap_free(&bitmap);
}

static bool is_picture(const uint8_t *data, size_t size) {
    static const char *const begins[] = {"\x89PNG", "\xff\xd8\xff", "RIFF", "BM"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (size >= strlen(begins[i]) && !memcmp(data, begins[i], strlen(begins[i]))) return true;
    return false;
}

// ---- made pictures ----

static void put(uint8_t *to, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

// Makes a BMP of a few pixels, whose fields agree with each other unless choices say otherwise.
static size_t make_bmp(uint8_t *bytes, struct choices *c) {
    static const uint32_t depths[] = {24, 1, 4, 8, 16, 32, 2, 0},
                          headers[] = {40, 12, 56, 108, 124, 52, 64, 0},
                          compressions[] = {0, 3, 1, 2, 4, 6};
    uint32_t header = headers[choose(c, 8)], depth = depths[choose(c, 8)], width = choose(c, 20),
             height = choose(c, 20), colours = depth <= 8 ? choose(c, 257) : 0;
    bool core = header == 12, masks = one_in(c, 4), upside = one_in(c, 4);
    uint32_t offset = 14 + header + colours * (core ? 3 : 4) + (masks ? 12 : 0);
    size_t size = offset + (size_t)(width * depth + 31) / 32 * 4 * height;
    memset(bytes, 0, size + 64);
    memcpy(bytes, "BM", 2);
    put(bytes + 2, (uint32_t)size, 4);
    put(bytes + 10, offset, 4);
    put(bytes + 14, header, 4);
    put(bytes + 18, width, core ? 2 : 4);
    put(bytes + (core ? 20 : 22), upside ? 0 - height : height, core ? 2 : 4);
    put(bytes + (core ? 22 : 26), 1, 2);
    put(bytes + (core ? 24 : 28), depth, 2);
    if (!core) {
        put(bytes + 30, masks ? compressions[choose(c, 6)] : 0, 4);
        put(bytes + 46, colours, 4);
        if (masks)
            for (size_t i = 0; i < 4; i++)
                put(bytes + 54 + 4 * i, UINT32_C(0xff) << choose(c, 32), 4);
    }
    for (size_t i = offset; i < size; i++) bytes[i] = (uint8_t)(i * 37);
    return size;
}

// Inserts an EXIF block that turns the picture: behind the header of a PNG, at the end of a WebP.
static void insert_exif(uint8_t *bytes, size_t *size, struct choices *c) {
    enum { EXIF = 26, PNG_CHUNK = EXIF + 12, PNG_HEADER = 33 };
    static const uint8_t orientation[2][EXIF] = {
        {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6},
        {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6}};
    uint8_t exif[EXIF];
    bool big = one_in(c, 2), png = bytes[0] == 0x89, webp = bytes[0] == 'R';
    memcpy(exif, orientation[big], EXIF);
    exif[big ? 19 : 18] = (uint8_t)choose(c, 10);
    if (*size < PNG_HEADER || *size > SAMPLE_MOST_BYTES - PNG_CHUNK || !(png || webp)) return;
    uint8_t *at = bytes + (png ? PNG_HEADER : *size);
    if (png) memmove(at + PNG_CHUNK, at, *size - PNG_HEADER);
    memcpy(at,
           png ? "\0\0\0\x1a"
                 "eXIf"
               : "EXIF\x1a\0\0\0",
           8);
    memcpy(at + 8, exif, EXIF);
    if (png) memset(at + 8 + EXIF, 0, 4);
    *size += png ? PNG_CHUNK : EXIF + 8;
}

// Corrects the sums of a PNG's chunks, so that damage gets past them.
static void correct_sums(uint8_t *bytes, size_t size) {
    if (size < 8 || memcmp(bytes, "\x89PNG", 4)) return;
    for (size_t at = 8; size - at >= 12;) {
        const uint8_t *p = bytes + at;
        size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (length > size - at - 12) return;
        uint32_t sum = (uint32_t)crc32(0, p + 4, (uInt)length + 4);
        for (size_t i = 0; i < 4; i++) bytes[at + 8 + length + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

static uint8_t *make_picture(struct choices *c, size_t *size) {
    static struct samples samples;
    static uint8_t bytes[SAMPLE_MOST_BYTES];
    if (!samples.count) samples_add_tensors(&samples, "images.safetensors", "file/");
    uint32_t kind = choose(c, 8);
    if (kind > 1) return sample_damage(&samples, c, size);
    if (kind == 0) {
        *size = make_bmp(bytes, c);
    } else {
        const struct sample *sample = &samples.at[choose(c, (uint32_t)samples.count)];
        memcpy(bytes, sample->data, *size = sample->size);
        insert_exif(bytes, size, c);
    }
    sample_change(bytes, size, c);
    return sample_copy(bytes, *size);
}

// Large pictures take long, so that most inputs may have few pixels.
static void try_made(struct choices *c) {
    size_t size = 0;
    int channels = (int)choose(c, 5);
    int64_t most = one_in(c, 256) ? 1 << 22 : 1 << 13;
    bool upright = one_in(c, 4), corrects = !one_in(c, 8);
    uint8_t *bytes = make_picture(c, &size);
    if (corrects) correct_sums(bytes, size);
    const struct fum_image_file file = {
        .data = bytes, .bytes = size, .where = "fuzz", .max_pixels = most};
    if (upright)
        try_upright(&file);
    else
        try_decode(&file, channels);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    if (is_picture(data, size))
        try_decode(&(struct fum_image_file){.data = data, .bytes = size, .where = "fuzz"}, 3);
    else
        try_made(&c);
    return 0;
}
