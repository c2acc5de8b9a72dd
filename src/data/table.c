// SPDX-License-Identifier: MIT
#include "data/table.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

void fum_table_free(struct fum_table *table) {
    fum_free(table->files);
    fum_free(table->captions);
    fum_free(table->keywords);
    fum_free(table->labels);
    *table = (struct fum_table){0};
}

bool fum_table_add(struct fum_table *t, const struct fum_table_row *row) {
    size_t n = t->count;
    if (!fum_grow((void **)&t->files, &t->file_capacity, n, sizeof *t->files) ||
        !fum_grow((void **)&t->captions, &t->caption_capacity, n, sizeof *t->captions) ||
        !fum_grow((void **)&t->keywords, &t->keyword_capacity, n, sizeof *t->keywords) ||
        !fum_grow((void **)&t->labels, &t->label_capacity, n, sizeof *t->labels))
        return false;
    t->files[n] = row->file;
    t->captions[n] = row->caption;
    t->keywords[n] = row->keywords;
    t->labels[n] = row->label;
    t->count++;
    return true;
}

static enum fum_result no_memory(const struct fum_table_text *text, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for the table", text->where);
}

// Adds a row whose file is relative to the folder.
static bool add_relative(struct fum_table *table, const struct fum_table_text *text,
                         struct fum_table_row row) {
    if (row.file[0] != '/') row.file = fum_path_join(table->arena, text->folder, row.file);
    return row.file && fum_table_add(table, &row);
}

// Names of columns and keys, the preferred first.
static const char *const file_names[] = {"file", "file_name", "filename", "image", "path", NULL};
static const char *const caption_names[] = {"caption", "text", "name", "prompt", NULL};
static const char *const keyword_names[] = {"keywords", NULL};
static const char *const split_names[] = {"split", NULL};

// ---- lines ----

// A piece of a text, which does not end in NUL.
struct piece {
    const char *at;
    size_t bytes;
};

struct lines {
    const struct fum_table_text *text;
    size_t next; // offset of the next line
    int number;  // of the current line, from 1
};

// Cuts off the next line, without its end and the text's byte order mark. False at the end.
static bool next_line(struct lines *lines, struct piece *line) {
    const struct fum_table_text *t = lines->text;
    if (lines->next == 0) lines->next = fum_utf8_mark(t->text, t->bytes);
    if (lines->next >= t->bytes) return false;
    const char *at = t->text + lines->next, *end = memchr(at, '\n', t->bytes - lines->next);
    size_t bytes = end ? (size_t)(end - at) : t->bytes - lines->next;
    lines->next += bytes + 1;
    lines->number++;
    if (bytes && at[bytes - 1] == '\r') bytes--;
    *line = (struct piece){at, bytes};
    return true;
}

static bool equals(struct piece piece, const char *text) {
    return strlen(text) == piece.bytes && !memcmp(piece.at, text, piece.bytes);
}

// ---- captions.tsv ----

enum { MAX_COLUMNS = 64 };

// Splits a line at its tabs; returns the number of columns, at most one more than MAX_COLUMNS.
static int split_columns(struct piece line, struct piece columns[MAX_COLUMNS + 1]) {
    int count = 0;
    for (const char *at = line.at, *end = line.at + line.bytes; count <= MAX_COLUMNS;) {
        const char *tab = memchr(at, '\t', (size_t)(end - at));
        columns[count++] = (struct piece){at, (size_t)((tab ? tab : end) - at)};
        if (!tab) break;
        at = tab + 1;
    }
    return count;
}

// Returns the column of the first of the names that the header has, or -1.
static int find_column(const struct piece *header, int count, const char *const *names) {
    for (; *names; names++)
        for (int i = 0; i < count; i++)
            if (equals(header[i], *names)) return i;
    return -1;
}

// Copies a column's text; NULL for column -1, or when memory is out.
static const char *copy_column(fum_arena *arena, const struct piece *columns, int column) {
    if (column < 0) return NULL;
    return fum_arena_printf(arena, "%.*s", (int)columns[column].bytes, columns[column].at);
}

