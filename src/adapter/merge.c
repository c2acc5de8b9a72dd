// SPDX-License-Identifier: MIT
// Writes a model with its adapters merged. A folder stays as it is otherwise; other kinds of files
// are a conversion. A change is found in a file by where its weight lies there, so that all layouts
// work alike.
#include "adapter/adapter.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/require.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "model/components.h"
#include "model/convert/convert.h"
#include "model/scales.h"

#include <stdio.h>
#include <string.h>

struct merge {
    const fum_model *model;
    fum_adapters *set;
    fum_arena *arena;
    const char *path; // that is written
    size_t placed;    // changes that a file took
    // Factors of changed weights, which the merged values hold already.
    const struct fum_loader_tensor **factors;
    size_t num_factors, factor_capacity;
};

// A tensor of a file, or a part of one, with the changes in it.
struct merged {
    const struct merge *merge;
    struct fum_view view;
    struct fum_computed computed;
};

static enum fum_result no_memory(const struct merge *m, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to write %s", m->path);
}

// ---- tensors ----

// True if a weight lies in a file as it is, so that a changed one can take its place.
static bool is_stored(const struct fum_view *base) {
    return base->file && !base->computed;
}

static bool lies_in(const struct fum_view *base, const struct fum_view *view) {
    return is_stored(base) && base->file == view->file && base->blocks == view->blocks &&
           base->block_offset == view->block_offset && base->offset >= view->offset &&
           base->offset < view->offset + fum_view_bytes(view);
}

// Computes a tensor of the model with all changes in it.
static enum fum_result write_merged(const void *user, float *values, struct fum_error *err) {
    const struct merged *merged = user;
    const struct fum_view *view = &merged->view;
    struct fum_adapters_change change;
    enum fum_result result = fum_view_read_f32(view, values, err);
    for (size_t i = 0; !result && fum_adapters_get(merged->merge->set, i, &change); i++) {
        if (!lies_in(&change.base, view)) continue;
        uint64_t at = (change.base.offset - view->offset) / fum_dtype_size(view->dtype);
        result = fum_view_read_f32(&change.view, values + at, err);
    }
    return result;
}

static size_t count_changes(const struct merge *m, const struct fum_view *view) {
    struct fum_adapters_change change;
    size_t count = 0;
    for (size_t i = 0; fum_adapters_get(m->set, i, &change); i++)
        count += lies_in(&change.base, view);
    return count;
}

static enum fum_result write_ones(const void *user, float *values, struct fum_error *err) {
    const struct merged *merged = user;
    size_t count = (size_t)fum_view_count(&merged->view);
    (void)err;
    for (size_t i = 0; i < count; i++) values[i] = 1;
    return FUM_OK;
}

// Finds the factors of changed weights.
static enum fum_result find_factors(struct merge *m, struct fum_error *err) {
    for (int c = 0; c < m->model->num_components; c++) {
        const fum_loader *loader = m->model->components[c].loader;
        for (size_t i = 0; loader && i < fum_loader_count(loader); i++) {
            const struct fum_loader_tensor *t = fum_loader_at(loader, i),
                                           *factors = fum_scales_find(loader, t->name);
            if (!factors || !count_changes(m, &t->view)) continue;
            if (!fum_grow((void **)&m->factors, &m->factor_capacity, m->num_factors,
                          sizeof(const struct fum_loader_tensor *)))
                return no_memory(m, err);
            m->factors[m->num_factors++] = factors;
        }
    }
    return FUM_OK;
}

static bool is_factor(const struct merge *m, const struct fum_view *view) {
    for (size_t i = 0; i < m->num_factors; i++) {
        const struct fum_view *factors = &m->factors[i]->view;
        if (view->file == factors->file && view->offset == factors->offset) return true;
    }
    return false;
}

