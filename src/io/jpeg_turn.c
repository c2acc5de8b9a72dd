// SPDX-License-Identifier: MIT
#include "io/jpeg_turn.h"

#include "base/error.h"

#include <string.h>

// The bytes of a TIFF header and its directories, in either order.
struct tiff {
    const uint8_t *data;
    size_t bytes;
    bool big_endian;
};

static uint32_t read_number(const struct tiff *t, size_t at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)t->data[at + (size_t)i] << 8 * (t->big_endian ? bytes - 1 - i : i);
    return value;
}

int fum_jpeg_orientation(const uint8_t *data, size_t bytes) {
    enum { ENTRY = 12, ORIENTATION = 0x0112, SHORT = 3 };
    size_t skip = bytes >= 6 && !memcmp(data, "Exif\0", 6) ? 6 : 0;
    if (bytes < skip + 8) return 1;
    struct tiff t = {data + skip, bytes - skip, data[skip] == 'M'};
    if (memcmp(t.data, "MM\0*", 4) && memcmp(t.data, "II*\0", 4)) return 1;
    size_t at = read_number(&t, 4, 4);
    if (at > t.bytes - 2) return 1;
    uint32_t count = read_number(&t, at, 2);
    at += 2;
    for (uint32_t i = 0; i < count && t.bytes - at >= ENTRY; i++, at += ENTRY) {
        if (read_number(&t, at, 2) != ORIENTATION || read_number(&t, at + 2, 2) != SHORT) continue;
        uint32_t value = read_number(&t, at + 8, 2);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

enum fum_result fum_jpeg_turn(struct fum_bitmap *bitmap, int orientation, struct fum_error *err) {
    // Whether axes are exchanged, and then which of the source's axes run backwards.
    static const struct {
        bool exchange, back_x, back_y;
    } turns[9] = {{0},
                  {false, false, false},
                  {false, true, false},
                  {false, true, true},
                  {false, false, true},
                  {true, false, false},
                  {true, false, true},
                  {true, true, true},
                  {true, true, false}};
    int w = bitmap->width, h = bitmap->height;
    size_t channels = (size_t)bitmap->channels;
    if (orientation <= 1) return FUM_OK;
    struct fum_bitmap to = {.width = turns[orientation].exchange ? h : w,
                            .height = turns[orientation].exchange ? w : h,
                            .channels = bitmap->channels};
    to.pixels = fum_alloc((size_t)w * (size_t)h, channels);
    if (!to.pixels) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to turn a picture");
    for (int y = 0; y < to.height; y++)
        for (int x = 0; x < to.width; x++) {
            int from_x = turns[orientation].exchange ? y : x;
            int from_y = turns[orientation].exchange ? x : y;
            if (turns[orientation].back_x) from_x = w - 1 - from_x;
            if (turns[orientation].back_y) from_y = h - 1 - from_y;
            memcpy(to.pixels + ((size_t)y * (size_t)to.width + (size_t)x) * channels,
                   bitmap->pixels + ((size_t)from_y * (size_t)w + (size_t)from_x) * channels,
                   channels);
        }
    fum_bitmap_free(bitmap);
    *bitmap = to;
    return FUM_OK;
}
