// SPDX-License-Identifier: MIT
// What the files of a conversion share: the tensors and texts of a result, and how types are
// chosen.
#ifndef FUM_MODEL_CONVERT_CONVERT_H
#define FUM_MODEL_CONVERT_CONVERT_H

#include <fumarole/convert.h>

#include "base/alloc.h"
#include "base/block.h"
#include "io/safetensors.h"
#include "model/components.h"

// A type of weights: blocks, or elements if these are NULL.
struct fum_convert_type {
    enum fum_dtype dtype;
    const struct fum_block_type *blocks;
};

struct fum_convert_rules;

// What a conversion changes beside names and types: `replace` may point a view of the model's files
// to computed values.
struct fum_convert_change {
    enum fum_result (*replace)(void *user, struct fum_view *view, struct fum_error *err);
    void *user;
};

// Writes an open model, changed, to params->output. params->path names it in errors.
enum fum_result fum_convert_model(const fum_model *model, const struct fum_convert_change *change,
                                  const struct fum_convert_params *params, struct fum_error *err);

struct fum_convert_tensor {
    const char *name; // in the result
    struct fum_view view;
    const struct fum_block_type *blocks; // of the result; NULL: elements of the view's type
};

// One file of a result.
struct fum_convert_file {
    struct fum_convert_tensor *tensors;
    size_t count, capacity;
    struct fum_safetensors_text *texts;
    size_t text_count, text_capacity;
    struct fum_scales *scales; // factors that its weights are multiplied by
};

struct fum_converter {
    const struct fum_convert_params *params;
    const struct fum_convert_change *change; // NULL: none
    fum_arena *arena;
    struct fum_error *err;
    bool blocks; // the result can hold them
    bool typed;  // `type` is requested
    struct fum_convert_type type;
    struct fum_convert_rules *rules;
    const char *writing; // the file at hand, for progress
};

// ---- types.c ----

enum fum_result fum_convert_no_memory(const struct fum_converter *c);
// Reads the requested type and the rules.
enum fum_result fum_convert_read_types(struct fum_converter *c);
void fum_convert_free_rules(struct fum_convert_rules **rules);
// Returns the type that a tensor is to have.
struct fum_convert_type fum_convert_type_of(const struct fum_converter *c,
                                            const struct fum_convert_tensor *t);
// Gives every tensor of a file the type that it is to have.
enum fum_result fum_convert_choose_types(struct fum_converter *c, struct fum_convert_file *file);

// ---- scaled.c ----

// Applies the factors of weights of 8 bits that get another type. Leaves the factors out, and what
// names the format of such weights. `file` lists the loader's tensors in their order.
enum fum_result fum_convert_leave_8_bits(struct fum_converter *c, const fum_loader *loader,
                                         struct fum_convert_file *file);

// ---- list.c ----

// Adds a tensor; its name is copied.
enum fum_result fum_convert_add(struct fum_converter *c, struct fum_convert_file *file,
                                const char *name, const struct fum_view *view);
enum fum_result fum_convert_add_text(struct fum_converter *c, struct fum_convert_file *file,
                                     const char *key, const char *value);
void fum_convert_free_file(struct fum_convert_file *file);
// Writes a GGUF or a safetensors file, by the ending of its path.
enum fum_result fum_convert_write(struct fum_converter *c, const char *path,
                                  const char *architecture, struct fum_convert_file *file);
// Adds the tensors of a loader, with their names and texts.
enum fum_result fum_convert_list_loader(struct fum_converter *c, const fum_loader *loader,
                                        struct fum_convert_file *file);
// Calls `add` for every tensor that a component needs: with diffusers' name, and the view that the
// source has of it.
typedef enum fum_result (*fum_convert_add_fn)(struct fum_converter *c, void *user, const char *name,
                                              const struct fum_view *view);
enum fum_result fum_convert_each_weight(struct fum_converter *c, const fum_model *model,
                                        const struct fum_model_component *component,
                                        fum_convert_add_fn add, void *user);

// ---- single.c ----

enum { FUM_CONVERT_MAX_EMBEDDED = 64 << 10 }; // bytes of a small file that goes into single files
// Writes a folder's components as a single file.
enum fum_result fum_convert_to_single(struct fum_converter *c, const fum_model *model);

// ---- folder.c ----

// Writes a diffusers folder, of a folder or a single file.
enum fum_result fum_convert_to_folder(struct fum_converter *c, const fum_model *model,
                                      const char *path);

// True if two paths lead to the same file or folder, whether or not it exists.
bool fum_convert_same_path(const char *a, const char *b);
// Checks that a result lies outside of the model's folder, which is read while it is written. In
// place, a failure would leave neither the old model nor the new one.
enum fum_result fum_convert_check_outside(fum_arena *arena, const char *path, const char *model,
                                          struct fum_error *err);

#endif
