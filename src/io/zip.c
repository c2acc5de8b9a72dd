// SPDX-License-Identifier: MIT
#include "io/zip.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

#include <zlib.h>

typedef unsigned long long ull;

// Sizes and signatures of the format's records (APPNOTE.TXT 6.3).
enum {
    END_BYTES = 22,
    END64_LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    MAX_COMMENT = 65535,
    MAX_DIRECTORY = 64 << 20,
    FLAG_ENCRYPTED = 1,
    EXTRA_ZIP64 = 1,
};
#define END_SIGNATURE           0x06054b50u
#define END64_SIGNATURE         0x06064b50u
#define END64_LOCATOR_SIGNATURE 0x07064b50u
#define CENTRAL_SIGNATURE       0x02014b50u
#define LOCAL_SIGNATURE         0x04034b50u

static uint16_t get16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p) {
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p) {
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static enum fum_result damaged(const struct fum_zip *zip, const char *what, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: the zip archive is damaged: %s", zip->path,
                         what);
}

// ---- the directory ----

// Where the central directory lies.
struct directory {
    uint64_t offset, bytes, count;
};

// Finds the record at the end of the archive, before a comment. Returns its place in the last bytes
// `tail[0..bytes)`, or -1.
static long find_end(const uint8_t *tail, size_t bytes) {
    for (size_t at = bytes >= END_BYTES ? bytes - END_BYTES + 1 : 0; at-- > 0;)
        if (get32(tail + at) == END_SIGNATURE && at + END_BYTES + get16(tail + at + 20) <= bytes)
            return (long)at;
    return -1;
}

// Replaces the fields that did not fit into the end record by those of the zip64 record.
static enum fum_result read_end64(const struct fum_zip *zip, uint64_t end, struct directory *found,
                                  struct fum_error *err) {
    uint8_t locator[END64_LOCATOR_BYTES], record[END64_BYTES];
    uint64_t size = fum_view_count(&zip->bytes);
    if (end < END64_LOCATOR_BYTES) return FUM_OK;
    enum fum_result result =
        fum_view_read(&zip->bytes, end - END64_LOCATOR_BYTES, sizeof locator, locator, err);
    if (result || get32(locator) != END64_LOCATOR_SIGNATURE) return result;
    uint64_t at = get64(locator + 8);
    if (size < END64_BYTES || at > size - END64_BYTES)
        return damaged(zip, "its zip64 record is outside", err);
    result = fum_view_read(&zip->bytes, at, sizeof record, record, err);
    if (result) return result;
    if (get32(record) != END64_SIGNATURE) return damaged(zip, "no zip64 record", err);
    *found = (struct directory){get64(record + 48), get64(record + 40), get64(record + 32)};
    return FUM_OK;
}

static enum fum_result find_directory(const struct fum_zip *zip, struct directory *found,
                                      struct fum_error *err) {
    uint64_t size = fum_view_count(&zip->bytes);
    size_t bytes = (size_t)FUM_MIN(size, (uint64_t)(END_BYTES + MAX_COMMENT));
    uint8_t *tail = fum_alloc(bytes, 1);
    if (!tail) return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to read it", zip->path);
    enum fum_result result = fum_view_read(&zip->bytes, size - bytes, bytes, tail, err);
    long at = result ? -1 : find_end(tail, bytes);
    if (at >= 0) {
        const uint8_t *end = tail + at;
        *found = (struct directory){get32(end + 16), get32(end + 12), get16(end + 10)};
        if (get16(end + 4) && get16(end + 4) != 0xffff)
            result = fum_error_set(err, FUM_ERR_UNSUPPORTED,
                                   "%s: a part of a zip archive of several files", zip->path);
        if (!result) result = read_end64(zip, size - bytes + (uint64_t)at, found, err);
    } else if (!result) {
        result = damaged(zip, "it has no directory: cut off? Get the file again", err);
    }
    fum_free(tail);
    if (result) return result;
    if (found->offset > size || found->bytes > size - found->offset ||
        found->bytes > MAX_DIRECTORY || found->count > found->bytes / CENTRAL_BYTES)
        return damaged(zip, "its directory is not inside", err);
    return FUM_OK;
}

