// SPDX-License-Identifier: MIT
// Reads folders of pictures: with a table of captions, with a text file beside each picture, or
// with a sub-folder for each class.
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/utf8.h"
#include "data/path.h"
#include "data/reader.h"
#include "data/table.h"

#include <string.h>

enum { MAX_DEPTH = 16, MAX_CAPTION_BYTES = 1 << 20, MAX_TABLE_BYTES = 1 << 30 };

// Names by which a file is taken for a picture. Its bytes decide which format it has.
static const char *const endings[] = {".png", ".jpg",  ".jpeg", ".webp", ".bmp", ".gif",
                                      ".tif", ".tiff", ".avif", ".heic", ".jxl"};
static const char *const caption_endings[] = {".txt", ".caption"};

static const struct {
    const char *name;
    enum fum_result (*parse)(struct fum_table *table, const struct fum_table_text *text,
                             struct fum_error *err);
} tables[] = {
    {"captions.tsv", fum_table_parse_tsv},
    {"metadata.jsonl", fum_table_parse_jsonl},
};

// Compares without regard to the case of ASCII letters.
static bool same_letters(const char *a, const char *b) {
    for (; *a && *b; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        if (x != *b) return false;
    }
    return *a == *b;
}

static bool is_picture_name(const char *name) {
    const char *dot = strrchr(name, '.');
    if (!dot || name[0] == '.') return false;
    for (size_t i = 0; i < FUM_COUNT(endings); i++)
        if (same_letters(dot, endings[i])) return true;
    return false;
}

static enum fum_result no_memory(const char *path, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the list of pictures", path);
}

// ---- pictures with a text beside them ----

// Reads the first line of the text beside a picture; *caption is NULL if no such file exists.
static enum fum_result read_caption(fum_arena *arena, const char *picture, const char **caption,
                                    struct fum_error *err) {
    const char *dot = strrchr(picture, '.');
    *caption = NULL;
    for (size_t i = 0; i < FUM_COUNT(caption_endings) && !*caption; i++) {
        char *path =
            fum_arena_printf(arena, "%.*s%s", (int)(dot - picture), picture, caption_endings[i]);
        char *text = NULL;
        size_t bytes = 0;
        if (!path) return no_memory(picture, err);
        if (!fum_path_may_exist(path)) continue;
        enum fum_result result = fum_file_read(path, MAX_CAPTION_BYTES, &text, &bytes, err);
        if (result) return result;
        const char *at = text + fum_utf8_mark(text, bytes);
        at += strspn(at, " \t\r\n");
        size_t n = strcspn(at, "\r\n");
        while (n && (at[n - 1] == ' ' || at[n - 1] == '\t')) n--;
        *caption = fum_arena_printf(arena, "%.*s", (int)n, at);
        fum_free(text);
        if (!*caption) return no_memory(picture, err);
    }
    return FUM_OK;
}

static enum fum_result add_picture(struct fum_table *table, const char *path, int label,
                                   struct fum_error *err) {
    struct fum_table_row row = {.file = path, .label = label};
    enum fum_result result = read_caption(table->arena, path, &row.caption, err);
    if (result) return result;
    return fum_table_add(table, &row) ? FUM_OK : no_memory(path, err);
}

// ---- folders ----

// Adds the pictures of a folder and, for a class, of the folders below it. A link in a circle ends
// at the limit of the depth.
static enum fum_result add_folder(struct fum_table *table, const char *dir, int label, int depth,
                                  struct fum_error *err) {
    struct fum_path_names list;
    enum fum_result result = fum_path_list(table->arena, dir, &list, err);
    for (size_t i = 0; i < list.count && !result; i++) {
        char *path = fum_path_join(table->arena, dir, list.names[i]);
        if (!path) return no_memory(dir, err);
        if (is_picture_name(list.names[i]))
            result = add_picture(table, path, label, err);
        else if (label >= 0 && depth < MAX_DEPTH && list.names[i][0] != '.' &&
                 fum_path_is_dir(path))
            result = add_folder(table, path, label, depth + 1, err);
    }
    return result;
}

// Adds the pictures of each sub-folder, which is a class. Sub-folders without pictures count, too.
static enum fum_result add_classes(struct fum_data_source *source, struct fum_table *table,
                                   const char *dir, struct fum_error *err) {
    struct fum_path_names list;
    enum fum_result result = fum_path_list(table->arena, dir, &list, err);
    source->class_names =
        result ? NULL : fum_arena_alloc(table->arena, list.count + 1, sizeof(char *));
    if (!result && !source->class_names) return no_memory(dir, err);
    for (size_t i = 0; i < list.count && !result; i++) {
        char *path = fum_path_join(table->arena, dir, list.names[i]);
        if (!path) return no_memory(dir, err);
        if (list.names[i][0] == '.' || !fum_path_is_dir(path)) continue;
        source->class_names[source->classes] = list.names[i];
        result = add_folder(table, path, source->classes++, 1, err);
    }
    return result;
}

