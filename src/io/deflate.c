#include "io/deflate.h"

#include <string.h>

enum {
    WINDOW = 32768,
    HASH_SIZE = 1 << 15,
    MIN_MATCH = 3,
    MAX_MATCH = 258,
    MAX_CHAIN = 48, // places tried per match: the trade of time for size
};

struct encoder {
    uint8_t *out;
    size_t at;
    uint32_t bits; // not yet written, the next one lowest
    int bit_count;
    int32_t head[HASH_SIZE]; // newest position of each hash, -1: none
    int32_t prev[WINDOW];    // the position before it with the same hash
};

static void put_bits(struct encoder *e, uint32_t value, int count) {
    e->bits |= value << e->bit_count;
    for (e->bit_count += count; e->bit_count >= 8; e->bit_count -= 8) {
        e->out[e->at++] = (uint8_t)e->bits;
        e->bits >>= 8;
    }
}

// Huffman codes go out highest bit first.
static void put_code(struct encoder *e, uint32_t code, int count) {
    uint32_t reversed = 0;
    for (int i = 0; i < count; i++) reversed |= ((code >> i) & 1) << (count - 1 - i);
    put_bits(e, reversed, count);
}

// The fixed code of a literal or length symbol (RFC 1951, 3.2.6).
static void put_symbol(struct encoder *e, uint32_t symbol) {
    if (symbol < 144)
        put_code(e, 0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(e, 0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(e, symbol - 256, 7);
    else
        put_code(e, 0xc0 + symbol - 280, 8);
}

static void put_match(struct encoder *e, int length, int distance) {
    static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                             31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                             2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[30] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                               33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                               1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    int i = 28, j = 29;
    while (length < length_base[i]) i--;
    put_symbol(e, (uint32_t)(257 + i));
    put_bits(e, (uint32_t)(length - length_base[i]), length_extra[i]);
    while (distance < distance_base[j]) j--;
    put_code(e, (uint32_t)j, 5);
    put_bits(e, (uint32_t)(distance - distance_base[j]), j < 2 ? 0 : j / 2 - 1);
}

static uint32_t hash_of(const uint8_t *p) {
    return (uint32_t)(((p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16) * 2654435761u) >> 17);
}

static void remember(struct encoder *e, const uint8_t *data, size_t at, size_t bytes) {
    if (bytes - at < MIN_MATCH) return;
    uint32_t hash = hash_of(data + at);
    e->prev[at % WINDOW] = e->head[hash];
    e->head[hash] = (int32_t)at;
}

static int find_match(const struct encoder *e, const uint8_t *data, size_t at, size_t bytes, int *distance) {
    size_t room = bytes - at;
    int most = room < MAX_MATCH ? (int)room : MAX_MATCH, best = 0;
    if (most < MIN_MATCH) return 0;
    int32_t place = e->head[hash_of(data + at)];
    for (int tries = 0; place >= 0 && at - (size_t)place < WINDOW && tries < MAX_CHAIN && best < most;
         tries++) {
        const uint8_t *a = data + place, *b = data + at;
        int n = 0;
        if (a[best] == b[best])
            while (n < most && a[n] == b[n]) n++;
        if (n > best) {
            best = n;
            *distance = (int)(at - (size_t)place);
        }
        int32_t older = e->prev[place % WINDOW];
        if (older >= place) break; // the slot was taken by a newer position
        place = older;
    }
    return best >= MIN_MATCH ? best : 0;
}

static uint32_t adler32(const uint8_t *data, size_t bytes) {
    uint32_t a = 1, b = 0;
    while (bytes) {
        size_t n = bytes < 5552 ? bytes : 5552; // sums fit 32 bits that long
        bytes -= n;
        while (n--) {
            a += *data++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

uint8_t *fum_deflate_zlib(const uint8_t *data, size_t bytes, size_t *out_bytes) {
    struct encoder *e = fum_calloc(1, sizeof *e);
    uint8_t *out = fum_alloc(bytes + bytes / 8 + 32, 1); // a literal takes 9 bits at most
    if (!e || !out) {
        fum_free(e);
        fum_free(out);
        return NULL;
    }
    e->out = out;
    for (int i = 0; i < HASH_SIZE; i++) e->head[i] = -1;
    out[e->at++] = 0x78;
    out[e->at++] = 0x5e;
    put_bits(e, 3, 3); // the last block, fixed codes
    for (size_t at = 0; at < bytes;) {
        int distance = 0, length = find_match(e, data, at, bytes, &distance);
        if (length)
            put_match(e, length, distance);
        else
            put_symbol(e, data[at]);
        for (int n = length ? length : 1; n; n--) remember(e, data, at++, bytes);
    }
    put_symbol(e, 256);
    if (e->bit_count) put_bits(e, 0, 8 - e->bit_count);
    uint32_t sum = adler32(data, bytes);
    for (int i = 3; i >= 0; i--) out[e->at++] = (uint8_t)(sum >> (8 * i));
    *out_bytes = e->at;
    fum_free(e);
    return out;
}
