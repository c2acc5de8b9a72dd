// SPDX-License-Identifier: MIT
// Reads the binary version of CIFAR-10: records of a label and 32x32 pixels in planes of red, green
// and blue.
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "data/class_names.h"
#include "data/path.h"
#include "data/reader.h"

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

// Stores the path of a file of one part. Training files are numbered from 1; false past the last.
static bool set_part(struct fum_data_path *path, const char *folder, const char *split, int index) {
    if (!strcmp(split, "test"))
        return index == 0 && fum_data_path_set(path, "%stest_batch.bin", folder);
    return fum_data_path_set(path, "%sdata_batch_%d.bin", folder, index + 1);
}

// Finds the folder at or below `dir` that holds files of a part, with a "/" at its end.
static bool find_folder(struct fum_data_path *folder, const char *dir, const char *split) {
    struct fum_data_path file;
    for (size_t i = 0; i < FUM_COUNT(folders); i++)
        if (fum_data_path_set(folder, "%s/%s", dir, folders[i]) &&
            set_part(&file, folder->text, split, 0) && fum_path_may_exist(file.text))
            return true;
    return false;
}

static enum fum_result probe(const char *path, bool *found, struct fum_error *err) {
    struct fum_data_path folder;
    size_t n = strlen(path);
    (void)err;
    *found = !fum_path_is_dir(path) && n > 4 && !strcmp(path + n - 4, ".bin");
    for (size_t i = 0; i < FUM_COUNT(splits); i++)
        if (find_folder(&folder, path, splits[i])) *found = true;
    return FUM_OK;
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
    struct fum_data_path path;
    for (int i = 0; i < MAX_FILES && !result; i++) {
        if (!set_part(&path, folder, split, i) || !fum_path_may_exist(path.text)) break;
        result = add_file(source, path.text, err);
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
static enum fum_result read_names(struct fum_data_source *source, const char *folder,
                                  struct fum_error *err) {
    struct fum_class_names names = {.arena = source->arena};
    struct fum_data_path path;
    if (!fum_data_path_set(&path, "%sbatches.meta.txt", folder)) return FUM_OK;
    enum fum_result result = fum_class_names_read(&names, path.text, err);
    if (names.count == CLASSES) source->class_names = names.names;
    return result;
}

static enum fum_result add_part(struct fum_data_source *source, const char *dir, const char *split,
                                struct fum_error *err) {
    struct fum_data_path folder;
    if (!find_folder(&folder, dir, split))
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: no CIFAR-10 files of the part \"%s\" (train: data_batch_1.bin "
                             "and on, test: test_batch.bin)",
                             dir, split);
    enum fum_result result = add_files(source, folder.text, split, err);
    return result ? result : read_names(source, folder.text, err);
}

static enum fum_result open_cifar(struct fum_data_source *source,
                                  const struct fum_data_settings *settings, struct fum_error *err) {
    const char *split = settings->split && *settings->split ? settings->split : splits[0];
    enum fum_result result;
    source->state = fum_arena_alloc(source->arena, 1, sizeof(struct state));
    if (!source->state)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the data", settings->path);
    if (fum_path_is_dir(settings->path))
        result = add_part(source, settings->path, split, err);
    else
        result = add_file(source, settings->path, err);
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
