// SPDX-License-Identifier: MIT
// Opens a data set: finds its reader, its samples and their size.
#include "data/inside.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"

#include <string.h>

static const struct fum_data_reader *const readers[] = {
    &fum_data_reader_idx, &fum_data_reader_cifar,
    &fum_data_reader_images, // any folder: last
};

static bool is_given(const char *text) {
    return text && *text;
}

// ---- opening ----

static const char *reader_name(size_t index) {
    if (index == 0) return "auto";
    return index <= FUM_COUNT(readers) ? readers[index - 1]->name : NULL;
}

// Finds the first reader that knows the files; the reader stays NULL if none does, which is an
// error.
static enum fum_result recognise(const char *path, const struct fum_data_reader **reader,
                                 struct fum_error *err) {
    for (size_t i = 0; i < FUM_COUNT(readers); i++) {
        bool found = false;
        enum fum_result result = readers[i]->probe(path, &found, err);
        if (result) return result;
        if (!found) continue;
        *reader = readers[i];
        return FUM_OK;
    }
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: not a data set; needed is an IDX or CIFAR-10 file, or a folder of "
                         "such files or of pictures",
                         path);
}

static enum fum_result find_reader(const struct fum_data_settings *settings,
                                   const struct fum_data_reader **reader, struct fum_error *err) {
    const char *kind = is_given(settings->kind) ? settings->kind : "auto";
    if (!strcmp(kind, "auto")) return recognise(settings->path, reader, err);
    for (size_t i = 0; i < FUM_COUNT(readers); i++)
        if (!strcmp(kind, readers[i]->name)) *reader = readers[i];
    return *reader ? FUM_OK : fum_error_unknown(err, "kind of data", kind, reader_name);
}

// What the pictures measured so far have in common.
struct common {
    struct fum_bitmap size; // width 0: none was good so far
    int channels;           // the most of any
};

// Measures a picture. Where its size matters, it must be that of the pictures before.
static enum fum_result measure_one(const fum_data *data, int64_t index, bool size_given,
                                   struct common *common, struct fum_error *err) {
    char number[FUM_DATA_NUMBER];
    struct fum_bitmap size;
    enum fum_result result = fum_data_measure(data, index, &size, err);
    if (result) return result;
    if (!common->size.width) common->size = size;
    common->channels = FUM_MAX(common->channels, size.channels);
    if (size_given || (size.width == common->size.width && size.height == common->size.height))
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_ARG,
                         "%s has %dx%d pixels, others %dx%d; give data.width and data.height, to "
                         "which they are scaled",
                         fum_data_name(data, index, number), size.width, size.height,
                         common->size.width, common->size.height);
}

// Finds size and channels of data whose settings leave them open. Pictures must share their size. A
// coloured one among the first, or among all if their sizes are compared, makes the data coloured.
static enum fum_result measure_all(fum_data *data, const struct fum_data_settings *settings,
                                   struct fum_error *err) {
    enum { COLOUR_PROBES = 64 };
    struct common common = {.channels = 0};
    bool size_given = settings->width > 0;
    enum fum_result result = FUM_OK;
    for (int64_t i = 0; i < data->info.count; i++) {
        if (size_given && common.size.width && i >= COLOUR_PROBES) break;
        result = measure_one(data, i, size_given, &common, err);
        if (result && !fum_data_is_broken(result)) return result;
    }
    if (!common.size.width) {
        fum_error_prefix(err, "all %lld pictures are broken, such as", (long long)data->info.count);
        return result;
    }
    if (!size_given) {
        data->info.width = common.size.width;
        data->info.height = common.size.height;
    }
    if (!settings->channels) data->info.channels = common.channels < 3 ? 1 : 3;
    return FUM_OK;
}

static enum fum_result check_settings(const struct fum_data_settings *settings,
                                      struct fum_error *err) {
    int w = settings->width, h = settings->height, c = settings->channels;
    if (w < 0 || h < 0 || w > FUM_MAX_SIDE || h > FUM_MAX_SIDE || !w != !h)
        return fum_error_set(err, FUM_ERR_ARG,
                             "data.width %d and data.height %d: both from 1 to %d, or both 0", w, h,
                             FUM_MAX_SIDE);
    if (c != 0 && c != 1 && c != 3 && c != 4)
        return fum_error_set(err, FUM_ERR_ARG, "data.channels %d: 1, 3 or 4, or 0", c);
    if (settings->bucket_step > 0 && !w)
        return fum_error_set(err, FUM_ERR_ARG, "buckets need data.width and data.height");
    return FUM_OK;
}

static enum fum_result find_size(fum_data *data, const struct fum_data_settings *settings,
                                 struct fum_error *err) {
    const struct fum_data_source *source = &data->source;
    data->info.width = settings->width ? settings->width : source->width;
    data->info.height = settings->height ? settings->height : source->height;
    data->info.channels = settings->channels ? settings->channels : source->channels;
    if (data->info.width && data->info.channels) return FUM_OK;
    return measure_all(data, settings, err);
}

// ---- the data set ----

static enum fum_result fill_data(fum_data *data, const struct fum_data_settings *settings,
                                 struct fum_error *err) {
    struct fum_data_source *source = &data->source;
    data->arena = source->arena = fum_arena_create();
    if (!data->arena) return fum_data_no_memory(settings->path, err);
    const struct fum_data_reader *reader = NULL;
    enum fum_result result = find_reader(settings, &reader, err);
    if (result) return result;
    source->reader = reader;
    data->info.kind = reader->name;
    data->info.flip = settings->flip;
    result = reader->open(source, settings, err);
    data->info.captions = source->captions != NULL;
    if (!result) result = fum_data_name_classes(data, settings->path, err);
    if (!result) result = fum_data_select(data, settings, err);
    if (!result) result = find_size(data, settings, err);
    if (!result) result = fum_data_make_buckets(data, settings, err);
    if (result) return result;
    data->broken = fum_arena_alloc(data->arena, (size_t)data->info.count, sizeof *data->broken);
    return data->broken ? FUM_OK : fum_data_no_memory(settings->path, err);
}

enum fum_result fum_data_open(fum_data **out, const struct fum_data_settings *settings,
                              struct fum_error *err) {
    *out = NULL;
    enum fum_file_kind kind;
    if (!is_given(settings->path))
        return fum_error_set(err, FUM_ERR_ARG, "no data; give the path of a data set");
    enum fum_result result = check_settings(settings, err);
    if (!result) result = fum_file_look(settings->path, &kind, err);
    if (result) return result;
    if (kind == FUM_FILE_NONE)
        return fum_error_set(err, FUM_ERR_IO, "no data set %s", settings->path);
    fum_data *data = fum_calloc(1, sizeof *data);
    if (!data) return fum_data_no_memory(settings->path, err);
    if (settings->log) data->log = *settings->log;
    pthread_mutex_init(&data->lock, NULL);
    result = fill_data(data, settings, err);
    *out = data;
    if (result) fum_data_close(out);
    return result;
}

void fum_data_close(fum_data **data) {
    fum_data *d = *data;
    if (!d) return;
    if (d->broken_count)
        fum_log(&d->log, FUM_LOG_WARN, "%lld of %lld pictures were broken and skipped",
                (long long)d->broken_count, (long long)d->info.count);
    if (d->source.reader && d->source.reader->close) d->source.reader->close(&d->source);
    fum_arena_destroy(&d->arena);
    pthread_mutex_destroy(&d->lock);
    fum_free(d);
    *data = NULL;
}
