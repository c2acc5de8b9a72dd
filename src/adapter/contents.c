// SPDX-License-Identifier: MIT
// Opens a file that holds no whole model, finds out what it is, and counts its tensors.
#include "adapter/contents.h"

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "base/require.h"
#include "base/text.h"
#include "model/components.h"
#include "model/find.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- facts ----

static void add_fact(fum_contents *c, const char *name, const char *text, bool number) {
    if (c->info.num_facts == FUM_CONTENTS_MAX_FACTS) return;
    const char *copy = fum_arena_strdup(c->arena, text);
    c->no_memory = c->no_memory || !copy;
    if (copy) c->facts[c->info.num_facts++] = (struct fum_contents_fact){name, copy, number};
}

void fum_contents_note(fum_contents *c, const struct fum_error *err) {
    c->no_memory = c->no_memory || err->code == FUM_ERR_NOMEM;
}

void fum_contents_add(fum_contents *c, const char *name, const char *fmt, ...) {
    char text[256];
    va_list args;
    va_start(args, fmt);
    fum_text_format(text, sizeof text, fmt, args);
    va_end(args);
    add_fact(c, name, text, !strcmp(fmt, "%d"));
}

void fum_contents_add_range(fum_contents *c, const char *name, double least, double most) {
    char text[80], low[FUM_NUMBER_BYTES], high[FUM_NUMBER_BYTES];
    if (!(least <= most) || !isfinite(least) || !isfinite(most)) return;
    bool one = least == most;
    snprintf(text, sizeof text, "%s to %s", fum_number_format(low, 6, least),
             fum_number_format(high, 6, most));
    add_fact(c, name, one ? low : text, one);
}

void fum_contents_add_family(fum_contents *c, int width) {
    const struct fum_family *family = fum_family_of_context(width);
    if (family) fum_contents_add(c, "family", "%s", family->title);
    if (width > 0) fum_contents_add(c, "context", "%d", width);
}

const struct fum_loader_tensor *fum_contents_find_end(const fum_contents *c, const char *end) {
    size_t length = strlen(end);
    for (size_t i = 0; i < fum_loader_count(c->loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(c->loader, i);
        size_t n = strlen(t->name);
        if (n >= length && !strcmp(t->name + n - length, end)) return t;
    }
    return NULL;
}

// ---- opening ----

// Finds the file of a folder: PEFT's adapter, or the weights of one component. NULL: it has none.
static const char *find_file(fum_contents *c, const char *path) {
    static const char *const adapters[] = {"adapter_model.safetensors", "adapter_model.bin"};
    const char *file = NULL;
    if (!fum_path_is_dir(path)) return path;
    for (int i = 0; i < 2; i++) {
        const char *full = fum_path_join(c->arena, path, adapters[i]);
        if (full && fum_path_may_exist(full)) return full;
    }
    if (fum_folder_is(path)) return NULL;
    if (!fum_folder_find_weights(c->arena, path, NULL, &file, NULL)) return file;
    return fum_tiny_find(c->arena, path, &file, NULL) ? NULL : file;
}

static void count_tensors(fum_contents *c) {
    struct fum_component_info *info = &c->info.tensors;
    *info = (struct fum_component_info){.name = c->info.kind, .file = c->info.path};
    for (size_t i = 0; i < fum_loader_count(c->loader); i++)
        fum_model_count_tensor(info, fum_loader_at(c->loader, i));
}

// True if the file holds a UNet and another component of a model.
static bool is_model(const fum_loader *loader) {
    return fum_names_has_component(loader, "unet") &&
           (fum_names_has_component(loader, "vae") ||
            fum_names_has_component(loader, "text_encoder"));
}

static bool recognise(fum_contents *c) {
    for (int i = 0; fum_contents_kinds[i] && !c->no_memory && !is_model(c->loader); i++) {
        c->info.kind = fum_contents_kinds[i]->name;
        if (fum_contents_kinds[i]->recognise(c)) return true;
        c->info.num_facts = 0;
    }
    return false;
}

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to describe a file");
}

// Opens the path unless it belongs to a model. c->loader stays NULL then.
static enum fum_result open_path(fum_contents *c, const char *path, struct fum_error *err) {
    const char *whole = NULL, *file = NULL;
    const struct fum_model_params params = {.path = path};
    if (!fum_path_may_exist(path)) return FUM_OK; // a shipped model, or nothing
    enum fum_result result = fum_model_find(&whole, c->arena, &params, err);
    if (result) return result;
    if (fum_path_is_dir(path) && !fum_path_is_dir(whole)) path = whole; // the folder's only file
    if (strcmp(whole, path)) return FUM_OK; // a component of a whole model
    file = find_file(c, path);
    if (!file) return FUM_OK;
    c->info.path = fum_arena_strdup(c->arena, file);
    c->info.name = fum_model_path_name(c->arena, path);
    if (!c->info.path || !c->info.name) return no_memory(err);
    return fum_loader_open(&c->loader, file, err);
}

enum fum_result fum_contents_open(fum_contents **contents, const char *path,
                                  struct fum_error *err) {
    *contents = NULL;
    if (fum_require(path, "a path", err)) return FUM_ERR_ARG;
    fum_contents *c = *contents = fum_calloc(1, sizeof *c);
    if (!c) return no_memory(err);
    c->info.facts = c->facts;
    c->arena = fum_arena_create();
    enum fum_result result = c->arena ? open_path(c, path, err) : no_memory(err);
    bool known = !result && c->loader && recognise(c);
    if (known) count_tensors(c);
    if (!result && c->no_memory) result = no_memory(err);
    if (result || !known) fum_contents_close(contents);
    return result;
}

void fum_contents_close(fum_contents **contents) {
    if (!contents || !*contents) return;
    fum_loader_close(&(*contents)->loader);
    fum_arena_destroy(&(*contents)->arena);
    fum_free(*contents);
    *contents = NULL;
}

const struct fum_contents_info *fum_contents_get_info(const fum_contents *contents) {
    return &contents->info;
}

const char *fum_contents_metadata(const fum_contents *contents, int index, const char **key) {
    return index < 0 ? NULL : fum_loader_text(contents->loader, (size_t)index, key);
}
