// SPDX-License-Identifier: MIT
// Declares the kinds of files that hold no whole model, one record each.
#ifndef FUM_ADAPTER_CONTENTS_H
#define FUM_ADAPTER_CONTENTS_H

#include <fumarole/contents.h>

#include "base/alloc.h"
#include "io/loader.h"

enum { FUM_CONTENTS_MAX_FACTS = 16 };

struct fum_contents {
    fum_arena *arena;
    fum_loader *loader;
    struct fum_contents_info info;
    struct fum_contents_fact facts[FUM_CONTENTS_MAX_FACTS];
    bool no_memory;
};

struct fum_contents_kind {
    const char *name;
    // True if the file is of this kind. Sets the title, and adds what is known of it.
    bool (*recognise)(fum_contents *contents);
};
// In the order in which a file is compared with them; ends with NULL.
extern const struct fum_contents_kind *const fum_contents_kinds[];
extern const struct fum_contents_kind fum_contents_adapter;

// Notes that a reader had no memory, so that the file is not taken for another kind.
void fum_contents_note(fum_contents *contents, const struct fum_error *err);
// Adds a fact. A range of numbers is one number if both are the same.
void fum_contents_add(fum_contents *contents, const char *name, const char *fmt, ...)
    FUM_PRINTF(3, 4);
void fum_contents_add_range(fum_contents *contents, const char *name, double least, double most);
// Adds the family of models whose UNet attends to a context of this width, if any does.
void fum_contents_add_family(fum_contents *contents, int width);
// Returns the first tensor whose name ends so; NULL: none.
const struct fum_loader_tensor *fum_contents_find_end(const fum_contents *contents,
                                                      const char *end);

#endif
