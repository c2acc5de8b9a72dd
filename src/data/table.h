// SPDX-License-Identifier: MIT
// Lists of pictures with their captions, and the tables of them that people write. captions.tsv has
// a line of column names, or a file and its caption in each line; metadata.jsonl is that of Hugging
// Face's ImageFolder.
#ifndef FUM_DATA_TABLE_H
#define FUM_DATA_TABLE_H

#include "base/alloc.h"

struct fum_table {
    fum_arena *arena; // holds the texts
    size_t count;
    const char **files, **captions, **keywords; // [count]; captions and keywords may be NULL
    int32_t *labels;                            // [count]; -1: none
    size_t file_capacity, caption_capacity, keyword_capacity, label_capacity;
};
void fum_table_free(struct fum_table *table); // all but the arena

// A picture to add; texts belong to the arena or live as long.
struct fum_table_row {
    const char *file, *caption, *keywords;
    int32_t label;
};
bool fum_table_add(struct fum_table *table, const struct fum_table_row *row);

// A table's text, and what errors call it.
struct fum_table_text {
    const char *text; // ends in NUL, which is not counted
    size_t bytes;
    const char *where;
    const char *folder; // files are relative to it
    const char *split;  // only rows with this text in the column `split`; NULL or "": all
};
enum fum_result fum_table_parse_tsv(struct fum_table *table, const struct fum_table_text *text,
                                    struct fum_error *err);
enum fum_result fum_table_parse_jsonl(struct fum_table *table, const struct fum_table_text *text,
                                      struct fum_error *err);

#endif