// ---- tables ----

// Parses a table for the rows of a part. The default is the rows for training, or all if none are.
static enum fum_result parse_table(struct fum_table *table, size_t kind, struct fum_table_text text,
                                   const char *split, struct fum_error *err) {
    bool given = split && *split;
    text.split = given ? split : "train";
    if (!strcmp(text.split, "all")) text.split = NULL;
    enum fum_result result = tables[kind].parse(table, &text, err);
    if (result || given || table->count) return result;
    text.split = NULL;
    return tables[kind].parse(table, &text, err);
}

static enum fum_result read_table(struct fum_table *table, size_t kind, const char *path,
                                  const char *split, struct fum_error *err) {
    char *text = NULL, *folder = fum_arena_strdup(table->arena, path);
    size_t bytes = 0;
    if (!folder) return no_memory(path, err);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    else
        folder[0] = '.', folder[1] = 0;
    enum fum_result result = fum_file_read(path, MAX_TABLE_BYTES, &text, &bytes, err);
    if (result) return result;
    const struct fum_table_text whole = {text, bytes, path, folder, NULL};
    result = parse_table(table, kind, whole, split, err);
    fum_free(text);
    if (result || table->count) return result;
    bool chosen = split && *split;
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: the table lists no pictures%s%s", path,
                         chosen ? " of split " : "", chosen ? split : "");
}

// Finds the table of a folder, or the path's own. Returns its kind, or -1.
static int find_table(struct fum_data_path *found, const char *path) {
    bool folder = fum_path_is_dir(path);
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (size_t i = 0; i < FUM_COUNT(tables); i++) {
        bool own = !folder && dot && !strcmp(dot, strrchr(tables[i].name, '.'));
        if (own && fum_data_path_set(found, "%s", path)) return (int)i;
        if (folder && fum_data_path_set(found, "%s/%s", path, tables[i].name) &&
            fum_path_may_exist(found->text))
            return (int)i;
    }
    return -1;
}

static enum fum_result probe(const char *path, bool *found, struct fum_error *err) {
    struct fum_data_path table;
    (void)err;
    *found = fum_path_is_dir(path) || is_picture_name(path) || find_table(&table, path) >= 0;
    return FUM_OK;
}

// ---- the data set ----

static bool has_text(const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (texts[i]) return true;
    return false;
}

static enum fum_result list_pictures(struct fum_data_source *source, struct fum_table *table,
                                     const struct fum_data_settings *settings,
                                     struct fum_error *err) {
    const char *path = settings->path;
    struct fum_data_path part, found;
    if (settings->split && *settings->split &&
        fum_data_path_set(&part, "%s/%s", path, settings->split) && fum_path_is_dir(part.text))
        path = part.text;
    int kind = find_table(&found, path);
    if (kind >= 0) return read_table(table, (size_t)kind, found.text, settings->split, err);
    if (!fum_path_is_dir(path)) return add_picture(table, path, -1, err);
    enum fum_result result = add_folder(table, path, -1, 0, err);
    return result || table->count ? result : add_classes(source, table, path, err);
}

static enum fum_result open_images(struct fum_data_source *source,
                                   const struct fum_data_settings *settings,
                                   struct fum_error *err) {
    struct fum_table *table = fum_arena_alloc(source->arena, 1, sizeof *table);
    if (!table) return no_memory(settings->path, err);
    source->state = table;
    table->arena = source->arena;
    enum fum_result result = list_pictures(source, table, settings, err);
    if (!result && table->count == 0)
        result = fum_error_set(err, FUM_ERR_FORMAT,
                               "%s: no pictures in it or its sub-folders (PNG, JPEG, WebP)",
                               settings->path);
    source->count = (int64_t)table->count;
    source->names = table->files;
    if (has_text(table->captions, table->count)) source->captions = table->captions;
    if (has_text(table->keywords, table->count)) source->keywords = table->keywords;
    if (source->classes) source->labels = table->labels;
    return result;
}

static enum fum_result read_picture(const struct fum_data_source *source, int64_t index,
                                    struct fum_bitmap *bitmap, struct fum_error *err) {
    return fum_image_read(source->names[index], 0, bitmap, NULL, err);
}

static enum fum_result measure(const struct fum_data_source *source, int64_t index,
                               struct fum_bitmap *bitmap, struct fum_error *err) {
    return fum_image_read_size(source->names[index], bitmap, err);
}

static void close_images(struct fum_data_source *source) {
    if (source->state) fum_table_free(source->state);
}

const struct fum_data_reader fum_data_reader_images = {
    .name = "images",
    .probe = probe,
    .open = open_images,
    .read = read_picture,
    .measure = measure,
    .close = close_images,
};