// ---- the entries ----

// Takes the 64-bit sizes and the offset from the extra field where the record's own are full.
static bool read_extra64(struct fum_zip_entry *entry, const uint8_t *extra, size_t bytes) {
    uint64_t *const fields[] = {&entry->bytes, &entry->packed, &entry->offset};
    while (bytes >= 4) {
        size_t length = get16(extra + 2);
        if (length > bytes - 4) return false;
        if (get16(extra) == EXTRA_ZIP64) {
            const uint8_t *at = extra + 4, *end = at + length;
            for (size_t i = 0; i < FUM_COUNT(fields); i++) {
                if (*fields[i] != UINT32_MAX) continue;
                if (end - at < 8) return false;
                *fields[i] = get64(at);
                at += 8;
            }
            return true;
        }
        extra += 4 + length;
        bytes -= 4 + length;
    }
    return true;
}

// Moves entry->offset from the entry's local header to its bytes, and checks that they are inside.
static enum fum_result find_bytes(const struct fum_zip *zip, struct fum_zip_entry *entry,
                                  struct fum_error *err) {
    uint8_t local[LOCAL_BYTES];
    uint64_t size = fum_view_count(&zip->bytes);
    if (size < LOCAL_BYTES || entry->offset > size - LOCAL_BYTES)
        return damaged(zip, "an entry is outside", err);
    enum fum_result result = fum_view_read(&zip->bytes, entry->offset, sizeof local, local, err);
    if (result) return result;
    if (get32(local) != LOCAL_SIGNATURE) return damaged(zip, "an entry has no header", err);
    entry->offset += LOCAL_BYTES + (uint64_t)get16(local + 26) + get16(local + 28);
    if (entry->offset > size || entry->packed > size - entry->offset)
        return damaged(zip, "an entry ends outside", err);
    if (entry->method == FUM_ZIP_STORED && entry->packed != entry->bytes)
        return damaged(zip, "an entry's sizes differ", err);
    return FUM_OK;
}

// What is left of the directory.
struct records {
    const uint8_t *at;
    size_t left;
};

// Reads one record of the directory and moves behind it.
static enum fum_result read_entry(struct fum_zip *zip, fum_arena *arena, struct records *records,
                                  struct fum_error *err) {
    const uint8_t *record = records->at;
    struct fum_zip_entry *entry = &zip->entries[zip->count];
    if (records->left < CENTRAL_BYTES || get32(record) != CENTRAL_SIGNATURE)
        return damaged(zip, "a record of its directory is missing", err);
    size_t name = get16(record + 28), extra = get16(record + 30), comment = get16(record + 32);
    size_t used = CENTRAL_BYTES + name + extra + comment;
    if (used > records->left) return damaged(zip, "a record of its directory is cut off", err);
    *entry = (struct fum_zip_entry){
        .name = fum_arena_printf(arena, "%.*s", (int)name, (const char *)record + CENTRAL_BYTES),
        .method = get16(record + 10),
        .crc = get32(record + 16),
        .packed = get32(record + 20),
        .bytes = get32(record + 24),
        .offset = get32(record + 42)};
    if (!entry->name)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its names", zip->path);
    if (get16(record + 8) & FLAG_ENCRYPTED)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: %s is encrypted", zip->path,
                             fum_text_show(entry->name).text);
    if (!read_extra64(entry, record + CENTRAL_BYTES + name, extra))
        return damaged(zip, "an extra field is cut off", err);
    zip->count++;
    *records = (struct records){record + used, records->left - used};
    return find_bytes(zip, entry, err);
}

