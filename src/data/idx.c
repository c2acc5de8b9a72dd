// SPDX-License-Identifier: MIT
// Reads IDX, the format of MNIST, Fashion-MNIST and KMNIST, packed by gzip or not: big-endian words
// and bytes, as Yann LeCun's page describes it.
#include "data/idx.h"

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "data/class_names.h"
#include "data/path.h"
#include "data/reader.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum {
    TYPE_U8 = 8,
    MAX_RANK = 4,
    HEADER_BYTES = 4 + 4 * MAX_RANK,
    GZIP_FACTOR = 1100, // deflate makes at most 1032 bytes of one
};
#define MAX_FILE_BYTES (SIZE_MAX / 2)

// ---- bytes ----

static bool is_gzip(const uint8_t *data, size_t bytes) {
    return bytes >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

// Unpacks the first `bytes` bytes of a gzip file; all files of several joined ones count. Returns
// how many there are, at most one more than that, or -1 for damage.
static int64_t unpack(const struct fum_idx_file *file, uint8_t *to, size_t bytes) {
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)file->data};
    size_t left = file->bytes, done = 0;
    uint8_t beyond;
    int status = inflateInit2(&z, 15 + 16);
    if (status != Z_OK) return -1;
    while (status == Z_OK && done <= bytes) {
        size_t room = done < bytes ? bytes - done : 1;
        uInt in = (uInt)FUM_MIN(left, (size_t)1 << 30), out = (uInt)FUM_MIN(room, (size_t)1 << 30);
        z.avail_in = in;
        z.avail_out = out;
        z.next_out = done < bytes ? to + done : &beyond;
        status = inflate(&z, Z_NO_FLUSH);
        left -= in - z.avail_in;
        done += out - z.avail_out;
        bool more = status == Z_STREAM_END && is_gzip(z.next_in, left) && left > 2;
        if (more) status = inflateReset(&z);
    }
    inflateEnd(&z);
    // The end of the input, in the middle of the stream, is Z_BUF_ERROR.
    return status == Z_OK || status == Z_STREAM_END ? (int64_t)done : -1;
}

// Copies the header's bytes, as many as there are.
static size_t begin_of(const struct fum_idx_file *file, uint8_t header[HEADER_BYTES]) {
    if (!is_gzip(file->data, file->bytes)) {
        size_t n = FUM_MIN(file->bytes, (size_t)HEADER_BYTES);
        memcpy(header, file->data, n);
        return n;
    }
    int64_t n = unpack(file, header, HEADER_BYTES);
    return n < 0 ? 0 : (size_t)FUM_MIN(n, HEADER_BYTES);
}

static uint32_t word_at(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// ---- a file ----

static bool has_magic(const uint8_t *header, size_t bytes) {
    return bytes >= 4 && header[0] == 0 && header[1] == 0 && header[2] >= TYPE_U8 &&
           header[2] <= 14 && header[3] >= 1 && header[3] <= MAX_RANK;
}

// Reads the header, and checks that the data which it announces can be in the file.
static enum fum_result read_header(const struct fum_idx_file *file, struct fum_idx *idx,
                                   struct fum_error *err) {
    uint8_t header[HEADER_BYTES];
    size_t have = begin_of(file, header);
    if (!has_magic(header, have))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: not an IDX file%s", file->where,
                             is_gzip(file->data, file->bytes) ? " packed by gzip" : "");
    if (header[2] != TYPE_U8)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: IDX data of type 0x%02x; only bytes (0x08) are pictures or "
                             "labels",
                             file->where, header[2]);
    idx->rank = header[3];
    idx->header_bytes = 4 + 4 * (size_t)idx->rank;
    idx->bytes = 1;
    if (have < idx->header_bytes)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: ends within its header", file->where);
    bool gzip = is_gzip(file->data, file->bytes);
    uint64_t most = gzip ? (uint64_t)file->bytes * GZIP_FACTOR : file->bytes;
    for (int i = 0; i < idx->rank; i++) {
        idx->dim[i] = word_at(header + 4 + 4 * i);
        idx->bytes *= idx->dim[i];
        if (idx->bytes > most)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: cut off: %llu bytes cannot hold the data that its header "
                                 "announces",
                                 file->where, (unsigned long long)file->bytes);
    }
    return FUM_OK;
}

static enum fum_result check_length(const struct fum_idx_file *file, const struct fum_idx *idx,
                                    uint64_t found, struct fum_error *err) {
    uint64_t needed = idx->header_bytes + idx->bytes;
    if (found == needed) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: %s: its header announces %llu bytes",
                         file->where, found < needed ? "cut off" : "bytes follow the data",
                         (unsigned long long)needed);
}

