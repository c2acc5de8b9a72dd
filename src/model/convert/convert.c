// SPDX-License-Identifier: MIT
// Converts models: opens the source as the kind of the result needs it.
#include "model/convert/convert.h"

#include "base/error.h"
#include "base/file.h"
#include "base/require.h"
#include "base/text.h"
#include "model/checkpoint.h"

#include <string.h>

// True if the name has an ending, which is none of those that are written.
static bool has_other_ending(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return strchr(name, '.') && strspn(name, ".") != strlen(name);
}

// Returns the name of the family that a file is of, for GGUF's first key.
static const char *find_architecture(const fum_loader *loader) {
    struct fum_checkpoint checkpoint = {0};
    const char *name = "diffusion";
    if (!fum_checkpoint_detect(&checkpoint, loader, NULL)) name = checkpoint.family->name;
    fum_checkpoint_free(&checkpoint);
    return name;
}

// Writes the tensors of a file to another one, under their names.
static enum fum_result write_loader(struct fum_converter *c, const fum_loader *loader) {
    struct fum_convert_file file = {0};
    enum fum_result result = fum_convert_list_loader(c, loader, &file);
    if (!result) result = fum_convert_write(c, c->params->output, find_architecture(loader), &file);
    fum_convert_free_file(&file);
    return result;
}

// Converts a file to another one, whose names stay, whatever it holds.
static enum fum_result convert_file(struct fum_converter *c) {
    fum_loader *loader = NULL;
    enum fum_result result = fum_loader_open(&loader, c->params->path, c->err);
    if (!result) result = write_loader(c, loader);
    fum_loader_close(&loader);
    return result;
}

static enum fum_result convert_model(struct fum_converter *c, bool single) {
    const struct fum_convert_params *params = c->params;
    const struct fum_model_params open = {.path = params->path,
                                          .models_dir = params->models_dir,
                                          .program_dir = params->program_dir,
                                          .log = params->log};
    fum_model *model = NULL;
    enum fum_result result = fum_model_open(&model, &open, c->err);
    if (!result && !model->folder && (!model->file || single))
        result = fum_error_set(c->err, FUM_ERR_UNSUPPORTED,
                               "%s: only diffusers folders and checkpoint files are converted",
                               fum_text_show(params->path).text);
    if (!result)
        result = single ? fum_convert_to_single(c, model)
                        : fum_convert_to_folder(c, model, params->output);
    fum_model_destroy(&model);
    return result;
}

static bool is_file(const char *path) {
    return fum_path_may_exist(path) && !fum_path_is_dir(path);
}

// Prepares a conversion. *single: the result is one file.
static enum fum_result begin(struct fum_converter *c, bool *single) {
    const char *output = c->params->output;
    c->blocks = fum_text_ends_with(output, ".gguf");
    *single = c->blocks || fum_text_ends_with(output, ".safetensors");
    c->arena = fum_arena_create();
    if (!c->arena) return fum_convert_no_memory(c);
    if (!*single && has_other_ending(output))
        return fum_error_set(c->err, FUM_ERR_ARG,
                             "cannot write %s: end it in .gguf or .safetensors, or name a folder "
                             "without an ending",
                             fum_text_show(output).text);
    return fum_convert_read_types(c);
}

static void end(struct fum_converter *c) {
    fum_convert_free_rules(&c->rules);
    fum_arena_destroy(&c->arena);
}

enum fum_result fum_convert(const struct fum_convert_params *params, struct fum_error *err) {
    if (fum_require(params->path, "a path", err)) return FUM_ERR_ARG;
    if (fum_require(params->output, "an output", err)) return FUM_ERR_ARG;
    struct fum_converter c = {.params = params, .err = err};
    bool single = false;
    enum fum_result result = begin(&c, &single);
    if (!result)
        result = single && is_file(params->path) ? convert_file(&c) : convert_model(&c, single);
    end(&c);
    return result;
}

enum fum_result fum_convert_model(const fum_model *model, const struct fum_convert_change *change,
                                  const struct fum_convert_params *params, struct fum_error *err) {
    struct fum_converter c = {.params = params, .change = change, .err = err};
    bool single = false;
    enum fum_result result = begin(&c, &single);
    if (!result && single && model->file)
        result = write_loader(&c, model->file);
    else if (!result)
        result = single ? fum_convert_to_single(&c, model)
                        : fum_convert_to_folder(&c, model, params->output);
    end(&c);
    return result;
}