enum fum_result fum_zip_open(struct fum_zip *zip, fum_arena *arena, const char *path,
                             const struct fum_view *bytes, struct fum_error *err) {
    struct directory directory = {0};
    *zip = (struct fum_zip){.path = path, .bytes = *bytes};
    enum fum_result result = find_directory(zip, &directory, err);
    if (result) return result;
    uint8_t *records = fum_alloc((size_t)directory.bytes, 1);
    zip->entries = fum_arena_alloc(arena, (size_t)directory.count, sizeof *zip->entries);
    if (!records || (!zip->entries && directory.count))
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its directory", path);
    if (!result) result = fum_view_read(bytes, directory.offset, directory.bytes, records, err);
    struct records left = {records, (size_t)directory.bytes};
    for (uint64_t i = 0; i < directory.count && !result; i++)
        result = read_entry(zip, arena, &left, err);
    fum_free(records);
    return result;
}

const struct fum_zip_entry *fum_zip_find(const struct fum_zip *zip, const char *name) {
    for (size_t i = 0; i < zip->count; i++)
        if (!strcmp(zip->entries[i].name, name)) return &zip->entries[i];
    return NULL;
}

// ---- the bytes of an entry ----

// Unpacks packed[0..entry->packed) into `data`, exactly entry->bytes. Both are below 4 GiB.
static bool inflate_entry(const struct fum_zip_entry *entry, const uint8_t *packed, uint8_t *data) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed,
                       .avail_in = (uInt)entry->packed,
                       .next_out = data,
                       .avail_out = (uInt)entry->bytes};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    bool good = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
    inflateEnd(&stream);
    return good;
}

static bool unpack(const struct fum_zip_entry *entry, const uint8_t *packed, uint8_t *data) {
    if (entry->method == FUM_ZIP_STORED)
        memcpy(data, packed, (size_t)entry->bytes);
    else if (!inflate_entry(entry, packed, data))
        return false;
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0; at < entry->bytes; at += INT_MAX)
        crc = crc32(crc, data + at, (uInt)FUM_MIN(entry->bytes - at, (uint64_t)INT_MAX));
    return crc == entry->crc;
}

static enum fum_result check_entry(const struct fum_zip *zip, const struct fum_zip_entry *entry,
                                   uint64_t limit, struct fum_error *err) {
    const struct fum_shown name = fum_text_show(entry->name);
    if (entry->method != FUM_ZIP_STORED && entry->method != FUM_ZIP_DEFLATED)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: %s is packed by method %d; only stored and deflated are read",
                             zip->path, name.text, entry->method);
    bool deflated = entry->method == FUM_ZIP_DEFLATED;
    if (entry->bytes > limit ||
        (deflated && (entry->bytes > UINT32_MAX || entry->packed > UINT32_MAX)))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: %s has %llu bytes, which is too much",
                             zip->path, name.text, (ull)entry->bytes);
    // Deflate packs at most 1032 to one, so a larger claim is damage and no reason to allocate.
    if (deflated && entry->bytes / 1032 > entry->packed)
        return damaged(zip, "an entry claims more bytes than it can hold", err);
    return FUM_OK;
}

enum fum_result fum_zip_read(const struct fum_zip *zip, const struct fum_zip_entry *entry,
                             uint64_t limit, uint8_t **data, struct fum_error *err) {
    *data = NULL;
    enum fum_result result = check_entry(zip, entry, limit, err);
    if (result) return result;
    uint8_t *packed = fum_alloc((size_t)entry->packed + 1, 1);
    *data = fum_alloc((size_t)entry->bytes + 1, 1);
    if (!packed || !*data)
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the %llu bytes of %s",
                               zip->path, (ull)entry->bytes, fum_text_show(entry->name).text);
    if (!result) result = fum_view_read(&zip->bytes, entry->offset, entry->packed, packed, err);
    if (!result && !unpack(entry, packed, *data))
        result = fum_error_set(err, FUM_ERR_FORMAT,
                               "%s: the bytes of %s are damaged (their checksum differs)",
                               zip->path, fum_text_show(entry->name).text);
    fum_free(packed);
    if (result) {
        fum_free(*data);
        *data = NULL;
    }
    return result;
}

