// SPDX-License-Identifier: MIT
// Chooses the samples of a data set by class and number.
#include "data/inside.h"

#include "base/error.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

// Returns the index of the class that a piece of the setting `label` names, or -1.
static int find_class(const fum_data *data, const char *name, size_t bytes) {
    for (int i = 0; i < data->info.classes; i++) {
        const char *known = fum_data_class_name(data, i);
        if (strlen(known) == bytes && !memcmp(known, name, bytes)) return i;
    }
    char text[FUM_DATA_NUMBER] = "";
    int value = -1, used = 0;
    if (bytes < sizeof text) memcpy(text, name, bytes);
    bool number = sscanf(text, "%9d%n", &value, &used) == 1 && (size_t)used == bytes;
    return number && value >= 0 && value < data->info.classes ? value : -1;
}

// Marks the classes that the setting `label` lists.
static enum fum_result choose_classes(const fum_data *data, const char *list, bool *chosen,
                                      struct fum_error *err) {
    for (const char *at = list; at;) {
        const char *comma = strchr(at, ',');
        at += strspn(at, " ");
        size_t bytes = comma ? (size_t)(comma - at) : strlen(at);
        while (bytes && at[bytes - 1] == ' ') bytes--;
        int label = find_class(data, at, bytes);
        if (label < 0)
            return fum_error_set(
                err, FUM_ERR_ARG, "no class \"%.*s\" in the data; it has %d, from \"%s\" to \"%s\"",
                (int)FUM_MIN(bytes, 100), at, data->info.classes, fum_data_class_name(data, 0),
                fum_data_class_name(data, data->info.classes - 1));
        chosen[label] = true;
        at = comma ? comma + 1 : NULL;
    }
    return FUM_OK;
}

// Selects the samples of chosen classes, at most as many as the limit says.
static enum fum_result select_samples(fum_data *data, const struct fum_data_settings *settings,
                                      struct fum_error *err) {
    const struct fum_data_source *source = &data->source;
    int64_t limit = settings->limit > 0 ? settings->limit : INT64_MAX, count = 0;
    data->info.count = FUM_MIN(source->count, limit);
    if (!settings->label || !*settings->label) return FUM_OK;
    if (!source->labels)
        return fum_error_set(err, FUM_ERR_ARG, "%s: the data has no classes to choose from",
                             settings->path);
    bool *chosen = fum_arena_alloc(data->arena, (size_t)data->info.classes, sizeof *chosen);
    data->selected = fum_arena_alloc(data->arena, (size_t)source->count, sizeof *data->selected);
    if (!chosen || !data->selected) return fum_data_no_memory(settings->path, err);
    enum fum_result result = choose_classes(data, settings->label, chosen, err);
    for (int64_t i = 0; i < source->count && count < limit && !result; i++)
        if (source->labels[i] >= 0 && chosen[source->labels[i]]) data->selected[count++] = i;
    data->info.count = count;
    if (!result && count == 0)
        return fum_error_set(err, FUM_ERR_ARG, "%s: the data has no sample of class %s",
                             settings->path, settings->label);
    return result;
}

enum fum_result fum_data_name_classes(fum_data *data, const char *path, struct fum_error *err) {
    const struct fum_data_source *source = &data->source;
    int classes = source->classes;
    for (int64_t i = 0; source->labels && i < source->count; i++)
        classes = FUM_MAX(classes, source->labels[i] + 1);
    if (classes > FUM_DATA_MAX_CLASSES)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: label %d is over the limit of %d", path,
                             classes - 1, FUM_DATA_MAX_CLASSES - 1);
    data->info.classes = classes;
    data->class_counts = fum_arena_alloc(data->arena, (size_t)classes, sizeof *data->class_counts);
    data->numbers = fum_arena_alloc(data->arena, (size_t)classes, sizeof *data->numbers);
    if (!data->class_counts || !data->numbers) return fum_data_no_memory(path, err);
    for (int i = 0; i < classes; i++) snprintf(data->numbers[i], FUM_DATA_NUMBER, "%d", i);
    return FUM_OK;
}

static enum fum_result count_classes(fum_data *data, const struct fum_data_settings *settings,
                                     struct fum_error *err) {
    const int32_t *labels = data->source.labels;
    for (int64_t i = 0; labels && i < data->info.count; i++) {
        int32_t label = labels[fum_data_source_index(data, i)];
        if (label < 0) continue;
        if (settings->classes > 0 && label >= settings->classes)
            return fum_error_set(err, FUM_ERR_ARG,
                                 "%s: label %d, but the model has %d classes, numbered from 0",
                                 settings->path, label, settings->classes);
        data->class_counts[label]++;
    }
    return FUM_OK;
}

enum fum_result fum_data_select(fum_data *data, const struct fum_data_settings *settings,
                                struct fum_error *err) {
    enum fum_result result = select_samples(data, settings, err);
    return result ? result : count_classes(data, settings, err);
}