// What the columns of a table hold. Those that it lacks are -1.
struct columns {
    int count, file, caption, keywords, split;
};

// Reads the names of the columns. A first line of two columns that has no such names is a file and
// its caption already.
static struct columns read_header(struct lines *lines) {
    const struct lines start = *lines;
    struct piece line, header[MAX_COLUMNS + 1];
    int count = next_line(lines, &line) ? split_columns(line, header) : 0;
    const struct columns named = {
        count, find_column(header, count, file_names), find_column(header, count, caption_names),
        find_column(header, count, keyword_names), find_column(header, count, split_names)};
    if (named.file >= 0 || named.caption >= 0 || count != 2) return named;
    *lines = start;
    return (struct columns){2, 0, 1, -1, -1};
}

enum fum_result fum_table_parse_tsv(struct fum_table *table, const struct fum_table_text *text,
                                    struct fum_error *err) {
    struct lines lines = {.text = text};
    struct piece line, columns[MAX_COLUMNS + 1];
    const struct columns c = read_header(&lines);
    if (c.file < 0 || c.count > MAX_COLUMNS)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: the first line must name at most %d columns, separated by tabs, "
                             "one of them `file`; or each line must be a file, a tab and its "
                             "caption",
                             text->where, MAX_COLUMNS);
    while (next_line(&lines, &line)) {
        if (!line.bytes) continue;
        int found = split_columns(line, columns);
        if (memchr(line.at, 0, line.bytes))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s:%d: a byte 0, which no text has",
                                 text->where, lines.number);
        if (found != c.count || !columns[c.file].bytes)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s:%d: %d columns, of which `file` is not empty, are needed; "
                                 "found %d",
                                 text->where, lines.number, c.count, found);
        bool skipped =
            text->split && *text->split && c.split >= 0 && !equals(columns[c.split], text->split);
        if (skipped) continue;
        const struct fum_table_row row = {.file = copy_column(table->arena, columns, c.file),
                                          .caption = copy_column(table->arena, columns, c.caption),
                                          .keywords =
                                              copy_column(table->arena, columns, c.keywords),
                                          .label = -1};
        bool good = row.file && (row.caption || c.caption < 0) && (row.keywords || c.keywords < 0);
        if (!good || !add_relative(table, text, row)) return no_memory(text, err);
    }
    return FUM_OK;
}

// ---- metadata.jsonl ----

// Returns the text of the first of the keys that the object has as text, or NULL.
static const char *find_text(const cJSON *object, const char *const *names) {
    const char *found = NULL;
    for (; *names && !found; names++) found = fum_json_string(object, *names, NULL);
    return found;
}

static enum fum_result add_object(struct fum_table *table, const struct lines *lines,
                                  const cJSON *object, struct fum_error *err) {
    const struct fum_table_text *text = lines->text;
    const char *file = find_text(object, file_names), *caption = find_text(object, caption_names);
    const char *split = find_text(object, split_names);
    if (!file || !*file)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s:%d: no text `file_name`", text->where,
                             lines->number);
    if (text->split && *text->split && split && strcmp(split, text->split) != 0) return FUM_OK;
    struct fum_table_row row = {.file = fum_arena_strdup(table->arena, file), .label = -1};
    if (caption) row.caption = fum_arena_strdup(table->arena, caption);
    bool good = row.file && (row.caption || !caption) && add_relative(table, text, row);
    return good ? FUM_OK : no_memory(text, err);
}

enum fum_result fum_table_parse_jsonl(struct fum_table *table, const struct fum_table_text *text,
                                      struct fum_error *err) {
    struct lines lines = {.text = text};
    struct piece line;
    enum fum_result result = FUM_OK;
    while (!result && next_line(&lines, &line)) {
        cJSON *object = NULL;
        char where[160];
        snprintf(where, sizeof where, "%s:%d", fum_text_show(text->where).text, lines.number);
        if (!line.bytes) continue;
        result = fum_json_parse(&object, line.at, line.bytes, where, err);
        if (!result) result = add_object(table, &lines, object, err);
        cJSON_Delete(object);
    }
    return result;
}
