// SPDX-License-Identifier: MIT
// Makes zip archives whose lengths, places and checksums agree, so that what is in them is read.
#ifndef TESTS_FUZZ_ZIP_MADE_H
#define TESTS_FUZZ_ZIP_MADE_H

#include "packed.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ZIP_MADE_MOST = 32768, ZIP_MADE_DIRECTORY = 1024 };

struct zip_made {
    uint8_t bytes[ZIP_MADE_MOST], directory[ZIP_MADE_DIRECTORY];
    size_t size, directory_size;
    uint32_t count;
};

static inline void zip_made_put(uint8_t *to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

// Adds a file, stored or compressed. Ends the process if there is no room.
static inline void zip_made_add(struct zip_made *z, const char *name, const uint8_t *data,
                                size_t size, bool compressed) {
    size_t length = strlen(name), packed = size, needed = 30 + length + 2 * size + 64;
    uint8_t *local = z->bytes + z->size, *record = z->directory + z->directory_size;
    if (z->size + needed + ZIP_MADE_DIRECTORY + 98 > ZIP_MADE_MOST ||
        z->directory_size + 46 + length > ZIP_MADE_DIRECTORY)
        abort();
    memset(local, 0, 30);
    memset(record, 0, 46);
    memcpy(local + 30, name, length);
    memcpy(record + 46, name, length);
    if (compressed)
        packed = pack_bytes(local + 30 + length, 2 * size + 64, data, size, PACK_RAW);
    else if (size)
        memcpy(local + 30 + length, data, size);
    zip_made_put(local, 0x04034b50, 4);
    zip_made_put(local + 8, compressed ? 8 : 0, 2);
    zip_made_put(local + 14, crc32(0, data, (uInt)size), 4);
    zip_made_put(local + 18, packed, 4);
    zip_made_put(local + 22, size, 4);
    zip_made_put(local + 26, length, 2);
    zip_made_put(record, 0x02014b50, 4);
    memcpy(record + 8, local + 6, 22);
    zip_made_put(record + 42, z->size, 4);
    z->size += 30 + length + packed;
    z->directory_size += 46 + length;
    z->count++;
}

// Adds the directory and the end; `wide`: as archives over 4 GiB have them.
static inline void zip_made_end(struct zip_made *z, bool wide) {
    uint8_t *end = z->bytes + z->size + z->directory_size;
    memcpy(z->bytes + z->size, z->directory, z->directory_size);
    memset(end, 0, 56 + 20 + 22);
    if (wide) {
        zip_made_put(end, 0x06064b50, 4);
        zip_made_put(end + 4, 44, 8);
        zip_made_put(end + 24, z->count, 8);
        zip_made_put(end + 32, z->count, 8);
        zip_made_put(end + 40, z->directory_size, 8);
        zip_made_put(end + 48, z->size, 8);
        zip_made_put(end + 56, 0x07064b50, 4);
        zip_made_put(end + 64, z->size + z->directory_size, 8);
        zip_made_put(end + 72, 1, 4);
        end += 76;
    }
    zip_made_put(end, 0x06054b50, 4);
    zip_made_put(end + 8, wide ? 0xffff : z->count, 2);
    zip_made_put(end + 10, wide ? 0xffff : z->count, 2);
    zip_made_put(end + 12, wide ? UINT32_MAX : z->directory_size, 4);
    zip_made_put(end + 16, wide ? UINT32_MAX : z->size, 4);
    z->size = (size_t)(end + 22 - z->bytes);
}

#endif
