// SPDX-License-Identifier: MIT
// Makes the files of a tokenizer's folder out of the installed CLIP vocabulary.
#ifndef FUM_TEXT_CLIP_FILES_H
#define FUM_TEXT_CLIP_FILES_H

#include <fumarole/core.h>

enum { FUM_CLIP_FILES = 3 };

struct fum_clip_files {
    struct {
        const char *name; // "vocab.json"
        char *text;
    } files[FUM_CLIP_FILES];
};

// Fills the files. `pad` is the padding token; NULL: the end token. They are to be freed after a
// failure, too.
enum fum_result fum_clip_files_make(struct fum_clip_files *files, const char *pad,
                                    struct fum_error *err);
void fum_clip_files_free(struct fum_clip_files *files);

#endif