// Points the view of a changed weight to its merged values, and that of its factors to ones.
static enum fum_result replace(void *user, struct fum_view *view, struct fum_error *err) {
    struct merge *m = user;
    size_t changes = count_changes(m, view);
    bool factor = !changes && is_factor(m, view);
    if (!changes && !factor) return FUM_OK;
    struct merged *merged = fum_arena_alloc(m->arena, 1, sizeof *merged);
    if (!merged) return no_memory(m, err);
    *merged = (struct merged){m, *view, {factor ? write_ones : write_merged, merged}};
    view->dtype = fum_dtype_computed(view->dtype);
    view->computed = &merged->computed;
    view->scales = NULL;
    m->placed += changes;
    return FUM_OK;
}

// True if the tensor names the format of a weight that changes. The merged one has another.
static bool names_old_format(const struct merge *m, const fum_loader *loader, const char *name) {
    const struct fum_loader_tensor *weight = fum_scales_find_named(loader, name);
    return weight && count_changes(m, &weight->view);
}

// Writes the tensors of one of a loader's files.
static enum fum_result write_weights(struct merge *m, const fum_loader *loader, size_t file,
                                     const char *path, struct fum_error *err) {
    static const struct fum_safetensors_text format = {"format", "pt"};
    size_t count = fum_loader_count(loader), used = 0;
    struct fum_safetensors_tensor *tensors = fum_alloc(count + 1, sizeof *tensors);
    enum fum_result result = tensors ? FUM_OK : no_memory(m, err);
    for (size_t i = 0; i < count && !result; i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        if (t->file != file || names_old_format(m, loader, t->name)) continue;
        tensors[used] = (struct fum_safetensors_tensor){t->name, t->view};
        result = replace(m, &tensors[used++].view, err);
    }
    const struct fum_safetensors out = {
        .tensors = tensors, .count = used, .metadata = &format, .metadata_count = 1};
    if (!result) result = fum_safetensors_write(path, &out, err);
    fum_free(tensors);
    return result;
}

// ---- folders ----

// Finds the component whose weights the file holds; NULL: none. *file is its index in the loader.
static const fum_loader *find_weights(const struct merge *m, const char *path, size_t *file) {
    for (int c = 0; c < m->model->num_components; c++) {
        const fum_loader *loader = m->model->components[c].own_loader;
        for (size_t i = 0; loader && i < fum_loader_file_count(loader); i++) {
            if (!fum_convert_same_path(fum_loader_file(loader, i), path)) continue;
            *file = i;
            return loader;
        }
    }
    return NULL;
}

static bool ends_in(const char *name, const char *const *endings) {
    const char *dot = strrchr(name, '.');
    for (; dot && *endings; endings++)
        if (!strcmp(dot, *endings)) return true;
    return false;
}

// Returns the name under which a weight file's tensors are written: that of a .safetensors file.
static const char *weights_name(const struct merge *m, const char *name) {
    static const char *const endings[] = {".safetensors", NULL};
    static const char old[] = "pytorch_model."; // transformers' name of a .bin
    if (ends_in(name, endings)) return name;
    if (!strncmp(name, old, strlen(old))) name += strlen("pytorch_");
    return fum_arena_printf(m->arena, "%.*s.safetensors", (int)(strrchr(name, '.') - name), name);
}

// A folder of the model while it is copied.
struct folder {
    const char *from, *to;
    struct fum_path_names names;
    bool top;         // the model's own folder
    bool has_weights; // of a component that the pipeline runs
};

static enum fum_result list_folder(const struct merge *m, struct folder *f, struct fum_error *err) {
    size_t file;
    enum fum_result result = fum_path_list(m->arena, f->from, &f->names, err);
    for (size_t i = 0; i < f->names.count && !result; i++) {
        const char *path = fum_path_join(m->arena, f->from, f->names.names[i]);
        if (!path) return no_memory(m, err);
        f->has_weights = f->has_weights || find_weights(m, path, &file);
    }
    return result;
}