enum fum_result fum_idx_parse(const struct fum_idx_file *file, struct fum_idx *idx,
                              struct fum_error *err) {
    *idx = (struct fum_idx){0};
    enum fum_result result = read_header(file, idx, err);
    if (result) return result;
    if (!is_gzip(file->data, file->bytes)) {
        idx->data = file->data + idx->header_bytes;
        return check_length(file, idx, file->bytes, err);
    }
    size_t needed = idx->header_bytes + (size_t)idx->bytes;
    idx->unpacked = fum_alloc(needed, 1);
    if (!idx->unpacked)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to unpack it", file->where);
    int64_t found = unpack(file, idx->unpacked, needed);
    idx->data = idx->unpacked + idx->header_bytes;
    if (found < 0)
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: damaged or cut off: gzip cannot unpack it",
                               file->where);
    else
        result = check_length(file, idx, (uint64_t)found, err);
    if (!result) return FUM_OK;
    fum_free(idx->unpacked);
    *idx = (struct fum_idx){0};
    return result;
}

// ---- finding the files ----

struct part {
    const char *name; // the value of data.split
    const char *folders[4], *images[3];
};
// As MNIST's page, Keras and torchvision name and place them.
#define FOLDERS \
    { "", "raw/", "MNIST/raw/", NULL }
static const struct part parts[] = {
    {"train", FOLDERS, {"train-images-idx3-ubyte", "train-images.idx3-ubyte", NULL}},
    {"test", FOLDERS, {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", NULL}},
};

// Adds ".gz" to a path if only that exists. False if neither does.
static bool find_file(struct fum_data_path *path) {
    size_t n = strlen(path->text);
    if (fum_path_may_exist(path->text)) return true;
    if (n + 4 > sizeof path->text) return false;
    memcpy(path->text + n, ".gz", 4);
    return fum_path_may_exist(path->text);
}

// Finds the file of images in a folder.
static bool find_images(struct fum_data_path *path, const char *dir, const struct part *part) {
    for (const char *const *folder = part->folders; *folder; folder++)
        for (const char *const *name = part->images; *name; name++)
            if (fum_data_path_set(path, "%s/%s%s", dir, *folder, *name) && find_file(path))
                return true;
    return false;
}

// Finds the file of labels beside one of images: "images" is "labels", and "idx3" "idx1".
static bool find_labels(struct fum_data_path *path, const char *images) {
    if (!fum_data_path_set(path, "%s", images)) return false;
    char *base = strrchr(path->text, '/');
    base = base ? base + 1 : path->text;
    char *word = strstr(base, "images"), *rank = strstr(base, "idx3");
    if (!word) return false;
    memcpy(word, "labels", 6);
    if (rank) rank[3] = '1';
    size_t n = strlen(path->text);
    if (fum_path_may_exist(path->text)) return true;
    if (n > 3 && !strcmp(path->text + n - 3, ".gz")) path->text[n - 3] = 0;
    return find_file(path);
}

static enum fum_result probe(const char *path, bool *found, struct fum_error *err) {
    struct fum_data_path images;
    uint8_t begin[4] = {0};
    struct fum_file *file = NULL;
    *found = false;
    for (size_t i = 0; i < FUM_COUNT(parts); i++)
        if (find_images(&images, path, &parts[i])) *found = true;
    if (*found || fum_path_is_dir(path)) return FUM_OK;
    enum fum_result result = fum_file_open(&file, path, err);
    if (!result && !fum_file_read_at(file, 0, sizeof begin, begin, NULL))
        *found = is_gzip(begin, sizeof begin) || has_magic(begin, sizeof begin);
    fum_file_close(&file);
    return result == FUM_ERR_NOMEM ? result : FUM_OK;
}

// ---- the data set ----

struct state {
    char *file; // NULL when it was unpacked
    struct fum_idx images;
};

static enum fum_result load(const char *path, char **bytes, struct fum_idx *idx,
                            struct fum_error *err) {
    size_t count = 0;
    enum fum_result result = fum_file_read(path, MAX_FILE_BYTES, bytes, &count, err);
    if (result) return result;
    const struct fum_idx_file file = {(const uint8_t *)*bytes, count, path};
    result = fum_idx_parse(&file, idx, err);
    if (idx->unpacked || result) {
        fum_free(*bytes);
        *bytes = NULL;
    }
    return result;
}

static enum fum_result load_images(struct fum_data_source *source, const char *path,
                                   struct fum_error *err) {
    struct state *s = source->state;
    enum fum_result result = load(path, &s->file, &s->images, err);
    const struct fum_idx *idx = &s->images;
    if (result) return result;
    // a fourth dimension is that of the channels, innermost
    bool picture = idx->rank == 3 || (idx->rank == 4 && (idx->dim[3] == 1 || idx->dim[3] == 3));
    if (!picture)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: IDX data of %d dimensions; pictures have 3 (number, height, "
                             "width)",
                             path, idx->rank);
    if (!idx->dim[0] || !idx->dim[1] || !idx->dim[2] || idx->dim[1] > FUM_MAX_SIDE ||
        idx->dim[2] > FUM_MAX_SIDE)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: %u pictures of %ux%u are outside the limits",
                             path, idx->dim[0], idx->dim[2], idx->dim[1]);
    source->count = idx->dim[0];
    source->height = (int)idx->dim[1];
    source->width = (int)idx->dim[2];
    source->channels = idx->rank == 4 ? (int)idx->dim[3] : 1;
    return FUM_OK;
}

static enum fum_result load_labels(struct fum_data_source *source, const char *path,
                                   struct fum_error *err) {
    char *file = NULL;
    struct fum_idx idx = {0};
    enum fum_result result = load(path, &file, &idx, err);
    if (!result && (idx.rank != 1 || (int64_t)idx.dim[0] != source->count))
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: %llu labels for %lld pictures", path,
                               (unsigned long long)idx.bytes, (long long)source->count);
    int32_t *labels =
        result ? NULL : fum_arena_alloc(source->arena, (size_t)source->count, sizeof *labels);
    if (!result && !labels)
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the labels", path);
    for (int64_t i = 0; i < source->count && !result; i++) labels[i] = idx.data[i];
    source->labels = labels;
    fum_free(idx.unpacked);
    fum_free(file);
    return result;
}

