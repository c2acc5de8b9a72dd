// SPDX-License-Identifier: MIT
// Declares the layouts in which files name a component's tensors, one record each. Only for
// names*.c.
#ifndef FUM_MODEL_NAMES_LAYOUT_H
#define FUM_MODEL_NAMES_LAYOUT_H

#include "base/alloc.h"
#include "model/names.h"
#include "model/scales.h"

// Renames what begins with `from` and a dot. A list of rules ends with {NULL, NULL}.
struct fum_name_rule {
    const char *from, *to;
};

struct fum_names_layout {
    // Reads from the configuration what names depend on. May be NULL.
    enum fum_result (*prepare)(fum_names *names, const cJSON *config, struct fum_error *err);
    // Writes the file's name for a builder's name. False: the layout has no such tensor.
    bool (*rename)(const fum_names *names, const char *name, struct fum_file_name *out);
};

extern const struct fum_names_layout fum_layout_ldm_unet, fum_layout_ldm_vae,
    fum_layout_ldm_control, fum_layout_openclip, fum_layout_tiny;

// A module of the builders' naming and the file's name for it. Below it, `rules` rename its
// children; without rules they keep their names.
struct fum_name_module {
    char *from, *to;
    const struct fum_name_rule *rules;
};

struct fum_names {
    const fum_loader *loader;
    fum_arena *arena;
    const char *component, *prefix;
    const struct fum_names_layout *layout;
    struct fum_name_module *modules;
    size_t count, capacity;
    uint8_t *projection; // OpenCLIP's text_projection, transposed
    struct fum_view projection_view;
    size_t projection_index;
    fum_scales *scales;
};

// Returns what follows `start` and a dot in `text`; NULL if it does not begin so.
const char *fum_name_below(const char *text, const char *start);
// Writes "<head><to>.<rest>" if a rule names what `text` begins with.
bool fum_name_apply(const struct fum_name_rule *rules, const char *head, const char *text,
                    struct fum_file_name *out);

#endif