// Writes or copies one file. Other copies of weights that the model has, such as those of another
// type, are left out, since they would not be merged.
static enum fum_result transfer_file(struct merge *m, const struct folder *f, const char *name,
                                     struct fum_error *err) {
    static const char *const weights[] = {".safetensors", ".bin",  ".ckpt", ".pt", ".pth",
                                          ".msgpack",     ".onnx", ".h5",   NULL};
    size_t file = 0;
    const char *from = fum_path_join(m->arena, f->from, name);
    const fum_loader *loader = from ? find_weights(m, from, &file) : NULL;
    if (!loader && (f->top || f->has_weights) && ends_in(name, weights)) return FUM_OK;
    const char *written = loader ? weights_name(m, name) : name;
    const char *to = written ? fum_path_join(m->arena, f->to, written) : NULL;
    if (!from || !to) return no_memory(m, err);
    return loader ? write_weights(m, loader, file, to, err) : fum_file_copy(from, to, err);
}

// Writes a folder of the model and those in it, without hidden ones.
static enum fum_result transfer_folder(struct merge *m, struct folder f, struct fum_error *err) {
    enum fum_result result = list_folder(m, &f, err);
    for (size_t i = 0; i < f.names.count && !result; i++) {
        const char *name = f.names.names[i], *from = fum_path_join(m->arena, f.from, name);
        if (!from) return no_memory(m, err);
        if (name[0] == '.') continue;
        if (!fum_path_is_dir(from)) {
            result = transfer_file(m, &f, name, err);
            continue;
        }
        const struct folder inner = {.from = from, .to = fum_path_join(m->arena, f.to, name)};
        result = inner.to ? transfer_folder(m, inner, err) : no_memory(m, err);
    }
    return result;
}

// ---- the whole ----

// True if the result is a folder, and so is the model: all of it is kept.
static bool keeps_folder(const struct merge *m) {
    const char *slash = strrchr(m->path, '/'), *name = slash ? slash + 1 : m->path;
    return m->model->folder && (!strchr(name, '.') || strspn(name, ".") == strlen(name));
}

// Checks that `placed` changes, those with a place in the files, are all.
static enum fum_result check_placed(const struct merge *m, size_t placed, struct fum_error *err) {
    struct fum_adapters_change change;
    size_t count = 0;
    while (fum_adapters_get(m->set, count, &change)) count++;
    if (count <= placed) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: %zu of %zu changed weights cannot be written, since the model stores "
                         "them transposed",
                         m->path, count - placed, count);
}

// Checks, before anything is written, that every changed weight is stored as it is.
static enum fum_result check_stored(const struct merge *m, struct fum_error *err) {
    struct fum_adapters_change change;
    size_t stored = 0;
    for (size_t i = 0; fum_adapters_get(m->set, i, &change); i++) stored += is_stored(&change.base);
    return check_placed(m, stored, err);
}

static enum fum_result write_model(struct merge *m, struct fum_error *err) {
    const struct fum_convert_change change = {replace, m};
    const struct fum_convert_params params = {.path = m->model->info.path, .output = m->path};
    if (!keeps_folder(m)) return fum_convert_model(m->model, &change, &params, err);
    enum fum_result result = fum_convert_check_outside(m->arena, m->path, m->model->info.path, err);
    if (result) return result;
    return transfer_folder(
        m, (struct folder){.from = m->model->info.path, .to = m->path, .top = true}, err);
}

enum fum_result fum_adapter_merge(const fum_model *model, const struct fum_merge_params *params,
                                  struct fum_error *err) {
    const struct fum_adapters_params set = {.list = params->adapters,
                                            .count = params->num_adapters,
                                            .dir = params->adapter_dir,
                                            .log = params->log};
    if (fum_require(params->path, "a path", err)) return FUM_ERR_ARG;
    struct merge m = {.model = model, .path = params->path, .arena = fum_arena_create()};
    enum fum_result result = m.arena ? FUM_OK : no_memory(&m, err);
    if (!result) result = fum_adapters_open(&m.set, model, &set, err);
    if (!result) result = check_stored(&m, err);
    if (!result) result = find_factors(&m, err);
    if (!result) result = write_model(&m, err);
    if (!result) result = check_placed(&m, m.placed, err);
    fum_adapters_close(&m.set);
    fum_free(m.factors);
    fum_arena_destroy(&m.arena);
    return result;
}