// Reads the names of the classes from classes.txt beside the pictures, where that file exists.
static enum fum_result read_names(struct fum_data_source *source, const char *images,
                                  struct fum_error *err) {
    const char *slash = strrchr(images, '/');
    int folder = slash ? (int)(slash + 1 - images) : 0;
    struct fum_data_path path;
    struct fum_class_names names = {.arena = source->arena};
    if (!fum_data_path_set(&path, "%.*sclasses.txt", folder, images)) return FUM_OK;
    enum fum_result result = fum_class_names_read(&names, path.text, err);
    for (int64_t i = 0; i < source->count && !result; i++)
        if (source->labels[i] >= names.count) return FUM_OK;
    source->class_names = names.names;
    source->classes = names.count;
    return result;
}

static enum fum_result open_idx(struct fum_data_source *source,
                                const struct fum_data_settings *settings, struct fum_error *err) {
    const char *split = settings->split && *settings->split ? settings->split : "train";
    struct fum_data_path images = {""}, labels;
    source->state = fum_arena_alloc(source->arena, 1, sizeof(struct state));
    if (!source->state)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the data", settings->path);
    bool found =
        !fum_path_is_dir(settings->path) && fum_data_path_set(&images, "%s", settings->path);
    for (size_t i = 0; i < FUM_COUNT(parts) && !found; i++)
        found = !strcmp(split, parts[i].name) && find_images(&images, settings->path, &parts[i]);
    if (!found)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: no IDX pictures of the part \"%s\" (train: %s, test: %s, with or "
                             "without .gz)",
                             settings->path, split, parts[0].images[0], parts[1].images[0]);
    enum fum_result result = load_images(source, images.text, err);
    if (result || !find_labels(&labels, images.text)) return result;
    result = load_labels(source, labels.text, err);
    return result ? result : read_names(source, images.text, err);
}

static enum fum_result measure(const struct fum_data_source *source, int64_t index,
                               struct fum_bitmap *bitmap, struct fum_error *err) {
    (void)index;
    (void)err;
    *bitmap = (struct fum_bitmap){NULL, source->width, source->height, source->channels};
    return FUM_OK;
}

static enum fum_result read_picture(const struct fum_data_source *source, int64_t index,
                                    struct fum_bitmap *bitmap, struct fum_error *err) {
    const struct state *s = source->state;
    size_t bytes = (size_t)source->width * (size_t)source->height * (size_t)source->channels;
    enum fum_result result = measure(source, index, bitmap, err);
    bitmap->pixels = fum_alloc(bytes, 1);
    if (!bitmap->pixels) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    memcpy(bitmap->pixels, s->images.data + (size_t)index * bytes, bytes);
    return result;
}

static void close_idx(struct fum_data_source *source) {
    struct state *s = source->state;
    if (!s) return;
    fum_free(s->file);
    fum_free(s->images.unpacked);
}

const struct fum_data_reader fum_data_reader_idx = {
    .name = "idx",
    .probe = probe,
    .open = open_idx,
    .read = read_picture,
    .measure = measure,
    .close = close_idx,
};
