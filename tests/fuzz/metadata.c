// SPDX-License-Identifier: MIT
// libFuzzer target of the texts in pictures: chunks and EXIF blocks of damaged files, and the
// parameters in them.
#include "choices.h"
#include "packed.h"

#include "base/alloc.h"
#include "io/image.h"

#include <fumarole/metadata.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1024 };

struct bytes {
    uint8_t at[MOST];
    size_t count;
};

static void put(struct bytes *b, const void *data, size_t count) {
    if (count > MOST - b->count) abort();
    memcpy(b->at + b->count, data, count);
    b->count += count;
}

static void put_number(struct bytes *b, uint32_t value, int size, bool big) {
    for (int i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
        put(b, &byte, 1);
    }
}

// Makes a text of the pieces that parameters have.
static void put_text(struct bytes *b, struct choices *c) {
    static const char *const pieces[] = {"Steps: 2, ", "Size: 1x1, ",        "\n", "a cat",
                                         "\"x, y\"",   "Negative prompt: b", ": ", "\\\"",
                                         "\xc3\xa9",   "Model: \"m, \\n\", "};
    for (uint32_t n = choose(c, 16); n; n--) {
        const char *piece = pieces[choose(c, sizeof pieces / sizeof *pieces)];
        put(b, piece, strlen(piece));
    }
}

static bool noted; // the text is a note of the maker, not a comment

// Puts an EXIF block whose comment or note is the text.
static void put_exif(struct bytes *b, const struct bytes *text, struct choices *c) {
    static const char maker[] = FUM_IMAGE_REQUEST_KEY;
    noted = one_in(c, 3);
    bool big = one_in(c, 2), wide = one_in(c, 2) && !noted;
    uint32_t code = noted ? sizeof maker : 8, tag = noted ? 0x927c : 0x9286;
    uint32_t count = code + (uint32_t)text->count * (wide ? 2 : 1);
    put(b, big ? "MM\0*" : "II*\0", 4);
    put_number(b, 8, 4, big);
    for (int i = 0; i < 2; i++) { // the first directory, which holds the second
        put_number(b, 1, 2, big);
        put_number(b, i ? tag : 0x8769, 2, big);
        put_number(b, i ? 7 : 4, 2, big);
        put_number(b, i ? count : 1, 4, big);
        put_number(b, i ? 44 : 26, 4, big);
        put_number(b, 0, 4, big);
    }
    const char *characters = wide ? "UNICODE\0" : "ASCII\0\0\0";
    put(b, noted ? maker : characters, code);
    for (size_t i = 0; i < text->count; i++) put_number(b, text->at[i], wide ? 2 : 1, big);
}

static void put_chunk(struct bytes *b, const char *type, const struct bytes *data) {
    put_number(b, (uint32_t)data->count, 4, true);
    put(b, type, 4);
    put(b, data->at, data->count);
    put_number(b, 0, 4, true);
}

static void put_png(struct bytes *b, const struct bytes *text, struct choices *c) {
    static const char *const types[] = {"tEXt", "zTXt", "iTXt", "iTXt", "eXIf"};
    uint32_t type = choose(c, 5);
    uint8_t packed[MOST];
    size_t size = 0;
    struct bytes data = {.count = 0};
    bool compressed = type == 1 || type == 3;
    if (compressed) size = pack_bytes(packed, sizeof packed, text->at, text->count, PACK_ZLIB);
    if (type < 4) put(&data, "parameters", 11);
    if (type == 1) put(&data, "", 1);
    if (type == 2 || type == 3) put(&data, type == 3 ? "\1\0en\0k" : "\0\0en\0k", 7);
    if (type == 4)
        put_exif(&data, text, c);
    else
        put(&data, compressed ? packed : text->at, compressed ? size : text->count);
    put(b, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(b, types[type], &data);
}

static void put_jpeg(struct bytes *b, const struct bytes *text, struct choices *c) {
    struct bytes exif = {.count = 0};
    put_exif(&exif, text, c);
    put(b, "\xff\xd8\xff\xe1", 4);
    put_number(b, (uint32_t)exif.count + 8, 2, true);
    put(b, "Exif\0", 6);
    put(b, exif.at, exif.count);
}

static void put_webp(struct bytes *b, const struct bytes *text, struct choices *c) {
    struct bytes exif = {.count = 0};
    put_exif(&exif, text, c);
    put(b, "RIFF\0\0\0\0WEBPEXIF", 16);
    put_number(b, (uint32_t)exif.count, 4, false);
    put(b, exif.at, exif.count);
}

static void damage(struct bytes *b, struct choices *c) {
    for (uint32_t n = choose(c, 5); n && b->count; n--)
        b->at[choose(c, 65536) % b->count] = (uint8_t)choose(c, 256);
    if (one_in(c, 3)) b->count = choose(c, 65536) % (b->count + 1);
}

static void parse(const char *text) {
    struct fum_metadata *m = NULL;
    if (fum_metadata_parse(&m, text, NULL) || !m->prompt || !m->negative_prompt) abort();
    if (m->num_fields && !fum_metadata_find(m, m->fields[m->num_fields - 1].key)) abort();
    fum_metadata_destroy(&m);
    if (m) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const kinds[])(struct bytes *, const struct bytes *,
                                 struct choices *) = {put_png, put_jpeg, put_webp};
    struct choices c = {data, size, 0};
    struct bytes text = {.count = 0}, file = {.count = 0};
    uint32_t kind = choose(&c, 3);
    bool whole = one_in(&c, 8);
    noted = false;
    put_text(&text, &c);
    kinds[kind](&file, &text, &c);
    if (!whole) damage(&file, &c);
    uint8_t *exact = malloc(file.count ? file.count : 1); // so that reads behind the end are found
    if (!exact) abort();
    memcpy(exact, file.at, file.count);
    const struct fum_image_file picture = {.data = exact, .bytes = file.count, .where = "fuzz"};
    char *found = NULL, *request = NULL;
    if (!fum_image_find_text(&picture, "parameters", &found)) abort();
    if (!fum_image_find_text(&picture, FUM_IMAGE_REQUEST_KEY, &request)) abort();
    if (found) parse(found);
    if (whole && text.count && !noted && !found) abort();
    if (whole && text.count && noted && kind && !request) abort(); // PNG has chunks for it
    fum_free(found);
    fum_free(request);
    free(exact);
    return 0;
}
