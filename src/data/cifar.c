// SPDX-License-Identifier: MIT
// Reads the binary version of CIFAR-10: records of a label and 32x32 pixels in planes of red, green
// and blue.
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "data/class_names.h"
#include "data/reader.h"

#include <stdio.h>
#include <string.h>

enum {
    SIDE = 32,
    PLANE = SIDE * SIDE,
    RECORD = 1 + 3 * PLANE,
    CLASSES = 10,
    MAX_FILES = 16,
};

struct state {
    struct fum_file *files[MAX_FILES];
    int64_t ends[MAX_FILES]; // records in this file and those before it
    int count;
};

static const char *const folders[] = {"", "cifar-10-batches-bin/"};
static const char *const splits[] = {"train", "test"};

// Returns the path of a file of one part, or NULL past the last. Training files are numbered
// from 1.
static char *part_path(fum_arena *arena, const char *folder, const char *split, int index) {
    if (!strcmp(split, "test"))
        return index ? NULL : fum_arena_printf(arena, "%stest_batch.bin", folder);
    return fum_arena_printf(arena, "%sdata_batch_%d.bin", folder, index + 1);
}

// Returns the folder below `path` that holds files of a part, with a "/" at its end, or NULL.
static char *find_folder(fum_arena *arena, const char *path, const char *split) {
    for (size_t i = 0; i < FUM_COUNT(folders); i++) {
        char *folder = fum_arena_printf(arena, "%s/%s", path, folders[i]);
        char *file = folder ? part_path(arena, folder, split, 0) : NULL;
        if (file && fum_path_may_exist(file)) return folder;
    }
    return NULL;
}

static bool probe(const char *path) {
    size_t n = strlen(path);
    bool found = false;
    if (!fum_path_is_dir(path)) return n > 4 && !strcmp(path + n - 4, ".bin");
    fum_arena *arena = fum_arena_create();
    for (size_t i = 0; i < FUM_COUNT(splits) && arena; i++)
        found = found || find_folder(arena, path, splits[i]);
    fum_arena_destroy(&arena);
    return found;
}

static enum fum_result add_file(struct fum_data_source *source, const char *path,
                                struct fum_error *err) {
    struct state *s = source->state;
    enum fum_result result = fum_file_open(&s->files[s->count], path, err);
    if (result) return result;
    uint64_t bytes = fum_file_size(s->files[s->count++]);
    if (bytes == 0 || bytes % RECORD)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: %llu bytes are not whole records of CIFAR-10, %d bytes each",
                             path, (unsigned long long)bytes, RECORD);
    source->count += (int64_t)(bytes / RECORD);
    s->ends[s->count - 1] = source->count;
    return FUM_OK;
}

static enum fum_result add_files(struct fum_data_source *source, const char *folder,
                                 const char *split, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int i = 0; i < MAX_FILES && !result; i++) {
        char *path = part_path(source->arena, folder, split, i);
        if (!path || !fum_path_may_exist(path)) break;
        result = add_file(source, path, err);
    }
    return result;
}

// Finds the record of a sample.
static enum fum_result read_record(const struct fum_data_source *source, int64_t index,
                                   uint64_t bytes, uint8_t *to, struct fum_error *err) {
    const struct state *s = source->state;
    int file = 0;
    while (index >= s->ends[file]) file++;
    int64_t within = index - (file ? s->ends[file - 1] : 0);
    return fum_file_read_at(s->files[file], (uint64_t)within * RECORD, bytes, to, err);
}

static enum fum_result read_labels(struct fum_data_source *source, const char *path,
                                   struct fum_error *err) {
    int32_t *labels = fum_arena_alloc(source->arena, (size_t)source->count, sizeof *labels);
    enum fum_result result = FUM_OK;
    if (!labels) return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the labels", path);
    for (int64_t i = 0; i < source->count && !result; i++) {
        uint8_t label = 0;
        result = read_record(source, i, 1, &label, err);
        if (!result && label >= CLASSES)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: record %lld has label %d; CIFAR-10 has labels from 0 to %d",
                                 path, (long long)i, label, CLASSES - 1);
        labels[i] = label;
    }
    source->labels = labels;
    return result;
}

// Reads the names of the classes, where that file exists.
static void read_names(struct fum_data_source *source, const char *folder) {
    char *path = fum_arena_printf(source->arena, "%sbatches.meta.txt", folder);
    int count = 0;
    const char **names = path ? fum_class_names_read(source->arena, path, &count) : NULL;
    if (count == CLASSES) source->class_names = names;
}

static enum fum_result open_cifar(struct fum_data_source *source,
                                  const struct fum_data_settings *settings, struct fum_error *err) {
    const char *split = settings->split && *settings->split ? settings->split : splits[0];
    enum fum_result result = FUM_OK;
    source->state = fum_arena_alloc(source->arena, 1, sizeof(struct state));
    if (!source->state)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the data", settings->path);
    if (fum_path_is_dir(settings->path)) {
        char *folder = find_folder(source->arena, settings->path, split);
        if (!folder)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: no CIFAR-10 files of the part \"%s\" (train: "
                                 "data_batch_1.bin and on, test: test_batch.bin)",
                                 settings->path, split);
        result = add_files(source, folder, split, err);
        read_names(source, folder);
    } else {
        result = add_file(source, settings->path, err);
    }
    source->width = source->height = SIDE;
    source->channels = 3;
    source->classes = CLASSES;
    return result ? result : read_labels(source, settings->path, err);
}

static enum fum_result measure(const struct fum_data_source *source, int64_t index,
                               struct fum_bitmap *bitmap, struct fum_error *err) {
    (void)source;
    (void)index;
    (void)err;
    *bitmap = (struct fum_bitmap){NULL, SIDE, SIDE, 3};
    return FUM_OK;
}

static enum fum_result read_picture(const struct fum_data_source *source, int64_t index,
                                    struct fum_bitmap *bitmap, struct fum_error *err) {
    uint8_t record[RECORD];
    enum fum_result result = read_record(source, index, RECORD, record, err);
    *bitmap = (struct fum_bitmap){NULL, SIDE, SIDE, 3};
    if (result) return result;
    bitmap->pixels = fum_alloc(PLANE, 3);
    if (!bitmap->pixels) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++) bitmap->pixels[3 * i + c] = record[1 + c * PLANE + i];
    return FUM_OK;
}

static void close_cifar(struct fum_data_source *source) {
    struct state *s = source->state;
    for (int i = 0; s && i < s->count; i++) fum_file_close(&s->files[i]);
}

const struct fum_data_reader fum_data_reader_cifar = {
    .name = "cifar",
    .probe = probe,
    .open = open_cifar,
    .read = read_picture,
    .measure = measure,
    .close = close_cifar,
};
