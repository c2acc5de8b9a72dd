// SPDX-License-Identifier: MIT
// Fuzz target of data sets: IDX, packed or not, CIFAR-10, and tables of pictures.
#include "damage.h"
#include "fitted_parts.h"

#include "base/file.h"
#include "data/data.h"
#include "io/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Three pictures of 2x3, their labels, and a picture as a table's.
static const char idx_images[] = "\0\0\x08\3\0\0\0\3\0\0\0\3\0\0\0\2abcdefghijklmnopqr";
static const char idx_labels[] = "\0\0\x08\1\0\0\0\3\0\2\1";
static const char tsv[] = "file\tname\tkeywords\tsplit\na.png\ta cat\tcat, pet\ttrain\n"
                          "b.png\tno such file\t\theld\n";
static const char jsonl[] =
    "{\"file_name\": \"a.png\", \"text\": \"a cat\"}\n\n"
    "{\"file_name\": \"sub/b.png\", \"caption\": \"x\", \"split\": \"held\"}\n";

static void save_damaged(const char *name, const char *bytes, size_t size, struct choices *c) {
    char *damaged = damage_bytes(bytes, c, &size);
    damage_save(name, damaged, size);
    free(damaged);
}

static void save_packed(const char *name, struct choices *c) {
    Bytef packed[512];
    size_t size = sizeof idx_images - 1;
    char *bytes = damage_bytes(idx_images, c, &size);
    z_stream z = {.next_in = (Bytef *)bytes,
                  .avail_in = (uInt)size,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&z, Z_FINISH) != Z_STREAM_END)
        fitted_fail("gzip");
    save_damaged(name, (const char *)packed, z.total_out, c);
    deflateEnd(&z);
    free(bytes);
}

static void save_cifar(const char *name, struct choices *c) {
    char records[2 * 3073] = {3};
    size_t size = sizeof records - choose(c, 3);
    records[3073] = (char)choose(c, 12);
    damage_save(name, records, size);
}

static const char *const made[] = {"train-images-idx3-ubyte",
                                   "train-labels-idx1-ubyte",
                                   "train-images-idx3-ubyte.gz",
                                   "data_batch_1.bin",
                                   "captions.tsv",
                                   "metadata.jsonl"};

static void make_files(struct choices *c) {
    char path[512];
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        snprintf(path, sizeof path, "%s/data_set/%s", fitted_folder(), made[i]);
        remove(path);
    }
    switch (choose(c, 5)) {
    case 0:
        save_damaged("data_set/train-images-idx3-ubyte", idx_images, sizeof idx_images - 1, c);
        save_damaged("data_set/train-labels-idx1-ubyte", idx_labels, sizeof idx_labels - 1, c);
        break;
    case 1: save_packed("data_set/train-images-idx3-ubyte.gz", c); break;
    case 2: save_cifar("data_set/data_batch_1.bin", c); break;
    case 3: save_damaged("data_set/captions.tsv", tsv, sizeof tsv - 1, c); break;
    default: save_damaged("data_set/metadata.jsonl", jsonl, sizeof jsonl - 1, c);
    }
}

// Reads every sample; each is a picture in 0..1 or one error.
static void read_samples(const fum_data *data) {
    const struct fum_data_info *info = fum_data_get_info(data);
    size_t values = (size_t)info->width * (size_t)info->height * (size_t)info->channels;
    if (values > 1 << 20) return;
    float *pixels = malloc(values * sizeof *pixels);
    for (int64_t i = 0; i < info->count && pixels; i++) {
        struct fum_data_sample sample;
        struct fum_error err = {0};
        enum fum_result result =
            fum_data_read(data, fum_data_pick_plain(data, i), pixels, &sample, &err);
        fitted_expect(result, &err);
        if (result) continue;
        size_t read = (size_t)sample.width * (size_t)sample.height * (size_t)info->channels;
        if (read > values || sample.label >= info->classes + (info->classes == 0)) abort();
        for (size_t k = 0; k < read; k++)
            if (!(pixels[k] >= 0 && pixels[k] <= 1)) abort();
    }
    free(pixels);
}

static void write_picture(const char *path) {
    static const uint8_t pixels[5 * 4 * 3] = {1, 2, 3};
    struct fum_error err = {0};
    if (fum_path_make_dirs(path, &err)) fitted_fail(path);
    char file[600];
    snprintf(file, sizeof file, "%s/a.png", path);
    if (fum_image_write_png(
            file, &(struct fum_picture){.pixels = pixels, .width = 5, .height = 4, .channels = 3},
            &err))
        fitted_fail(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const labels[] = {NULL, "1", "0,2", "x", ","};
    static bool prepared;
    struct choices c = {data, size, 0};
    struct fum_error err = {0};
    fum_data *set = NULL;
    char path[500];
    snprintf(path, sizeof path, "%s/data_set", fitted_folder());
    if (!prepared) write_picture(path);
    prepared = true;
    make_files(&c);
    struct fum_data_settings settings = {.path = path, .label = labels[choose(&c, 5)]};
    if (one_in(&c, 2)) settings.width = 3, settings.height = 1 + (int)choose(&c, 5);
    settings.channels = (int)choose(&c, 5);
    settings.limit = choose(&c, 3);
    settings.bucket_step = one_in(&c, 4) ? (int)choose(&c, 4) : 0;
    settings.split = one_in(&c, 4) ? "held" : NULL;
    enum fum_result result = fum_data_open(&set, &settings, &err);
    fitted_expect(result, &err);
    if (!result) read_samples(set);
    fum_data_close(&set);
    return 0;
}