// ---- writing ----

static void put16(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value) {
    put16(p, value & 0xffff);
    put16(p + 2, value >> 16);
}

// Fills in what the local header and the directory's record of an entry share, at its place there.
static void put_common(uint8_t *p, const struct fum_zip_piece *piece) {
    enum { VERSION = 20, DATE_1980 = 1 << 5 | 1 };
    put16(p, VERSION);
    put16(p + 8, DATE_1980);
    put32(p + 10, (uint32_t)crc32(crc32(0, NULL, 0), piece->data, (uInt)piece->bytes));
    put32(p + 14, (uint32_t)piece->bytes);
    put32(p + 18, (uint32_t)piece->bytes);
    put16(p + 22, (uint32_t)strlen(piece->name));
}

static enum fum_result write_local(fum_file_writer *writer, const struct fum_zip_piece *piece,
                                   struct fum_error *err) {
    uint8_t header[LOCAL_BYTES] = {0};
    put32(header, LOCAL_SIGNATURE);
    put_common(header + 4, piece);
    enum fum_result result = fum_file_write(writer, header, sizeof header, err);
    if (!result) result = fum_file_write(writer, piece->name, strlen(piece->name), err);
    if (!result) result = fum_file_write(writer, piece->data, piece->bytes, err);
    return result;
}

static enum fum_result write_record(fum_file_writer *writer, const struct fum_zip_piece *piece,
                                    uint64_t offset, struct fum_error *err) {
    uint8_t record[CENTRAL_BYTES] = {0};
    put32(record, CENTRAL_SIGNATURE);
    put16(record + 4, 20);
    put_common(record + 6, piece);
    put32(record + 42, (uint32_t)offset);
    enum fum_result result = fum_file_write(writer, record, sizeof record, err);
    return result ? result : fum_file_write(writer, piece->name, strlen(piece->name), err);
}

static enum fum_result write_end(fum_file_writer *writer, const struct directory *directory,
                                 struct fum_error *err) {
    uint8_t end[END_BYTES] = {0};
    put32(end, END_SIGNATURE);
    put16(end + 8, (uint32_t)directory->count);
    put16(end + 10, (uint32_t)directory->count);
    put32(end + 12, (uint32_t)directory->bytes);
    put32(end + 16, (uint32_t)directory->offset);
    return fum_file_write(writer, end, sizeof end, err);
}

static enum fum_result write_all(fum_file_writer *writer, const struct fum_zip_piece *pieces,
                                 size_t count, struct fum_error *err) {
    struct directory directory = {.count = count};
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < count && !result; i++) {
        result = write_local(writer, &pieces[i], err);
        directory.offset += LOCAL_BYTES + strlen(pieces[i].name) + pieces[i].bytes;
    }
    uint64_t offset = 0;
    for (size_t i = 0; i < count && !result; i++) {
        result = write_record(writer, &pieces[i], offset, err);
        offset += LOCAL_BYTES + strlen(pieces[i].name) + pieces[i].bytes;
        directory.bytes += CENTRAL_BYTES + strlen(pieces[i].name);
    }
    return result ? result : write_end(writer, &directory, err);
}

enum fum_result fum_zip_write(const char *path, const struct fum_zip_piece *pieces, size_t count,
                              struct fum_error *err) {
    fum_file_writer *writer = NULL;
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total += pieces[i].bytes + 1024;
    if (total > UINT32_MAX || count > 1000)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "cannot write %s: over 4 GiB", path);
    enum fum_result result = fum_file_begin(&writer, path, err);
    if (!result) result = write_all(writer, pieces, count, err);
    if (!result) result = fum_file_commit(&writer, err);
    fum_file_abort(&writer);
    return result;
}
